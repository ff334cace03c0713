from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.comparison import lists
from pipelines.comparison.compare import compare
from pipelines.comparison.loci import span
from pipelines.gene_models.model import Gene, Spans, Transcript
from tests.hypothesis_profiles import examples
from tests.pipelines.comparison.random_genes import LENGTHS, genes


def gene(name: str, *exons: tuple[int, int], strand: str = "+", score: float | None = None) -> Gene:
    return Gene(name, "a", exons[0][0], exons[-1][1], strand, (Transcript(f"{name}.t", exons),), score=score)


def found(annotated: list[Gene], calls: list[Gene]) -> dict[str, list[tuple[str, ...]]]:
    """Ids of what is found by kind, without kinds of which there is none."""
    (findings,) = lists.find(compare(annotated, {"x": calls}, {"a": 10_000}))
    return {
        kind: [(one.gene.gene_id, *(other.gene_id for other in one.others)) for one in ones]
        for kind, ones in findings.items()
        if ones
    }


def test_a_call_that_covers_two_genes_fuses_them() -> None:
    annotated = [gene("g1", (100, 200)), gene("g2", (300, 400)), gene("g3", (500, 600), strand="-")]
    assert found(annotated, [gene("c", (120, 210), (290, 700))]) == {"fused": [("c", "g1", "g2")], "missed": [("g3",)]}


def test_a_call_that_reaches_into_the_next_gene_fuses_nothing() -> None:
    assert found([gene("g1", (100, 200)), gene("g2", (300, 400))], [gene("c", (100, 349))]) == {}


def test_a_gene_with_another_in_its_intron_is_not_fused_with_it() -> None:
    host = gene("host", (100, 200), (800, 900))
    nested = [gene("n1", (300, 350)), gene("n2", (500, 550))]
    assert found([host, *nested], [gene("c", *host.transcripts[0].exons)]) == {}


def test_a_gene_that_covers_two_calls_is_split() -> None:
    assert found([gene("g", (100, 500))], [gene("c1", (100, 250)), gene("c2", (300, 500))]) == {
        "split": [("g", "c1", "c2")]
    }


def test_isoforms_that_are_calls_of_their_own_split_nothing() -> None:
    calls = [gene("c1", (100, 490)), gene("c2", (110, 500))]
    assert found([gene("g", (100, 500))], calls) == {}


def test_calls_on_the_other_strand_are_no_inventions_and_find_nothing() -> None:
    assert found([gene("g", (100, 200))], [gene("c", (150, 250), strand="-")]) == {
        "missed": [("g",)],
        "wrong_strand": [("c",)],
    }


def test_a_call_in_an_intron_is_no_invention_and_one_next_to_a_gene_is() -> None:
    annotated = [gene("g", (100, 200), (400, 500))]
    assert found(annotated, [gene("next", (500, 600))]) == {"missed": [("g",)], "invented": [("next",)]}
    assert found(annotated, [gene("within", (250, 300), strand="-")])["wrong_strand"] == [("within",)]


