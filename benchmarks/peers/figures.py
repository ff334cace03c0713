"""How the calls of several gene finders agree with an annotation, as numbers to store."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.callers import Case
from pipelines.comparison import bootstrap, levels
from pipelines.comparison.bootstrap import FIGURES, Resampling
from pipelines.comparison.compare import compare
from pipelines.comparison.levels import Level
from pipelines.gene_models import reader
from pipelines.genome.region import Region

BETWEEN = (2.5, 97.5)
LEADER = "raygene-orfs"
F1 = FIGURES.index("f1")
Figures = dict[str, Any]


def compared(case: Case, calls: Mapping[str, Path]) -> dict[str, Figures]:
    """The figures of every call set at every level.

    `f1_interval` holds 95 % of the F1 of resampled loci. `f1_lead` is by how much `LEADER` has a higher F1 than a call
    set, with such an interval of the difference in the same samples.
    """
    lengths = case.sequences.lengths
    regions = [Region("", part.chromosome, part.start, lengths[part.chromosome]) for part in case.genome.test]
    call_sets = {name: reader.read(path, lengths).genes for name, path in calls.items()}
    comparison = compare(reader.read(case.coding_genes, lengths).genes, call_sets, lengths, regions)
    resampled = bootstrap.replicates([own.counts for own in comparison.call_sets], Resampling())[..., F1]
    intervals = middle(resampled, axis=1)
    of_levels = {own.name: levels.of_sums(own.counts.sum(axis=0)) for own in comparison.call_sets}
    leader = next((number for number, own in enumerate(comparison.call_sets) if own.name == LEADER), None)
    figures: dict[str, Figures] = {}
    for number, own in enumerate(comparison.call_sets):
        figures[own.name] = {
            key: as_json(level) | {"f1_interval": rounded(intervals[:, number, index])}
            for index, (key, level) in enumerate(of_levels[own.name].items())
            if key in own.levels
        }
        if leader is None or leader == number:
            continue
        leads = middle(resampled[leader] - resampled[number], axis=0)
        for index, (key, level) in enumerate(of_levels[own.name].items()):
            if key in own.levels & comparison.call_sets[leader].levels:
                lead = of_levels[LEADER][key].f1 - level.f1
                figures[own.name][key]["f1_lead"] = rounded([lead, *leads[:, index]])
    return figures


def middle(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Ends of the middle 95 % along an axis, first; NaN where no sample has a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanpercentile(values, BETWEEN, axis=axis)


def rounded(values: Iterable[float]) -> list[float | None]:
    """Values to store; None for NaN."""
    return [None if math.isnan(value) else round(float(value), 4) for value in values]


def as_json(level: Level) -> Figures:
    """Counts and shares of a level."""
    counts = {name: getattr(level, name) for name in ("annotated", "called", "recovered", "correct")}
    return counts | {name: round(getattr(level, name), 4) for name in FIGURES}
