from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.comparison import lists, masking
from pipelines.comparison.compare import compare
from pipelines.comparison.masking import FalseGenes, Share
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome import fasta
from pipelines.genome.region import Region
from pipelines.progress import Silent


def call(name: str, *exons: tuple[int, int], cds: tuple[tuple[int, int], ...] = ()) -> Gene:
    return Gene(name, "a", exons[0][0], exons[-1][1], "+", (Transcript(f"{name}.t", exons, cds),))


def count(
    folder: Path, letters: str, calls: list[Gene], genes: list[Gene] | None = None, regions: list[Region] | None = None
) -> FalseGenes:
    path = folder / "genome.fa"
    path.write_text(f">a\n{letters}\n")
    comparison = compare(genes or [], {"x": calls}, {"a": len(letters)}, regions)
    genome = fasta.open_genome("genome", path, Silent())
    (of_set,) = masking.count(comparison, lists.find(comparison), genome)
    return of_set


def test_a_false_gene_belongs_to_where_most_of_its_exon_bases_lie(tmp_path: Path) -> None:
    letters = "ACGT" * 10 + "acgt" * 10 + "NNnn" + "ACGT" * 10
    masked = [call("inside", (45, 55)), call("spliced", (0, 4), (41, 46)), call("coding", (0, 50), cds=((41, 50),))]
    other = [call("half", (35, 45)), call("outside", (84, 100))]
    of_set = count(tmp_path, letters, [*masked, *other])
    assert of_set.soft_masked == Share(40, 3)
    assert of_set.other == Share(80, 2)
    assert of_set.total == Share(120, 5)
    assert of_set.soft_masked.per_megabase == pytest.approx(75_000)


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = "ACGTacgtNn" * 12
    calls = [call(str(start), (start, start + 7), (start + 9, start + 14)) for start in range(0, 100, 3)]
    expected = count(tmp_path, letters, calls)
    monkeypatch.setattr(masking, "CHUNK", 5)
    assert count(tmp_path, letters, calls) == expected


def test_calls_that_touch_a_gene_on_either_strand_are_not_false(tmp_path: Path) -> None:
    gene = Gene("g", "a", 30, 50, "-")
    of_set = count(
        tmp_path, "ACGTACGTAC" * 5 + "acgtacgtac" * 5, [call("touches", (49, 60)), call("not", (50, 60))], [gene]
    )
    assert of_set.total.false_genes == 1
    assert of_set.soft_masked == Share(50, 1)


@pytest.mark.parametrize("letters", ["ACGT" * 20, "acgt" * 20])
def test_letters_of_one_case_are_no_soft_masking(tmp_path: Path, letters: str) -> None:
    of_set = count(tmp_path, letters, [call("c", (0, 30))])
    assert of_set == FalseGenes(Share(80, 1), None, None)


def test_only_the_compared_regions_count(tmp_path: Path) -> None:
    region = Region("", "a", 30, 60)
    of_set = count(tmp_path, "A" * 40 + "a" * 60, [call("c", (45, 55)), call("away", (70, 80))], regions=[region])
    assert of_set.soft_masked == Share(20, 1)
    assert of_set.other == Share(10, 0)
