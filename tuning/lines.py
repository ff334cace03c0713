"""Trials and values of keys as text for people."""

from __future__ import annotations

from typing import Any

from pipelines.display import counted, format_size
from training.memory.fixes import LENGTH_KEYS
from training.tasks import Name
from tuning.config import TuningConfig
from tuning.trial import Trial

METRIC_NAMES = {"auroc": "AUROC", "mcc": "MCC", "exon_f1": "exon F1", "cds_f1": "CDS F1"}


def format_trial(trial: Trial, config: TuningConfig, done: int) -> str:
    """The line that the terminal shows when a trial has ended.

    Args:
        trial: that has ended.
        config: of the study.
        done: configurations of which at least one trial has ended.
    """
    total = f" of {config.max_configurations}" if config.max_configurations else ""
    parts = [format_parameters(trial.parameters) + (f", seed {trial.seed}" if config.seeds > 1 else "")]
    value, gap = trial.value(config.metric), trial.gap(config.metric)
    if value is not None:
        parts.append(
            f"{metric_name(config.metric)} {value:.4f}" + (f", on train {gap:+.4f}" if gap is not None else "")
        )
    if trial.memory_predicted is not None:
        measured = f"{format_size(trial.memory_measured)} of " if trial.memory_measured else ""
        parts.append(f"{measured}{format_size(trial.memory_predicted)} predicted")
    if trial.epochs:
        parts.append(f"{counted(trial.epochs, 'epoch')} in {trial.seconds:.0f} s")
    parts.append(trial.state + (f" ({trial.reason})" if trial.reason else ""))
    return f"[{done}{total}] trial {trial.number}: {'; '.join(parts)}"


def format_nothing_fits(memory: int, task: Name) -> str:
    """The line at the end of a study none of whose configurations fits the memory, in bytes."""
    length = f" ({LENGTH_KEYS[task]})" if task in LENGTH_KEYS else ""
    return (
        f"nothing fits {format_size(memory)}: search smaller sizes or shorter sequences{length}, or "
        "state a larger device with tuning.device_memory"
    )


def metric_name(metric: str) -> str:
    """A metric, such as `auroc`, as people write it."""
    return METRIC_NAMES[metric]


def format_parameters(parameters: dict[str, Any]) -> str:
    """Searched keys by their short names, with values of few digits."""
    return (
        ", ".join(f"{short_name(key)} {format_value(value)}" for key, value in parameters.items())
        or "the experiment as it is"
    )


def short_name(key: str) -> str:
    """The last part of a key, which is clear enough within a study."""
    return key.rpartition(".")[2]


def format_value(value: Any) -> str:
    """A value of a key: a real number with three digits, a list with spaces between its items."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def format_duration(seconds: float) -> str:
    """A duration: 42 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
