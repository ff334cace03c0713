"""All that is said of call sets compared with an annotation: figures, intervals, slices, lists and false genes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from pipelines.comparison import bootstrap, lists, masking, slices
from pipelines.comparison.bootstrap import Estimate, Resampling
from pipelines.comparison.levels import LEVELS
from pipelines.comparison.lists import Findings
from pipelines.comparison.loci import Comparison
from pipelines.comparison.masking import FalseGenes
from pipelines.comparison.slices import Slice
from pipelines.genome.fasta import Genome

Estimates = dict[str, dict[str, Estimate]]
"""By key of a level that is defined and key of `bootstrap.FIGURES`."""


@dataclass(frozen=True)
class Difference:
    """The figures of one call set minus those of another, paired.

    Attributes:
        first, second: numbers of the call sets.
        estimates: at the levels that are defined for both.
    """

    first: int
    second: int
    estimates: Estimates


@dataclass(frozen=True)
class Analysis:
    """Call sets compared with an annotation; lists have an entry for each call set, in order.

    Attributes:
        comparison: counts of all loci.
        resampling: how intervals were computed.
        estimates: figures with intervals.
        differences: between every two call sets.
        slices: for each of `slices.BY`.
        findings: what is fused, split, missed and invented.
        false_genes: in soft-masked and other sequence.
    """

    comparison: Comparison
    resampling: Resampling
    estimates: list[Estimates]
    differences: list[Difference]
    slices: list[dict[str, list[Slice]]]
    findings: list[Findings]
    false_genes: list[FalseGenes]

    @property
    def names(self) -> list[str]:
        """The names of the call sets."""
        return [call_set.name for call_set in self.comparison.call_sets]


def analyse(comparison: Comparison, genome: Genome, resampling: Resampling) -> Analysis:
    """Compute all that is said of a comparison.

    Args:
        comparison: of the call sets.
        genome: the sequence, of which the compared regions are read once.
        resampling: how loci are drawn for intervals.

    Raises:
        InputError: the FASTA file is not the one that was opened any more.
    """
    sets = comparison.call_sets
    counts = [call_set.counts for call_set in sets]
    samples = bootstrap.replicates(counts, resampling)
    estimates = [
        {level: of_level for level, of_level in zip(LEVELS, of_set, strict=True) if level in call_set.levels}
        for call_set, of_set in zip(sets, bootstrap.estimates(counts, samples), strict=True)
    ]
    differences = []
    for first, second in itertools.combinations(range(len(sets)), 2):
        levels = bootstrap.differences(counts[first], counts[second], samples[[first, second]])
        defined = sets[first].levels & sets[second].levels
        of_pair = {level: of_level for level, of_level in zip(LEVELS, levels, strict=True) if level in defined}
        differences.append(Difference(first, second, of_pair))
    findings = lists.find(comparison)
    return Analysis(
        comparison=comparison,
        resampling=resampling,
        estimates=estimates,
        differences=differences,
        slices=slices.compute(comparison, resampling),
        findings=findings,
        false_genes=masking.count(comparison, findings, genome),
    )
