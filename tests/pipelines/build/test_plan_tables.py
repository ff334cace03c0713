from __future__ import annotations

import pytest

from pipelines.build import plan_tables
from pipelines.config import DatasetConfig, validate
from pipelines.splits.plan import PlannedSplit

YEAST = [
    PlannedSplit("train", "R64", ("I", "V", "VI", "IX"), 4, 1_517_141, 722, is_exact=True),
    PlannedSplit("validation", "R64", ("III",), 1, 316_620, 168, is_exact=True),
    PlannedSplit("test", "R64", ("VIII",), 1, 562_643, 290, is_exact=True),
]


def test_shares_are_of_the_genes_of_a_genome() -> None:
    other = PlannedSplit("train", "other", ("1",), 1, 1_000, 0, is_exact=True)
    table = plan_tables.splits_table([*YEAST, other])
    assert [row[-1] for row in table.rows] == ["61.2%", "14.2%", "24.6%", "0.0%"]
    assert table.rows[0] == ("train", "R64", "I, V, VI, IX", 4, 1_517_141, 722, "61.2%")
    assert table.caption == "Split"


def test_labelled_sequences_have_no_share_of_genes() -> None:
    table = plan_tables.splits_table(YEAST, has_genes=False)
    assert table.header == ("split", "genome", "chromosomes, regions", "sequences", "bases")
    assert {len(row) for row in table.rows} == {5}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "drawn one by one"),
        (7, "1, 2, 3, 4, 5, 6, 7"),
        (8, "1, 2, 3, 4, 5, 6 and 2 more"),
        (1_006, "1, 2, 3, 4, 5, 6 and 1,000 more"),
    ],
)
def test_six_places_are_named_and_of_more_their_number(count: int, text: str) -> None:
    places = tuple(str(number) for number in range(1, count + 1))
    one = PlannedSplit("train", "g", places, count, 10, 1, is_exact=False)
    table = plan_tables.splits_table([one])
    assert table.rows[0][2] == text
    assert table.caption.endswith("about: shares are filled once negatives are placed")


def test_splits_that_hold_nothing_are_named_in_their_order() -> None:
    assert plan_tables.absent_splits(YEAST) == []
    assert plan_tables.absent_splits(YEAST[:1]) == ["validation", "test"]


def test_keys_that_nobody_set_are_a_table() -> None:
    source = {"genome": "g", "fasta": "g.fa", "annotation": "g.gff3"}
    table = plan_tables.defaults_table(validate(DatasetConfig, {"sources": [source]}, "test"))
    assert table.header == ("key", "value")
    assert ("crop.length", "whole genes") in table.rows
