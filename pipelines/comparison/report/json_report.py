"""A comparison as JSON; the keys are described in `docs/compare.md`."""

from __future__ import annotations

from typing import Any

from pipelines import metrics
from pipelines.comparison import slices
from pipelines.comparison.analysis import Analysis, Estimates
from pipelines.comparison.bootstrap import FIGURES, Estimate
from pipelines.comparison.levels import LEVELS, Level
from pipelines.comparison.masking import Share
from pipelines.comparison.slices import Slice

Json = dict[str, Any]


def to_json(analysis: Analysis) -> Json:
    """The first call set's figures, flat, with what belongs to all; and those of every call set under `call_sets`."""
    call_sets = [_call_set(analysis, number) for number in range(len(analysis.names))]
    comparison = analysis.comparison
    return {
        "sequences": dict(comparison.lengths),
        **{key: value for key, value in call_sets[0].items() if key != "name"},
        "everything": _level(comparison.everything),
        "regions": [str(region) for region in comparison.regions],
        "loci": len(comparison.loci),
        "annotated_across_borders": comparison.annotated_across,
        "bootstrap": {
            "samples": analysis.resampling.samples,
            "seed": analysis.resampling.seed,
            "unit": "locus",
            "level": metrics.CONFIDENCE,
        },
        "differences": [
            {
                "first": analysis.names[pair.first],
                "second": analysis.names[pair.second],
                **{level: _differences(pair.estimates, level) for level in LEVELS},
            }
            for pair in analysis.differences
        ],
        "call_sets": call_sets,
    }


def _call_set(analysis: Analysis, number: int) -> Json:
    comparison, false_genes = analysis.comparison, analysis.false_genes[number]
    call_set, estimates = comparison.call_sets[number], analysis.estimates[number]
    levels = call_set.figures()
    masked, other = (None if share is None else _share(share) for share in (false_genes.soft_masked, false_genes.other))
    return {
        "name": call_set.name,
        **{key: _level(levels[key]) | _intervals(estimates, key) if key in levels else None for key in LEVELS},
        **{kind: len(found) for kind, found in analysis.findings[number].items()},
        "false_genes": _share(false_genes.total) | {"soft_masked": masked, "other": other},
        **{f"by_{by}": [_slice(part) for part in analysis.slices[number][by]] for by in slices.BY},
        "called_across_borders": comparison.called_across[number],
        "called_of_genes_across_borders": comparison.called_of_genes_across[number],
    }


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


def _intervals(estimates: Estimates, level: str) -> Json:
    return {f"{figure}_interval": _interval(estimates[level][figure]) for figure in FIGURES}


def _differences(estimates: Estimates, level: str) -> Json | None:
    if level not in estimates:
        return None
    return {figure: {"value": one.value, "interval": _interval(one)} for figure, one in estimates[level].items()}


def _slice(part: Slice) -> Json:
    levels: Json = dict.fromkeys(slices.LEVELS)
    levels |= {
        level: {
            key: value
            for figure, estimate in of_level.items()
            for key, value in ((figure, estimate.value), (f"{figure}_interval", _interval(estimate)))
        }
        for level, of_level in part.estimates.items()
    }
    return {"name": part.name, "genes": part.genes, "calls": part.calls, **levels}


def _share(share: Share) -> Json:
    return {"bases": share.bases, "number": share.false_genes, "per_megabase": share.per_megabase}


def _interval(estimate: Estimate) -> list[float] | None:
    return None if estimate.interval is None else list(estimate.interval)
