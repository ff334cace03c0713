import pytest

from pipelines.gene_models.model import Gene, Transcript
from pipelines.gene_models.remarks import Remark
from pipelines.structure.transcripts import chosen


def _transcript(name: str, coding: int, *remarks: Remark) -> Transcript:
    return Transcript(name, ((0, 90),), ((0, coding),) if coding else (), remarks=frozenset(remarks))


def _gene(*transcripts: Transcript) -> Gene:
    return Gene("g", "I", 0, 90, "+", transcripts)


def test_the_longest_cds_stands_for_a_gene_and_the_first_name_of_equals() -> None:
    gene = _gene(_transcript("c", 30), _transcript("b", 60), _transcript("a", 60), _transcript("long", 0))
    for choice in ("longest", "canonical"):
        assert chosen(gene, choice).transcript_id == "a"  # type: ignore[union-attr]


@pytest.mark.parametrize("tag", ["Ensembl_canonical", "MANE_Select", "RefSeq_Select"])
def test_a_canonical_tag_counts_more_than_length(tag: Remark) -> None:
    gene = _gene(_transcript("long", 60), _transcript("short", 30, tag))
    assert chosen(gene, "canonical").transcript_id == "short"  # type: ignore[union-attr]
    assert chosen(gene, "longest").transcript_id == "long"  # type: ignore[union-attr]


def test_a_degraded_transcript_stands_for_a_gene_only_if_all_are() -> None:
    degraded = _transcript("long", 60, "decay")
    assert chosen(_gene(degraded, _transcript("short", 30)), "longest").transcript_id == "short"  # type: ignore[union-attr]
    assert chosen(_gene(degraded), "longest") == degraded


def test_no_transcript_stands_for_a_gene_without_a_cds() -> None:
    assert chosen(_gene(_transcript("a", 0)), "canonical") is None
