"""What the process of a trial reports to the study: frozen dataclasses, and the dict of each that Ray Tune takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

METRICS = ("validation_auroc", "validation_mcc", "validation_exon_f1", "validation_cds_f1")
"""The figures of an epoch that a study may rank by; an epoch has those of its task."""


@dataclass(frozen=True)
class EpochReport:
    """An epoch is trained, validated and on disk.

    Attributes:
        epoch: from 1.
        validation_auroc: of the trial's best epoch so far; None for structure.
        validation_mcc: of the same epoch.
        is_replay: an earlier process of this trial has reported it; it fills the rungs of ASHA and decides nothing.
        is_last: training ends with this epoch.
        validation_exon_f1: of the trial's best epoch so far; None for recognition.
        validation_cds_f1: of the same epoch.
    """

    epoch: int
    validation_auroc: float | None = None
    validation_mcc: float | None = None
    is_replay: bool = False
    is_last: bool = False
    validation_exon_f1: float | None = None
    validation_cds_f1: float | None = None


@dataclass(frozen=True)
class NotStarted:
    """The process came up after the study's time budget had run out, and has trained nothing."""


@dataclass(frozen=True)
class TrialFailed:
    """An error that would occur again, in this trial alone."""

    reason: str


@dataclass(frozen=True)
class StudyFailed:
    """An error that every trial would meet, such as a full disk."""

    problem: str
    fix: str


@dataclass(frozen=True)
class TimedOut:
    """The trial took longer than it may.

    Attributes:
        epoch: epochs done.
        limit_s: seconds that it may take.
    """

    epoch: int
    limit_s: float


TrialReport = EpochReport | NotStarted | TrialFailed | StudyFailed | TimedOut
Report = Callable[[TrialReport], None]
_TYPES: dict[str, type[TrialReport]] = {
    kind.__name__: kind for kind in (EpochReport, NotStarted, TrialFailed, StudyFailed, TimedOut)
}


def to_result(report: TrialReport) -> dict[str, Any]:
    """The dict that `ray.tune.report` takes.

    Without a metric Ray Tune would end the whole study, so a report that has none carries NaN.
    """
    values = {name: value for name, value in asdict(report).items() if value is not None}
    return {"report": type(report).__name__, **dict.fromkeys(METRICS, math.nan), **values}


def of_result(result: Mapping[str, Any]) -> TrialReport | None:
    """The report in a result of Ray Tune, which adds keys of its own; None if there is none."""
    kind = _TYPES.get(result.get("report", ""))
    if kind is None:
        return None
    values: dict[str, Any] = {field.name: result[field.name] for field in fields(kind)}
    missing: dict[str, Any] = {name: None for name in METRICS if name in values and math.isnan(values[name])}
    return kind(**{**values, **missing})
