"""The results of a study in tables and sentences: its trials, the best configuration, and metrics by model size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipelines import fingerprint
from pipelines.display import counted, format_size
from pipelines.report import MISSING
from tuning import keys, lines, ranking
from tuning.trial import ENDED, TIME_LIMIT, Trial

CONFIDENCE = 0.95
# The interval of two values by Student's t is thirteen times as wide as their distance, and says nothing.
MIN_VALUES = 3
EMBEDDING, HIDDEN = "model.embedding", "model.hidden"
REASON_HEADER = ("trials", "state", "reason")
SIZE_HEADER = ("embedding", "hidden", "validation", "train − validation", "trials", "stopped early")


@dataclass(frozen=True)
class Mean:
    """A mean with half the width of its 95 % interval by Student's t, which is None below `MIN_VALUES` values."""

    value: float
    half_width: float | None
    count: int

    def __str__(self) -> str:
        return f"{self.value:.4f}" + (f" ± {self.half_width:.4f}" if self.half_width is not None else "")


@dataclass(frozen=True)
class Size:
    """Metrics of the trials of one model size.

    Attributes:
        embedding: size of a token's vector.
        hidden: size of the hidden state.
        score: validation metric.
        gap: metric on train less that on validation.
        stopped: number of trials that were stopped early.
    """

    embedding: int
    hidden: int
    score: Mean
    gap: Mean
    stopped: int


def mean(values: Sequence[float]) -> Mean:
    """The mean of values, with its interval."""
    count = len(values)
    half_width = None
    if count >= MIN_VALUES:
        half_width = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return Mean(float(np.mean(values)), half_width, count)


def searched_keys(trials: Sequence[Trial]) -> list[str]:
    """The keys of which any trial has a value, in the order in which they first appear."""
    return list(dict.fromkeys(key for trial in trials for key in trial.parameters))


def varied_keys(trials: Sequence[Trial]) -> list[str]:
    """The searched keys whose values differ between trials; having no value is a value."""
    values = {
        key: {fingerprint.of_value(trial.parameters.get(key)) for trial in trials} for key in searched_keys(trials)
    }
    return [key for key, distinct in values.items() if len(distinct) > 1]


def header(trials: Sequence[Trial], metric: str, *, weights: bool = True) -> tuple[str, ...]:
    """The column names of `rows`."""
    names = [lines.short_name(key).replace("_", " ") for key in searched_keys(trials)]
    seed = ("seed",) if _has_several_seeds(trials) else ()
    count = ("weights",) if weights and _has_weights(trials) else ()
    metric = lines.metric_name(metric)
    return ("trial", "state", *names, *seed, metric, "gap", *count, "epochs", "seconds", "predicted", "measured")


def rows(trials: Sequence[Trial], metric: str, seeds: int = 1, *, weights: bool = True) -> list[tuple[object, ...]]:
    """All trials as rows under `header`, in the order of `ranking.ranked`.

    Args:
        trials: of the study.
        metric: of the task, such as auroc or exon_f1.
        seeds: trials of each configuration.
        weights: whether the number of weights has a column, where it is known.
    """
    names, with_seed = searched_keys(trials), _has_several_seeds(trials)
    with_weights = weights and _has_weights(trials)
    return [
        (
            trial.number,
            trial.state,
            *(_cell(trial.parameters[key]) if key in trial.parameters else MISSING for key in names),
            *((trial.seed,) if with_seed else ()),
            _four_digits(trial.value(metric)),
            _four_digits(trial.gap(metric), signed=True),
            *((MISSING if trial.weights is None else trial.weights,) if with_weights else ()),
            trial.epochs or MISSING,
            round(trial.seconds) if trial.epochs else MISSING,
            _bytes(trial.memory_predicted),
            _bytes(trial.memory_measured),
        )
        for trial in ranking.ranked(trials, metric, seeds)
    ]


def _has_several_seeds(trials: Sequence[Trial]) -> bool:
    return len({trial.seed for trial in trials}) > 1


def _has_weights(trials: Sequence[Trial]) -> bool:
    return any(trial.weights is not None for trial in trials)


def _cell(value: Any) -> object:
    # Tables align numbers, and group the digits of whole ones.
    return value if type(value) is int else lines.format_value(value)


def _four_digits(value: float | None, *, signed: bool = False) -> str:
    return MISSING if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"


def _bytes(value: int | None) -> str:
    return MISSING if value is None else format_size(value)


