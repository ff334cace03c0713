"""Configurations and trials in the order of their validation metric: which is best, and what comes after it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuning.trial import State, Trial

# States whose metrics count: a trial that failed, or no longer fits, may have epochs too.
COMPARABLE: tuple[State, ...] = ("finished", "stopped early")
# States of a configuration that is never trained, and so has one row whatever the number of seeds.
REFUSED: tuple[State, ...] = ("infeasible", "repeated")


def by_configuration(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials grouped by configuration: those of a group differ only in their seed."""
    groups: dict[int, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.configuration, []).append(trial)
    return list(groups.values())


def comparable(trials: Sequence[Trial], metric: str) -> list[tuple[Trial, float]]:
    """Trials that finished or were stopped early, with their metric."""
    return [
        (trial, value) for trial in trials if trial.state in COMPARABLE and (value := trial.value(metric)) is not None
    ]


def mean_metric(trials: Sequence[Trial], metric: str) -> float | None:
    """The mean over the trials whose metric counts; None if there is none."""
    values = [value for _, value in comparable(trials, metric)]
    return sum(values) / len(values) if values else None


def is_complete(trials: Sequence[Trial], seeds: int) -> bool:
    """Whether all trials of a configuration have ended.

    Args:
        trials: rows of one configuration; those of later seeds may not exist yet.
        seeds: trials of each configuration.
    """
    return all(trial.has_ended for trial in trials) and (trials[0].state in REFUSED or len(trials) >= seeds)


def configurations_since_best(trials: Sequence[Trial], metric: str, seeds: int) -> int:
    """Complete configurations with a metric that ended after the best one did."""
    complete = [
        (max(trial.ended or 0 for trial in group), mean_metric(group, metric))
        for group in by_configuration(trials)
        if is_complete(group, seeds)
    ]
    best, since = -math.inf, 0
    for _, value in sorted(complete, key=lambda ending: ending[0]):
        if value is not None and value > best:
            best, since = value, 0
        elif value is not None:
            since += 1
    return since


def scored(trials: Sequence[Trial], metric: str, seeds: int = 1) -> list[tuple[list[Trial], float]]:
    """Configurations all of whose trials have ended, with their mean metric: best first, the earliest of equals first.

    Args:
        trials: of the study.
        metric: auroc or mcc.
        seeds: trials of each configuration; a configuration with fewer rows is left out until it is complete.
    """
    scores = []
    for group in by_configuration(trials):
        values = [value for _, value in comparable(group, metric)]
        if values and len(group) >= seeds and all(trial.has_ended for trial in group):
            scores.append((group, float(np.mean(values))))
    return sorted(scores, key=lambda score: (-score[1], score[0][0].configuration))


def best(trials: Sequence[Trial], metric: str, seeds: int = 1) -> Trial | None:
    """The best trial of the configuration with the best mean over its seeds; None where no trial has a metric."""
    scores = scored(trials, metric, seeds)
    return ranked(scores[0][0], metric)[0] if scores else None


def ranked(trials: Sequence[Trial], metric: str, seeds: int = 1) -> list[Trial]:
    """All trials: configurations by their mean, then incomplete ones, and those without a metric last.

    Within a configuration its best trial comes first, so the first of all is `best`, if there is one.
    """
    ranks = {group[0].configuration: rank for rank, (group, _) in enumerate(scored(trials, metric, seeds))}
    values = {trial.number: value for trial, value in comparable(trials, metric)}
    maxima = {
        group[0].configuration: max((values.get(trial.number, -math.inf) for trial in group), default=-math.inf)
        for group in by_configuration(trials)
    }

    def order(trial: Trial) -> tuple[float, ...]:
        rank = ranks.get(trial.configuration, len(ranks))
        value = values.get(trial.number, -math.inf)
        return rank, -maxima[trial.configuration], trial.configuration, -value, trial.number

    return sorted(trials, key=order)
