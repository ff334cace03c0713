from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.genome import gene_columns, intervals
from pipelines.genome.features import Feature
from pipelines.genome.gene_columns import GeneColumns


def make_genes(chromosome: str, count: int, *, has_rows: bool) -> list[Feature]:
    return [
        Feature(
            chromosome,
            number,
            number + 10,
            "+-"[number % 2],
            f"g{number}",
            "coding" if number % 3 else None,
            (number, number + 20) if has_rows and number % 2 else None,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [0, 3, 40])
@pytest.mark.parametrize("has_rows", [True, False])
def test_columns_give_back_the_genes_they_were_made_of(count: int, has_rows: bool) -> None:
    genes = make_genes("chr1", count, has_rows=has_rows)
    columns = GeneColumns(genes)
    assert [*columns] == genes
    assert [gene.row for gene in columns] == [gene.row for gene in genes]
    assert columns[-1:] == genes[-1:]
    assert columns.bounds.tolist() == [[gene.start, gene.end] for gene in genes]
    assert columns.strands.to_pylist() == [gene.strand for gene in genes]
    assert columns.rows.tolist() == [list(gene.row) for gene in genes if gene.row]


@pytest.mark.parametrize("count", [3, 5_000])
def test_a_genome_gives_the_genes_of_each_sequence_from_one_file(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path))
    genes = {name: make_genes(name, count, has_rows=name == "chr2") for name in ("chr1", "chr2", "chr3")}
    before = pa.total_allocated_bytes()
    columns = GeneColumns.of_genome(genes)
    assert pa.total_allocated_bytes() - before <= gene_columns.FEW_BYTES
    for name, expected in genes.items():
        assert [*columns[name]] == expected
        assert columns[name].ids.to_pylist() == [gene.gene_id for gene in expected]
        assert columns[name].rows.tolist() == [list(gene.row) for gene in expected if gene.row]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("count", [0, 3, 5_000])
@pytest.mark.parametrize("has_rows", [True, False])
def test_pickled_columns_are_in_a_file_again(
    count: int, has_rows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path))
    genes = {name: make_genes(name, count, has_rows=has_rows) for name in ("chr1", "chr2")}
    pickled = pickle.dumps(GeneColumns.of_genome(genes))
    before = pa.total_allocated_bytes()
    columns = pickle.loads(pickled)
    assert pa.total_allocated_bytes() - before <= gene_columns.FEW_BYTES
    assert {name: [*own] for name, own in columns.items()} == genes
    assert [gene.row for gene in columns["chr2"]] == [gene.row for gene in genes["chr2"]]


@pytest.mark.parametrize("count", [3, 5_000])
def test_mapped_intervals_are_those_that_were_given(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path))
    named = {name: np.arange(3 * size).reshape(-1, 3) for name, size in (("a", count), ("b", 0), ("c", 2))}
    mapped = gene_columns.mapped(named)
    assert {name: own.tolist() for name, own in mapped.items()} == {name: own.tolist() for name, own in named.items()}
    assert gene_columns.mapped({}) == {}


def test_intervals_of_each_strand_are_merged_where_there_are_many() -> None:
    stranded = np.array([[start, start + 15, start // 10 % 3 - 1] for start in range(0, 300, 10)])
    merged = intervals.merge_each(stranded)
    for strand in (-1, 0, 1):
        of_strand = stranded[stranded[:, 2] == strand, :2]
        assert merged[merged[:, 2] == strand, :2].tolist() == intervals.merge(of_strand).tolist()
    assert intervals.merge_each(stranded[:5]).tolist() == stranded[:5].tolist()
