"""A comparison as JSON; the keys are described in `docs/compare.md`."""

from __future__ import annotations

from typing import Any

from pipelines.comparison.levels import LEVELS, Level
from pipelines.comparison.loci import CallSetComparison, Comparison

Json = dict[str, Any]


def of(comparison: Comparison) -> Json:
    """The figures of the first call set, flat, with what belongs to all; and those of every set under `call_sets`."""
    call_sets = [
        _call_set(result, across) for result, across in zip(comparison.call_sets, comparison.called_across, strict=True)
    ]
    return {
        "sequences": dict(comparison.lengths),
        **{key: call_sets[0][key] for key in LEVELS},
        "everything": _level(comparison.everything),
        "regions": [str(region) for region in comparison.regions],
        "annotated_across_borders": comparison.annotated_across,
        "call_sets": call_sets,
    }


def _call_set(result: CallSetComparison, across: int) -> Json:
    figures = result.figures()
    levels = {key: _level(figures[key]) if key in figures else None for key in LEVELS}
    return {"name": result.name, **levels, "called_across_borders": across}


def _level(level: Level) -> Json:
    return {
        "annotated": level.annotated,
        "called": level.called,
        "recovered": level.recovered,
        "correct": level.correct,
        "sensitivity": level.sensitivity,
        "precision": level.precision,
        "f1": level.f1,
    }