def reason_rows(trials: Sequence[Trial]) -> list[tuple[object, ...]]:
    """Each distinct reason as a row under `REASON_HEADER`, with the numbers of its trials."""
    numbers: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        if trial.reason:
            numbers.setdefault((trial.state, trial.reason), []).append(str(trial.number))
    return [(", ".join(of_reason), state, reason) for (state, reason), of_reason in numbers.items()]


def sizes(trials: Sequence[Trial], base: Mapping[str, Any], metric: str) -> list[Size]:
    """Metrics of every pair of embedding and hidden size that was trained, over seeds and all other keys.

    Args:
        trials: of the study.
        base: sections of the experiment, for a size that is not searched.
        metric: of the task, such as auroc or exon_f1.
    """
    groups: dict[tuple[int, int], list[tuple[Trial, float, float]]] = {}
    for trial, value in ranking.comparable(trials, metric):
        if (gap := trial.gap(metric)) is not None:
            pair = [trial.parameters.get(key, keys.value_of(base, key)) for key in (EMBEDDING, HIDDEN)]
            groups.setdefault((int(pair[0]), int(pair[1])), []).append((trial, value, gap))
    return [
        Size(
            embedding,
            hidden,
            mean([value for _, value, _ in group]),
            mean([gap for _, _, gap in group]),
            sum(trial.state == "stopped early" for trial, _, _ in group),
        )
        for (embedding, hidden), group in sorted(groups.items())
    ]


def size_rows(sizes: Sequence[Size]) -> list[tuple[object, ...]]:
    """Sizes as rows under `SIZE_HEADER`."""
    return [
        (size.embedding, size.hidden, str(size.score), str(size.gap), size.score.count, size.stopped) for size in sizes
    ]


def pooling_note(trials: Sequence[Trial]) -> str:
    """A sentence that names what trials of one size differ in besides their seeds; empty if there is nothing."""
    if not (others := [key for key in varied_keys(trials) if key not in (EMBEDDING, HIDDEN)]):
        return ""
    return (
        f"Trials of one size also differ in {_joined(map(lines.short_name, others))}, and not in the same way for each "
        "size: a difference between sizes may come from those, and ± treats trials as independent draws."
    )


def cautions(trials: Sequence[Trial]) -> list[str]:
    """Clauses that say how the metrics of a study must not be read; empty if there is nothing to warn of."""
    if not (varied := [key for key in varied_keys(trials) if keys.decides_task(key)]):
        return []
    decide = "decides" if len(varied) == 1 else "decide"
    return [
        f"{_joined(varied)} {decide} which rows validation has, so metrics under different values are of different "
        "tasks, and the best configuration may only have the easiest one; compare within one value, or evaluate the "
        "models on one dataset with raygene evaluate"
    ]


def _joined(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def count_by_state(trials: Sequence[Trial]) -> str:
    """How many trials ended in which state, in a clause."""
    counts = {state: sum(trial.state == state for trial in trials) for state in (*ENDED, "begun")}
    text = ", ".join(
        f"{count} {'interrupted or running' if state == 'begun' else state}" for state, count in counts.items() if count
    )
    if timed_out := sum(trial.reason.startswith(TIME_LIMIT) for trial in trials):
        text += f"; {timed_out} of them took longer than {TIME_LIMIT}"
    return f"{counted(len(trials), 'trial')}: {text}" if trials else "no trial yet"


def conclusion(trials: Sequence[Trial], metric: str, seeds: int = 1) -> str:
    """The best configuration in a sentence."""
    chosen = ranking.best(trials, metric, seeds)
    if chosen is None:
        incomplete = seeds > 1 and ranking.comparable(trials, metric)
        return (
            f"No configuration has all of its {seeds} seeds yet." if incomplete else "No trial has a validation metric."
        )
    group = ranking.scored(trials, metric, seeds)[0][0]
    score = mean([value for _, value in ranking.comparable(group, metric)])
    text = (
        f"Best: {lines.format_parameters(chosen.parameters)}, with a validation {lines.metric_name(metric)} of {score}"
    )
    text += f" over {score.count} seeds" if score.count > 1 else ""
    gap = chosen.gap(metric)
    text += f", on train {gap:+.4f}" if gap is not None else ""
    if chosen.state == "stopped early":
        epochs = counted(chosen.epochs, "epoch")
        text += f"; it was stopped after {epochs}, and raygene train best.yaml trains it to the end"
    return f"{text}."
