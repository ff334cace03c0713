from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.config import DatasetConfig
from pipelines.errors import UsageError
from pipelines.splits.plan import PlannedSplit
from pipelines.splits.requirements import require_classes, require_genes

GENOME = {"genome": "a", "fasta": "a.fa", "annotation": "a.gff"}
FILES = {"genome": "b", "train": "t.csv", "validation": "v.csv"}


def config(*sources: dict[str, str], **sections: Any) -> DatasetConfig:
    return DatasetConfig.model_validate({"sources": list(sources), **sections})


def check(labels: dict[str, list[int]], of: DatasetConfig) -> None:
    """Check rows with these labels, in a table of each split."""
    splits = np.repeat([schema.SPLITS.index(split) for split in labels], [len(rows) for rows in labels.values()])
    tables = [pa.table({"label": pa.array(rows, pa.int8())}) for rows in labels.values()]
    require_classes(splits.astype(np.int8), tables, of)


@pytest.mark.parametrize(
    ("sources", "split", "expected"),
    [
        ([GENOME], {}, ["train", "validation", "test"]),
        ([GENOME], {"test": 0.0}, ["train", "validation"]),
        ([GENOME], {"validation": [], "test": ["x"]}, ["train", "test"]),
        ([FILES], {}, ["train", "validation"]),
        ([FILES | {"test": "e.csv"}], {"test": 0.0}, ["train", "validation", "test"]),
        ([GENOME, FILES], {"validation": 0.0, "test": 0.0}, ["train", "validation"]),
        ([GENOME, FILES], {}, ["train", "validation", "test"]),
    ],
)
def test_splits_are_requested_by_files_and_by_what_is_held_out_of_sources_without(
    sources: list[dict[str, str]], split: dict[str, Any], expected: list[str]
) -> None:
    assert config(*sources, split=split).requested_splits == expected


BOTH = [0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "of", "message"),
    [
        ({"validation": BOTH, "test": BOTH}, config(GENOME), r"^split: train has no interval: hold out other chr"),
        ({"train": BOTH, "validation": BOTH}, config(GENOME), "split: test has no interval"),
        ({"train": BOTH, "validation": BOTH, "test": [1, 1]}, config(GENOME), "split: test has only genes"),
        ({"train": BOTH}, config(GENOME, split={"by": "family", "test": 0.0}), "has no interval: raise split.identity"),
        ({"train": BOTH}, config(FILES), "sources.0.validation: validation has no interval: give it sequences of both"),
        ({"train": BOTH}, config(GENOME, FILES, split={"validation": 0.0, "test": 0.0}), r"^sources\.1\.validation: "),
        ({"train": BOTH}, config(GENOME, FILES, split={"test": 0.0}), "^split: validation has no interval"),
        ({"train": [0], "validation": BOTH}, config(FILES), "sources.0.train: train has only negatives: give it"),
    ],
)
def test_a_requested_split_needs_genes_and_negatives(
    labels: dict[str, list[int]], of: DatasetConfig, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check(labels, of)


def test_a_split_that_is_not_requested_may_be_empty() -> None:
    check({"train": BOTH, "validation": BOTH}, config(FILES))
    check({"train": BOTH, "test": BOTH}, config(GENOME, split={"validation": 0.0}))


def test_train_needs_every_class_and_other_splits_two() -> None:
    of = config(FILES, task="classify", classes=["x", "y", "z"])
    check({"train": [0, 1, 2], "validation": [0, 2]}, of)
    with pytest.raises(UsageError, match=r"train has no sequence of class y: give it sequences of every class"):
        check({"train": [0, 2], "validation": [0, 2]}, of)
    with pytest.raises(UsageError, match=r"validation has only z: give it sequences of at least 2 classes"):
        check({"train": [0, 1, 2], "validation": [2]}, of)


def planned(*genes: int, is_exact: bool = True) -> list[PlannedSplit]:
    return [
        PlannedSplit(split, "a", (), 1, 100, count, is_exact)
        for split, count in zip(schema.SPLITS, genes, strict=False)
    ]


@pytest.mark.parametrize(
    ("genes", "of", "message"),
    [
        ((4, 0, 1), config(GENOME), "split.validation: validation would have no gene: hold out another chromosome"),
        ((0, 2, 1), config(GENOME), "split: train would have no gene: hold out less"),
        ((4,), config(FILES), "sources.0.validation: validation would have no gene: give it"),
    ],
)
def test_a_split_that_will_have_no_gene_is_an_error_that_names_its_key(
    genes: tuple[int, ...], of: DatasetConfig, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        require_genes(planned(*genes), of)


def test_a_split_without_a_gene_passes_where_it_is_not_requested_or_not_exact() -> None:
    require_genes(planned(4, 2, 0), config(GENOME, split={"test": 0.0}))
    require_genes(planned(4, 2), config(FILES))
    require_genes(planned(4, 0, 0, is_exact=False), config(GENOME))
