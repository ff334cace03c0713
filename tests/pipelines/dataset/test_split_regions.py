from __future__ import annotations

from typing import Any

import pytest

from pipelines.dataset import split_regions
from pipelines.errors import DatasetError
from pipelines.genome.region import Region


def manifest(**entries: Any) -> dict[str, Any]:
    counts = [
        {"genome": "g", "chromosome": name, "split": split, "label": 1, "source": "gene", "rows": 5}
        for name, split in (("a", "train"), ("a", "test"), ("b", "test"), ("c", "train"))
    ]
    return {"config": {"split": {"by": "chromosome"}}, "counts": counts, **entries}


def test_regions_are_read_as_they_were_written_and_other_chromosomes_are_whole() -> None:
    written = {"train": [Region("g", "a", 0, 10)], "test": [Region("g", "a", 10, 20)]}
    document = manifest(split_in_blocks=["g"], split_regions=split_regions.describe(written))
    assert split_regions.of(document, "train") == [*written["train"], Region("g", "c", 0, split_regions.WHOLE)]
    assert split_regions.of(document, "test") == [*written["test"], Region("g", "b", 0, split_regions.WHOLE)]


@pytest.mark.parametrize(
    ("entries", "split", "message"),
    [
        ({"split_in_blocks": ["g"]}, "test", "did not write down where they are"),
        ({"config": {"split": {"by": "family"}}}, "test", "split.by family"),
        ({}, "validation", "no validation split"),
    ],
)
def test_a_dataset_without_regions_says_why(entries: dict[str, Any], split: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        split_regions.of(manifest(**entries), split)
