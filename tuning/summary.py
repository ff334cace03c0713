"""What a campaign came to: its trials as a table, the best configuration, and score and gap by model size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipelines.report import MISSING
from training.memory.capacity import shown
from tuning import keys, lines
from tuning.trial import Trial

CONFIDENCE = 0.95
EMBEDDING, HIDDEN = "model.embedding", "model.hidden"


@dataclass(frozen=True)
class Mean:
    """A mean with the half-width of its 95 % interval by Student's t; None where there is one value only."""

    value: float
    half: float | None
    count: int

    def __str__(self) -> str:
        return f"{self.value:.4f}" + (f" ± {self.half:.4f}" if self.half is not None else "")


@dataclass(frozen=True)
class Size:
    """Trials of one size of model."""

    embedding: int
    hidden: int
    score: Mean
    gap: Mean
    stopped: int


def mean(values: Sequence[float]) -> Mean:
    """The mean of values and how sure it is."""
    count = len(values)
    half = None
    if count > 1:
        half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return Mean(float(np.mean(values)), half, count)


def configurations(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials that differ in their seed alone, together."""
    found: dict[int, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.configuration, []).append(trial)
    return list(found.values())


def scored(trials: Sequence[Trial], metric: str, seeds: int = 1) -> list[tuple[list[Trial], float]]:
    """Configurations all of whose trials have ended, with their mean figure, best first and the earliest of equals."""
    found = []
    for rows in configurations(trials):
        values = [value for row in rows if (value := row.value(metric)) is not None]
        if values and len(rows) >= seeds and all(row.over for row in rows):
            found.append((rows, float(np.mean(values))))
    return sorted(found, key=lambda one: (-one[1], one[0][0].configuration))


def best(trials: Sequence[Trial], metric: str, seeds: int = 1) -> Trial | None:
    """The best trial of the configuration that is best over its seeds; None where none has a figure."""
    ranked = scored(trials, metric, seeds)
    if not ranked:
        return None
    return max(
        ranked[0][0],
        key=lambda row: (-math.inf if row.value(metric) is None else row.value(metric) or 0.0, -row.number),
    )


def searched(trials: Sequence[Trial]) -> list[str]:
    """The keys that any trial has a value of, in the order in which they appear."""
    return list(dict.fromkeys(key for trial in trials for key in trial.parameters))


def header(trials: Sequence[Trial], metric: str) -> tuple[str, ...]:
    """Of `rows`."""
    names = [key.rpartition(".")[2].replace("_", " ") for key in searched(trials)]
    figure = "AUROC" if metric == "auroc" else "MCC"
    seed = ("seed",) if _several_seeds(trials) else ()
    return ("trial", *names, *seed, figure, "gap", "foretold", "measured", "epochs", "seconds", "state")


def rows(trials: Sequence[Trial], metric: str) -> list[tuple[object, ...]]:
    """Every trial, the best first, those without a figure last."""
    names, several = searched(trials), _several_seeds(trials)
    order = sorted(trials, key=lambda one: (-(one.value(metric) or -math.inf), one.number))
    return [
        (
            one.number,
            *(lines.number(one.parameters[key]) if key in one.parameters else MISSING for key in names),
            *((one.seed,) if several else ()),
            _four(one.value(metric)),
            _four(one.gap(metric), signed=True),
            _size(one.memory_predicted),
            _size(one.memory_measured),
            one.epochs or MISSING,
            round(one.seconds) if one.epochs else MISSING,
            one.state,
        )
        for one in order
    ]


def _several_seeds(trials: Sequence[Trial]) -> bool:
    return len({trial.seed for trial in trials}) > 1


def reasons(trials: Sequence[Trial]) -> list[tuple[object, ...]]:
    """Number, state and reason of every trial that has one."""
    return [(one.number, one.state, one.reason) for one in trials if one.reason]


def _four(value: float | None, *, signed: bool = False) -> str:
    return MISSING if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"


def _size(value: int | None) -> str:
    return MISSING if value is None else shown(value)


def sizes(trials: Sequence[Trial], base: Mapping[str, Any], metric: str) -> list[Size]:
    """Score and gap of every pair of embedding and hidden size that has been trained, over seeds and all other keys."""
    found: dict[tuple[int, int], list[Trial]] = {}
    for trial in trials:
        if trial.gap(metric) is not None:
            pair = [trial.parameters.get(key, keys.value_of(base, key)) for key in (EMBEDDING, HIDDEN)]
            found.setdefault((int(pair[0]), int(pair[1])), []).append(trial)
    return [
        Size(
            embedding,
            hidden,
            mean([one.value(metric) or 0.0 for one in some]),
            mean([one.gap(metric) or 0.0 for one in some]),
            sum(one.state == "stopped early" for one in some),
        )
        for (embedding, hidden), some in sorted(found.items())
    ]


SIZE_HEADER = ("embedding", "hidden", "trials", "stopped early", "validation", "train − validation")


def size_rows(found: Sequence[Size]) -> list[tuple[object, ...]]:
    """The table under `SIZE_HEADER`."""
    return [(one.embedding, one.hidden, one.score.count, one.stopped, str(one.score), str(one.gap)) for one in found]


def account(trials: Sequence[Trial]) -> str:
    """How many trials ended how, in a sentence."""
    states = {
        name: sum(one.state == name for one in trials)
        for name in ("finished", "stopped early", "infeasible", "failed", "begun")
    }
    told = ", ".join(
        f"{count} {'interrupted or under way' if name == 'begun' else name}" for name, count in states.items() if count
    )
    return f"{len(trials)} trials: {told}" if trials else "no trial yet"


def verdict(trials: Sequence[Trial], metric: str) -> str:
    """The best configuration in a sentence."""
    chosen = best(trials, metric)
    if chosen is None:
        return "No trial has a validation figure."
    together = next(rows for rows, _ in scored(trials, metric) if chosen in rows)
    name = "AUROC" if metric == "auroc" else "MCC"
    of = mean([one.value(metric) or 0.0 for one in together if one.value(metric) is not None])
    told = f"Best: {lines.settings(chosen.parameters)}, with a validation {name} of {of}"
    told += f" over {of.count} seeds" if of.count > 1 else ""
    gap = chosen.gap(metric)
    told += f", on train {gap:+.4f}" if gap is not None else ""
    if chosen.state == "stopped early":
        told += f"; it was stopped after {chosen.epochs} epochs, and raygene train best.yaml trains it to the end"
    return f"{told}."
