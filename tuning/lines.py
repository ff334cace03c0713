"""A trial as a line on the terminal."""

from __future__ import annotations

from typing import Any

from training.memory.capacity import shown
from tuning.config import TuningConfig
from tuning.trial import Trial


def line(trial: Trial, config: TuningConfig, done: int) -> str:
    """What became of a trial, with its figures.

    Args:
        trial: that has ended.
        config: the campaign.
        done: configurations with a trial that has ended.
    """
    of = f" of {config.max_configurations}" if config.max_configurations else ""
    head = f"[{done}{of}] trial {trial.number}"
    told = [settings(trial.parameters) + (f", seed {trial.seed}" if config.seeds > 1 else "")]
    value, gap = trial.value(config.metric), trial.gap(config.metric)
    if value is not None:
        name = "AUROC" if config.metric == "auroc" else "MCC"
        told.append(f"{name} {value:.4f}" + (f", on train {gap:+.4f}" if gap is not None else ""))
    if trial.memory_predicted is not None:
        measured = f"{shown(trial.memory_measured)} of " if trial.memory_measured else ""
        told.append(f"{measured}{shown(trial.memory_predicted)} foretold")
    if trial.epochs:
        told.append(f"{trial.epochs} epochs in {trial.seconds:.0f} s")
    told.append(trial.state + (f" ({trial.reason})" if trial.reason else ""))
    return f"{head}: {'; '.join(told)}"


def settings(parameters: dict[str, Any]) -> str:
    """Searched keys by their last names, with values of a few digits."""
    return ", ".join(f"{last(key)} {number(value)}" for key, value in parameters.items()) or "as it is"


def last(key: str) -> str:
    """The last name of a key, which says enough within a campaign."""
    return key.rpartition(".")[2]


def number(value: Any) -> str:
    """A value of a key for people."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def duration(seconds: float) -> str:
    """A time for people: 42 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
