"""What a study's directory is about, so that the same command resumes it and a different study is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.config import Section
from pipelines.errors import UsageError
from training.config import ModelConfig, TrainingConfig
from tuning import keys
from tuning.config import TuningConfig

STUDY, FINISHED = "study.json", "finished.json"
# Name of the same file in earlier versions: it is read, and replaced when the study continues.
EARLIER_STUDY = "campaign.json"
# Keys of `tuning` that say how far, how fast and where a study runs, not what it tries: they may change on resume.
FREE = {"configurations", "time_budget_s", "trial_time_limit", "patience", "concurrent", "device_memory", "device_kind"}
MAX_DIFFERENCES = 3
_SECTIONS: dict[str, type[Section]] = {"tuning": TuningConfig, "model": ModelConfig, "training": TrainingConfig}
Identity = Mapping[str, Any]


def read(output: Path) -> tuple[Identity, float] | None:
    """The identity of the study in a directory, and the seconds spent on it; None if there is no study.

    Raises:
        UsageError: the file cannot be read.
    """
    path = output / STUDY
    if not path.exists() and (output / EARLIER_STUDY).exists():
        path = output / EARLIER_STUDY
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        seconds = document["seconds"]
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise ValueError("seconds is not a number of seconds")
        return _with_current_names(document["identity"]), float(seconds)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UsageError(f"{path}: cannot be read ({reason})", "choose another --output") from error


def write(output: Path, identity: Identity, seconds: float) -> None:
    """Store the identity of a study and the seconds spent on it; a file of the earlier name is replaced.

    Raises:
        ResourceError: the directory cannot be written.
    """
    document = {"identity": identity, "seconds": round(seconds, 1)}
    storage.write_text(output / STUDY, json.dumps(document, indent=1) + "\n")
    (output / EARLIER_STUDY).unlink(missing_ok=True)


def mark_finished(output: Path, limits: Identity) -> None:
    """Store the limits by which a study has finished.

    Raises:
        StorageError: the directory cannot be written.
    """
    storage.write_text(output / FINISHED, json.dumps(limits) + "\n")


def mark_unfinished(output: Path) -> None:
    """Remove the mark of a finished study, which is about to continue."""
    (output / FINISHED).unlink(missing_ok=True)


def finished_by(output: Path) -> Identity | None:
    """The limits by which a study has finished; None if it has not, or the file is damaged."""
    try:
        limits = json.loads((output / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return TuningConfig.with_current_names(limits) if isinstance(limits, dict) else None


def _with_current_names(identity: Identity) -> Identity:
    """A stored identity with the current names of all keys."""
    current = {
        name: _SECTIONS[name].with_current_names(value) if name in _SECTIONS else value
        for name, value in identity.items()
    }
    # The space stands in the identity twice: as the experiment gives it, and with the default filled in.
    for holder in (current, current.get("tuning", {})):
        if holder.get("space"):
            holder["space"] = {
                keys.with_current_name(key): _domain_with_current_names(domain)
                for key, domain in holder["space"].items()
            }
    return current


def _with_later_keys(stored: Identity, requested: Identity) -> Identity:
    """A stored identity with the defaults of keys that did not exist yet when it was written."""
    complete = dict(stored)
    for name, section in _SECTIONS.items():
        later = (requested.get(name) or {}).keys() - (stored.get(name) or {}).keys()
        defaults = {key: section.model_fields[key].default for key in later if key in section.model_fields}
        if defaults:
            complete[name] = (stored.get(name) or {}) | defaults
    return complete


def _domain_with_current_names(domain: Identity) -> Identity:
    conditions = domain.get("when") or {}
    return {**domain, "when": {keys.with_current_name(key): value for key, value in conditions.items()}}


def require_same(output: Path, stored: Identity, requested: Identity) -> None:
    """Check that a directory holds the study that is requested.

    Raises:
        UsageError: they differ; the message names the keys and both values.
    """
    # Through JSON, as the stored one went: tuples become lists, and keys become text.
    current = json.loads(json.dumps(requested))
    different = differences(_with_later_keys(stored, current), current)
    if not different:
        return
    text = "; ".join(different[:MAX_DIFFERENCES])
    if len(different) > MAX_DIFFERENCES:
        text += f"; and {len(different) - MAX_DIFFERENCES} more"
    raise UsageError(
        f"{output}: holds another study ({text})",
        f"choose another --output; of tuning only {', '.join(sorted(FREE))} may change",
    )


def differences(stored: Any, requested: Any, key: str = "") -> list[str]:
    """The leaves in which two nested mappings differ, as `KEY: OLD in the study, NEW requested`.

    A key that only one of them has counts.
    """
    if isinstance(stored, Mapping) and isinstance(requested, Mapping):
        names = [*stored, *(name for name in requested if name not in stored)]
        return [
            difference
            for name in names
            for difference in differences(stored.get(name), requested.get(name), f"{key}.{name}" if key else str(name))
        ]
    if stored == requested or (isinstance(stored, str) and _as_number(stored) == requested):
        return []
    return [f"{key}: {_format(stored)} in the study, {_format(requested)} requested"]


def _as_number(text: str) -> float | None:
    """A number that an earlier version stored as text, such as 1e-3."""
    try:
        return float(text)
    except ValueError:
        return None


def _format(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