@examples(60)
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 12))
def test_every_gene_and_call_is_listed_as_a_plain_loop_over_pairs_would(seed: int, many: int, called: int) -> None:
    annotated = genes(seed, many)
    comparison = compare(annotated, {"x": genes(seed + 1, called, like=annotated)}, LENGTHS)
    calls = comparison.call_sets[0].calls
    (findings,) = lists.find(comparison)

    def share(one: Gene, other: Gene, *, stranded: bool) -> bool:
        same = not stranded or one.strand == other.strand or "." in (one.strand, other.strand)
        (start, end), (other_start, other_end) = (
            ((one.start, one.end), (other.start, other.end)) if stranded else (span(one), span(other))
        )
        return same and one.chromosome == other.chromosome and min(end, other_end) > max(start, other_start)

    def matches(one: Gene, others: tuple[Gene, ...], *, stranded: bool) -> bool:
        return any(share(one, other, stranded=stranded) for other in others)

    missed = [one for one in comparison.genes if not matches(one, calls, stranded=True)]
    apart = [one for one in calls if not matches(one, comparison.genes, stranded=True)]
    invented = [one for one in apart if not matches(one, comparison.genes, stranded=False)]
    touched = comparison.call_sets[0].figures()["touched"]
    assert len(findings["missed"]) == touched.annotated - touched.recovered
    assert len(findings["wrong_strand"]) + len(findings["invented"]) == touched.called - touched.correct
    assert [one.gene for one in findings["missed"]] == missed
    assert [one.gene for one in findings["invented"]] == invented
    assert [one.gene for one in findings["wrong_strand"]] == [one for one in apart if one not in invented]
    for kind, outer, inner in (("fused", calls, comparison.genes), ("split", comparison.genes, calls)):
        listed = [one.gene for one in findings[kind]]
        for one in outer:
            covered = [other for other in inner if share(one, other, stranded=True) and covers(one, other)]
            apart_pairs = [
                (first, second)
                for first in covered
                for second in covered
                if not first.start < second.end or not second.start < first.end
            ]
            assert (one not in listed) or len(covered) > 1
            outermost = all(2 * (other.end - other.start) < one.end - one.start for other in covered)
            if apart_pairs and outermost and len(covered) == 2:
                assert one in listed


def covers(outer: Gene, inner: Gene) -> bool:
    start, end = span(outer)
    exons: list[Spans] = [transcript.exons for transcript in inner.transcripts] or [((inner.start, inner.end),)]
    bases = {base for spans in exons for low, high in spans for base in range(low, high)}
    return 2 * sum(start <= base < end for base in bases) >= len(bases)


def test_files_are_sorted_bed6_with_ids_and_scores(tmp_path: Path) -> None:
    annotated = [
        Gene("far", "b", 5, 60, "-"),
        gene("g 1", (100, 200)),
        gene("g2", (300, 400)),
        gene("late", (900, 950)),
    ]
    calls = [gene("c", (100, 400), score=0.5), gene("new", (600, 700), strand="-")]
    comparison = compare(annotated, {"x/y": calls}, {"b": 100, "a": 1000})
    paths = lists.write(comparison, lists.find(comparison), tmp_path / "lists")
    assert [path.name for path in paths] == [f"x-y.{kind}.bed" for kind in lists.KINDS]
    texts = {path.name.split(".")[1]: path.read_text() for path in paths}
    assert texts["fused"] == "a\t100\t400\tc:g%201,g2\t500\t+\n"
    assert texts["missed"] == "a\t900\t950\tlate\t0\t+\nb\t5\t60\tfar\t0\t-\n"
    assert texts["invented"] == "a\t600\t700\tnew\t0\t-\n"
    assert texts["split"] == texts["wrong_strand"] == ""


def test_every_call_set_has_files_of_its_own(tmp_path: Path) -> None:
    names = ["a/b", "a-b", "\x1b[31m"]
    paths = lists.output_paths(tmp_path, names)
    assert len(set(paths.values())) == len(names) * len(lists.KINDS)
    assert paths["a-b", "fused"].name == "2-a-b.fused.bed"
    assert all(path.parent == tmp_path and path.name.isprintable() for path in paths.values())


@pytest.mark.parametrize("count", [1, 2, 60])
def test_every_finding_has_all_genes_within_its_ends(count: int) -> None:
    annotated = [gene(f"g{number}", (100 * number, 100 * number + 50)) for number in range(count)]
    (findings,) = lists.find(compare(annotated, {"x": [gene("c", (0, 100 * count))]}, {"a": 10_000}))
    # One gene is fused with no other.
    assert len(findings["fused"]) == (count > 1)
    for finding in findings["fused"]:
        assert len(finding.others) == count
        assert (finding.start, finding.end) == (0, 100 * count)
