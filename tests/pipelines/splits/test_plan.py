from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome.intervals import Intervals
from pipelines.splits import assign, plan, stretches
from pipelines.splits.plan import PlannedSplit

LENGTHS = {"a": {"I": 1_000, "II": 500, "III": 400}}


def genes(*starts: int) -> Intervals:
    return np.array([(start, start + 50) for start in starts], np.int64)


GENES = {"a": {"I": genes(0, 100, 200, 300), "II": genes(0, 100), "III": genes(100)}}


def planned(**split: Any) -> list[PlannedSplit]:
    config = SplitConfig.model_validate(split)
    blocks = assign.cut_into_blocks(GENES, LENGTHS, config)
    return plan.of_intervals(GENES, LENGTHS, blocks, [], config)


def labelled(splits: list[str]) -> tuple[pa.Table, np.ndarray[Any, Any]]:
    count = len(splits)
    columns = {
        "genome": pa.repeat("sequences", count),
        "chromosome": pa.array([split or "file" for split in splits], pa.string()),
        "start": pa.array(np.arange(count) * 10),
        "end": pa.array(np.arange(count) * 10 + 10),
        "label": pa.array([number % 2 for number in range(count)], pa.int8()),
        "split": pa.array(splits, pa.string()),
    }
    rows = pa.table(columns, schema=pa.schema([schema.INTERVALS.field(name) for name in columns]))
    return rows, np.arange(count)


def test_listed_chromosomes_are_exact_with_their_bases_and_genes() -> None:
    assert planned(validation=["II"], test=["III"]) == [
        PlannedSplit("train", "a", ("I",), 1, 1_000, 4, is_exact=True),
        PlannedSplit("validation", "a", ("II",), 1, 500, 2, is_exact=True),
        PlannedSplit("test", "a", ("III",), 1, 400, 1, is_exact=True),
    ]


def test_shares_of_whole_chromosomes_are_an_estimate_that_holds_every_gene_and_base() -> None:
    found = planned(validation=0.2, test=0.2)
    assert not any(one.is_exact for one in found)
    assert sum(one.genes for one in found) == 7
    assert sum(one.bases for one in found) == 1_900


def test_intervals_drawn_one_by_one_have_no_place() -> None:
    found = planned(by="random", validation=0.3, test=0.3)
    assert {one.places for one in found} == {()}
    assert sum(one.genes for one in found) == 7
    assert sum(one.bases for one in found) == 350


def test_blocks_are_regions_without_a_gene_across_a_border() -> None:
    found = planned(by="block", validation=0.3, test=0.3)
    assert all(one.is_exact for one in found)
    assert sum(one.genes for one in found) == 7
    assert any(":" in place for one in found for place in one.places)


def test_a_gene_across_the_border_of_a_stretch_is_in_no_split() -> None:
    config = SplitConfig(by="region", validation=["I:1-120"], test=["III"])
    cut, _ = stretches.cut(LENGTHS, GENES, config)
    found = {one.split: one for one in plan.of_stretches(cut, GENES, LENGTHS)}
    assert found["validation"] == PlannedSplit("validation", "a", ("I:1-120",), 1, 120, 1, is_exact=True)
    assert found["train"].genes == 4
    assert found["test"].places == ("III",)


def test_labelled_sequences_keep_the_splits_of_their_files() -> None:
    found = plan.of_intervals({}, {}, {}, [labelled(["train"] * 4 + ["test"] * 2)], SplitConfig())
    assert found == [
        PlannedSplit("train", "sequences", ("train",), 4, 40, 2, is_exact=True),
        PlannedSplit("test", "sequences", ("test",), 2, 20, 1, is_exact=True),
    ]


def test_labelled_sequences_to_split_are_planned_as_they_will_be_assigned() -> None:
    rows, groups = labelled([""] * 40)
    config = SplitConfig(by="random", validation=0.2, test=0.2)
    found = plan.of_intervals({}, {}, {}, [(rows, groups)], config)
    splits = assign.assign([rows], config, groups)
    assert {one.split: one.sequences for one in found} == dict(
        zip(schema.SPLITS, np.bincount(splits).tolist(), strict=True)
    )
    assert all(one.is_exact for one in found)


@pytest.mark.parametrize("twice", [{"validation": ["II"], "test": ["a:II"]}, {"validation": [], "test": ["II", "II"]}])
def test_a_chromosome_listed_twice_is_refused_before_any_work(twice: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"split\.test: (a:)?II is listed twice"):
        assign.require_disjoint(SplitConfig(**twice), {"a": ["I", "II"]})
