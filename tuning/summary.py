"""What a campaign came to: its trials as a table, the best configuration, and score and gap by model size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipelines import fingerprint
from pipelines.report import MISSING
from training.memory.capacity import shown
from tuning import keys, lines
from tuning.trial import ENDED, State, Trial

CONFIDENCE = 0.95
# Of two values Student's t says next to nothing: an interval thirteen times as wide as their distance.
LEAST_VALUES = 3
JUDGED: tuple[State, ...] = ("finished", "stopped early")
EMBEDDING, HIDDEN = "model.embedding", "model.hidden"


@dataclass(frozen=True)
class Mean:
    """A mean with the half-width of its 95 % interval by Student's t; None of fewer than `LEAST_VALUES` values."""

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
    if count >= LEAST_VALUES:
        half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return Mean(float(np.mean(values)), half, count)


def configurations(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials that differ in their seed alone, together."""
    found: dict[int, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.configuration, []).append(trial)
    return list(found.values())


def figures(trials: Sequence[Trial], metric: str) -> list[tuple[Trial, float]]:
    """Trials with a figure that counts: finished or stopped early. One that failed or no longer fits may have epochs too."""
    return [(one, value) for one in trials if one.state in JUDGED and (value := one.value(metric)) is not None]


def scored(trials: Sequence[Trial], metric: str, seeds: int = 1) -> list[tuple[list[Trial], float]]:
    """Configurations all of whose trials have ended, with their mean figure, best first and the earliest of equals.

    Args:
        trials: of the campaign.
        metric: auroc or mcc.
        seeds: trials of each configuration; one with fewer rows is still to be completed, and is left out.
    """
    found = []
    for rows in configurations(trials):
        values = [value for _, value in figures(rows, metric)]
        if values and len(rows) >= seeds and all(row.over for row in rows):
            found.append((rows, float(np.mean(values))))
    return sorted(found, key=lambda one: (-one[1], one[0][0].configuration))


def best(trials: Sequence[Trial], metric: str, seeds: int = 1) -> Trial | None:
    """The best trial of the configuration that is best over its seeds; None where none has a figure."""
    ranked = scored(trials, metric, seeds)
    return ranking(ranked[0][0], metric)[0] if ranked else None


def ranking(trials: Sequence[Trial], metric: str, seeds: int = 1) -> list[Trial]:
    """Every trial: configurations by their mean, those still to be completed after them, those without a figure last.

    Within a configuration its best trial comes first, so that the first of all is `best`, if there is one.
    """
    place = {rows[0].configuration: number for number, (rows, _) in enumerate(scored(trials, metric, seeds))}
    value = {one.number: found for one, found in figures(trials, metric)}
    tops = {
        rows[0].configuration: max((value.get(row.number, -math.inf) for row in rows), default=-math.inf)
        for rows in configurations(trials)
    }

    def order(one: Trial) -> tuple[float, ...]:
        last = len(place)
        group = place.get(one.configuration, last)
        return group, -tops[one.configuration], one.configuration, -value.get(one.number, -math.inf), one.number

    return sorted(trials, key=order)


def searched(trials: Sequence[Trial]) -> list[str]:
    """The keys that any trial has a value of, in the order in which they appear."""
    return list(dict.fromkeys(key for trial in trials for key in trial.parameters))


def header(trials: Sequence[Trial], metric: str, *, weights: bool = True) -> tuple[str, ...]:
    """Of `rows`."""
    names = [key.rpartition(".")[2].replace("_", " ") for key in searched(trials)]
    seed = ("seed",) if _several_seeds(trials) else ()
    count = ("weights",) if weights and _weighed(trials) else ()
    figure = figure_name(metric)
    return ("trial", "state", *names, *seed, figure, "gap", *count, "epochs", "seconds", "foretold", "measured")


def rows(trials: Sequence[Trial], metric: str, seeds: int = 1, *, weights: bool = True) -> list[tuple[object, ...]]:
    """Every trial under `header`, in the order of `ranking`.

    Args:
        trials: of the campaign.
        metric: auroc or mcc.
        seeds: trials of each configuration.
        weights: whether the number of weights has a column, where it is known.
    """
    names, several, weighed = searched(trials), _several_seeds(trials), weights and _weighed(trials)
    return [
        (
            one.number,
            one.state,
            *(_setting(one.parameters[key]) if key in one.parameters else MISSING for key in names),
            *((one.seed,) if several else ()),
            _four(one.value(metric)),
            _four(one.gap(metric), signed=True),
            *((MISSING if one.weights is None else one.weights,) if weighed else ()),
            one.epochs or MISSING,
            round(one.seconds) if one.epochs else MISSING,
            _size(one.memory_predicted),
            _size(one.memory_measured),
        )
        for one in ranking(trials, metric, seeds)
    ]


def _several_seeds(trials: Sequence[Trial]) -> bool:
    return len({trial.seed for trial in trials}) > 1


def _weighed(trials: Sequence[Trial]) -> bool:
    return any(trial.weights is not None for trial in trials)


def figure_name(metric: str) -> str:
    """A metric for people."""
    return "AUROC" if metric == "auroc" else "MCC"


def _setting(value: Any) -> object:
    return value if type(value) is int else lines.number(value)


REASON_HEADER = ("trials", "state", "reason")


def reasons(trials: Sequence[Trial]) -> list[tuple[object, ...]]:
    """Every reason there is under `REASON_HEADER`, with the numbers of the trials that it stands for."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in trials:
        if one.reason:
            found.setdefault((one.state, one.reason), []).append(str(one.number))
    return [(", ".join(numbers), state, reason) for (state, reason), numbers in found.items()]


def _four(value: float | None, *, signed: bool = False) -> str:
    return MISSING if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"


def _size(value: int | None) -> str:
    return MISSING if value is None else shown(value)


def sizes(trials: Sequence[Trial], base: Mapping[str, Any], metric: str) -> list[Size]:
    """Score and gap of every pair of embedding and hidden size that has been trained, over seeds and all other keys."""
    found: dict[tuple[int, int], list[tuple[Trial, float, float]]] = {}
    for trial, value in figures(trials, metric):
        if (gap := trial.gap(metric)) is not None:
            pair = [trial.parameters.get(key, keys.value_of(base, key)) for key in (EMBEDDING, HIDDEN)]
            found.setdefault((int(pair[0]), int(pair[1])), []).append((trial, value, gap))
    return [
        Size(
            embedding,
            hidden,
            mean([value for _, value, _ in some]),
            mean([gap for _, _, gap in some]),
            sum(trial.state == "stopped early" for trial, _, _ in some),
        )
        for (embedding, hidden), some in sorted(found.items())
    ]


def pooling(trials: Sequence[Trial]) -> str:
    """What trials of one size differ in beside their seeds, in a sentence; nothing where they do not."""
    if not (others := [key for key in varied(trials) if key not in (EMBEDDING, HIDDEN)]):
        return ""
    return (
        f"Trials of one size differ in {_listed(map(lines.last, others))} too, and not alike from size to size: a difference "
        "between sizes may be one of those, and ± takes trials for independent draws."
    )


def varied(trials: Sequence[Trial]) -> list[str]:
    """The searched keys of which trials have different values, none among them."""
    values = {key: {fingerprint.of_value(one.parameters.get(key)) for one in trials} for key in searched(trials)}
    return [key for key, seen in values.items() if len(seen) > 1]


def cautions(trials: Sequence[Trial]) -> list[str]:
    """What the figures of a campaign cannot be taken for, each in a clause."""
    if not (found := [key for key in varied(trials) if keys.of_task(key)]):
        return []
    decide = "decides" if len(found) == 1 else "decide"
    return [
        f"{_listed(found)} {decide} which rows validation has, so figures under different values are of different tasks and "
        "the best may only have the easiest; compare within one value, or judge the models on one dataset with raygene "
        "evaluate"
    ]


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


SIZE_HEADER = ("embedding", "hidden", "validation", "train − validation", "trials", "stopped early")


def size_rows(found: Sequence[Size]) -> list[tuple[object, ...]]:
    """The table under `SIZE_HEADER`."""
    return [(one.embedding, one.hidden, str(one.score), str(one.gap), one.score.count, one.stopped) for one in found]


def account(trials: Sequence[Trial]) -> str:
    """How many trials ended how, in a sentence."""
    states = {name: sum(one.state == name for one in trials) for name in (*ENDED, "begun")}
    told = ", ".join(
        f"{count} {'interrupted or under way' if name == 'begun' else name}" for name, count in states.items() if count
    )
    return f"{len(trials)} trial{'s' if len(trials) > 1 else ''}: {told}" if trials else "no trial yet"


def verdict(trials: Sequence[Trial], metric: str, seeds: int = 1) -> str:
    """The best configuration in a sentence."""
    chosen = best(trials, metric, seeds)
    if chosen is None:
        waiting = seeds > 1 and figures(trials, metric)
        return f"No configuration has all of its {seeds} seeds yet." if waiting else "No trial has a validation figure."
    together = scored(trials, metric, seeds)[0][0]
    of = mean([value for _, value in figures(together, metric)])
    told = f"Best: {lines.settings(chosen.parameters)}, with a validation {figure_name(metric)} of {of}"
    told += f" over {of.count} seeds" if of.count > 1 else ""
    gap = chosen.gap(metric)
    told += f", on train {gap:+.4f}" if gap is not None else ""
    if chosen.state == "stopped early":
        told += f"; it was stopped after {chosen.epochs} epochs, and raygene train best.yaml trains it to the end"
    return f"{told}."
