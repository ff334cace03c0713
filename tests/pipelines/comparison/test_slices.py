from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.comparison import bootstrap, slices
from pipelines.comparison.bootstrap import Resampling
from pipelines.comparison.compare import compare
from pipelines.comparison.levels import INDEX
from pipelines.comparison.slices import BY, LEVELS, Slice
from pipelines.gene_models.model import Gene, Transcript
from tests.hypothesis_profiles import examples
from tests.pipelines.comparison.random_genes import LENGTHS, genes

FEW = Resampling(samples=5)


def gene(name: str, start: int, end: int, *, introns: int = 0, biotype: str | None = None, on: str = "a") -> Gene:
    """A gene with exons of 10 bases and introns of 10 bases, then one exon to its end."""
    exons = tuple((start + 20 * number, start + 20 * number + 10) for number in range(introns))
    transcript = Transcript(f"{name}.t", (*exons, (start + 20 * introns, end)))
    return Gene(name, on, start, end, "+", (transcript,), biotype)


def by_name(parts: list[Slice]) -> dict[str, Slice]:
    return {part.name: part for part in parts}


@examples(25)
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 12))
def test_slices_are_sums_over_the_genes_and_calls_that_have_the_property(seed: int, many: int, called: int) -> None:
    annotated = genes(seed, many)
    comparison = compare(annotated, {"x": genes(seed + 1, called, like=annotated)}, LENGTHS)
    (call_set,) = comparison.call_sets
    ((of_set),) = slices.compute(comparison, FEW)

    def introns(one: Gene) -> str:
        counts = [len(transcript.introns) for transcript in one.transcripts]
        number = max(counts, default=-1)
        return slices.UNKNOWN if number < 0 else str(number) if number < 3 else "3–4"

    for by, names in (("introns", introns), ("chromosome", lambda one: one.chromosome)):
        for part in of_set[by]:
            own = [number for number, one in enumerate(comparison.genes) if names(one) == part.name]
            calls = [number for number, one in enumerate(call_set.calls) if names(one) == part.name]
            assert (part.genes, part.calls) == (len(own), len(calls))
            for level, estimates in part.estimates.items():
                annotated_items = call_set.annotated_items[own, INDEX[level]].sum(axis=0)
                called_items = call_set.called_items[calls, INDEX[level]].sum(axis=0)
                if by == "chromosome":
                    there = np.array([name == part.name for name in comparison.loci.chromosomes])
                    counts = call_set.counts[there, INDEX[level]].sum(axis=0)
                else:
                    counts = [annotated_items[0], called_items[0], annotated_items[1], called_items[1]]
                expected = [None if np.isnan(one) else one for one in bootstrap.figures(counts).tolist()]
                assert [estimates[name].value for name in bootstrap.FIGURES] == pytest.approx(expected)


def test_lengths_and_introns_are_in_ranges() -> None:
    annotated = [gene("short", 0, 299), gene("long", 300, 900, introns=4), gene("only", 1000, 1300, introns=4)]
    (of_set,) = slices.compute(compare(annotated, {"x": annotated[:2]}, {"a": 2000}), FEW)
    assert {part.name: (part.genes, part.calls) for part in of_set["length"]} == {"1–299": (1, 1), "300–999": (2, 1)}
    assert {part.name: (part.genes, part.calls) for part in of_set["introns"]} == {"0": (1, 1), "3–4": (2, 1)}
    assert by_name(of_set["introns"])["3–4"].estimates["exon"]["sensitivity"].value == 0.5


def test_a_gene_without_a_transcript_says_nothing_of_introns() -> None:
    bare = Gene("bare", "a", 0, 50, "+")
    (of_set,) = slices.compute(compare([bare, gene("whole", 100, 200)], {"x": [bare]}, {"a": 2000}), FEW)
    assert [(part.name, part.genes) for part in of_set["introns"]] == [("0", 1), (slices.UNKNOWN, 1)]


def test_biotypes_have_a_sensitivity_only_and_the_most_frequent_first() -> None:
    annotated = [gene(str(number), 100 * number, 100 * number + 50, biotype="coding") for number in range(3)]
    annotated += [gene("r", 400, 450, biotype="rRNA"), gene("none", 500, 550)]
    (of_set,) = slices.compute(compare(annotated, {"x": annotated[:2]}, {"a": 2000}), FEW)
    assert [(part.name, part.genes, part.calls) for part in of_set["biotype"]] == [
        ("coding", 3, None),
        (slices.UNKNOWN, 1, None),
        ("rRNA", 1, None),
    ]
    figures = of_set["biotype"][0].estimates["gene"]
    assert list(figures) == ["sensitivity"]
    assert figures["sensitivity"].value == pytest.approx(2 / 3)


def test_the_smallest_of_many_sequences_are_one_slice_and_none_is_lost() -> None:
    lengths = {f"s{number}": 1000 for number in range(80)}
    annotated = [gene(f"{name}-{at}", 100 * at, 100 * at + 50, on=name) for name in lengths for at in range(2)]
    annotated += [gene(f"big{at}", 100 * at, 100 * at + 50, on="s79") for at in range(3, 9)]
    (of_set,) = slices.compute(compare(annotated, {"x": annotated}, lengths), FEW)
    parts = of_set["chromosome"]
    assert len(parts) == slices.MAX_SLICES
    assert parts[-1].name == "31 others"
    assert sum(part.genes for part in parts) == len(annotated)
    assert by_name(parts)["s79"].genes == 8


def test_slices_of_all_genes_have_the_interval_of_all_genes() -> None:
    annotated = [gene(str(number), 100 * number, 100 * number + 50) for number in range(30)]
    comparison = compare(annotated, {"x": annotated[::2]}, {"a": 4000})
    resampling = Resampling(samples=50)
    (of_set,) = slices.compute(comparison, resampling)
    counts = [comparison.call_sets[0].counts]
    ((*levels,),) = bootstrap.estimates(counts, bootstrap.replicates(counts, resampling))
    for by in ("chromosome", "length", "introns"):
        (part,) = of_set[by]
        assert part.estimates
        for level in set(LEVELS) & set(part.estimates):
            assert part.estimates[level] == levels[INDEX[level]]


def test_without_genes_and_calls_there_are_no_slices() -> None:
    assert slices.compute(compare([], {"x": []}, {"a": 2000}), FEW) == [{by: [] for by in BY}]
