from __future__ import annotations

import numpy as np
import pytest

from pipelines.genome import intervals
from pipelines.genome.features import Feature
from pipelines.genome.gene_columns import GeneColumns


@pytest.mark.parametrize("count", [0, 3, intervals.FEW + 5])
@pytest.mark.parametrize("has_rows", [True, False])
def test_columns_give_back_the_genes_they_were_made_of(count: int, has_rows: bool) -> None:
    genes = [
        Feature(
            "chr1",
            number,
            number + 10,
            "+-"[number % 2],
            f"g{number}",
            "coding" if number % 3 else None,
            (number, number + 20) if has_rows and number % 2 else None,
        )
        for number in range(count)
    ]
    columns = GeneColumns(genes)
    assert [*columns] == genes
    assert [gene.row for gene in columns] == [gene.row for gene in genes]
    assert columns[-1:] == genes[-1:]
    assert columns.bounds.tolist() == [[gene.start, gene.end] for gene in genes]
    assert columns.strands == [gene.strand for gene in genes]
    assert columns.rows.tolist() == [list(gene.row) for gene in genes if gene.row]


def test_intervals_of_each_strand_are_merged_where_there_are_many() -> None:
    stranded = np.array([[start, start + 15, start // 10 % 3 - 1] for start in range(0, 300, 10)])
    merged = intervals.merge_each(stranded)
    for strand in (-1, 0, 1):
        of_strand = stranded[stranded[:, 2] == strand, :2]
        assert merged[merged[:, 2] == strand, :2].tolist() == intervals.merge(of_strand).tolist()
    assert intervals.merge_each(stranded[:5]).tolist() == stranded[:5].tolist()
