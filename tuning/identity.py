"""What a campaign's directory is about, so that the same command goes on with it and another is refused."""

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

CAMPAIGN, FINISHED = "campaign.json", "finished.json"
# Keys of `tuning` that say how far, how fast and where a campaign goes, not what it tries: they may change while it goes on.
FREE = {"configurations", "time_budget_s", "patience", "concurrent", "device_memory", "device_kind"}
Identity = Mapping[str, Any]
MOST_TOLD = 3


def read(output: Path) -> tuple[Identity, float] | None:
    """What a directory is about, and the seconds spent on it; None where no campaign has begun.

    Raises:
        UsageError: the file cannot be read.
    """
    path = output / CAMPAIGN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _with_current_names(found["identity"]), float(found["seconds"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})", "choose another --output") from error


def write(output: Path, identity: Identity, seconds: float) -> None:
    """Store both.

    Raises:
        ResourceError: the place cannot be written.
    """
    storage.write_text(
        output / CAMPAIGN, json.dumps({"identity": identity, "seconds": round(seconds, 1)}, indent=1) + "\n"
    )


def ends(output: Path, limits: Identity | None) -> None:
    """Mark a campaign as finished by these limits, or as one that goes on.

    Raises:
        StorageError: the place cannot be written.
    """
    if limits is None:
        (output / FINISHED).unlink(missing_ok=True)
    else:
        storage.write_text(output / FINISHED, json.dumps(limits) + "\n")


def ended(output: Path) -> Identity | None:
    """By which limits a campaign is finished; None: it is not."""
    try:
        found: Identity = json.loads((output / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return TuningConfig.with_current_names(found)


def _with_current_names(identity: Identity) -> Identity:
    """What an earlier version stored, with today's names of keys."""
    sections: dict[str, type[Section]] = {"tuning": TuningConfig, "model": ModelConfig, "training": TrainingConfig}
    found = {
        name: sections[name].with_current_names(value) if name in sections else value
        for name, value in identity.items()
    }
    for holder, key in ((found, "space"), (found.get("tuning", {}), "space")):
        if holder.get(key):
            holder[key] = {keys.with_current_name(name): _domain(domain) for name, domain in holder[key].items()}
    return found


def _domain(domain: Identity) -> Identity:
    conditions = domain.get("when") or {}
    return {**domain, "when": {keys.with_current_name(name): value for name, value in conditions.items()}}


def require_same(output: Path, before: Identity, now: Identity) -> None:
    """Compare what a directory is about with what is asked for.

    Raises:
        UsageError: they differ, with the keys and both values.
    """
    found = differences(before, json.loads(json.dumps(now)))
    if not found:
        return
    told = "; ".join(found[:MOST_TOLD]) + (f"; and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else "")
    raise UsageError(
        f"{output}: holds another campaign ({told})",
        f"choose another --output; of tuning only {', '.join(sorted(FREE))} may change",
    )


def differences(before: Any, now: Any, key: str = "") -> list[str]:
    """Where two nested mappings differ, as `key VALUE there, VALUE here`; keys that only one of them has are compared too."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = [*before, *(one for one in now if one not in before)]
        return [
            told
            for one in names
            for told in differences(before.get(one), now.get(one), f"{key}.{one}" if key else str(one))
        ]
    return [] if before == now else [f"{key} {_shown(before)} there, {_shown(now)} here"]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
