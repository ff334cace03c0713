from __future__ import annotations

from typing import Any

import pytest

from pipelines.build import defaults
from pipelines.config import DatasetConfig, validate

GENOME = {"genome": "g", "fasta": "g.fa", "annotation": "g.gff3"}


def unset(**values: Any) -> dict[str, str]:
    return dict(defaults.unset(validate(DatasetConfig, {"sources": [GENOME], **values}, "test")))


def test_keys_that_are_not_set_have_the_values_that_they_take() -> None:
    found = unset(tokenizer={"k": 3})
    assert found["tokenizer.stride"] == "3"
    assert "tokenizer.k" not in found
    assert found["crop.length"] == "whole genes"
    assert found["sources.chromosomes"] == "all that have a gene"
    assert found["negatives.kinds"] == "shuffle:1"


def test_keys_that_decide_nothing_are_left_out() -> None:
    found = unset()
    assert not {"crop.margin", "negatives.tolerance", "split.identity", "sources.labels", "labels.utr"} & set(found)
    assert "crop.margin" in unset(crop={"length": 100})
    assert "split.seed" not in unset(split={"validation": ["I"], "test": ["II"]})


def test_a_structure_dataset_lists_its_own_keys_and_no_negatives() -> None:
    found = unset(task="structure", tokenizer={"k": 3, "stride": 1})
    assert found["labels.transcript"] == "canonical"
    assert found["sources.genetic_code"] == "1"
    assert not any(key.startswith(("negatives", "crop")) for key in found)
    assert "sources.feature_types" not in found


def test_labelled_sequences_have_no_genes_to_choose() -> None:
    found = dict(defaults.unset(validate(DatasetConfig, {"sources": [{"genome": "l", "sequences": "l.csv"}]}, "test")))
    assert {key.split(".")[0] for key in found} == {"tokenizer", "split"}


def test_sequences_in_files_of_splits_need_no_split() -> None:
    source = {"genome": "l", "train": "train.csv", "validation": "dev.csv"}
    found = dict(defaults.unset(validate(DatasetConfig, {"sources": [source]}, "test")))
    assert {key.split(".")[0] for key in found} == {"tokenizer"}


def test_keys_that_no_labelled_sequence_reads_are_named_with_the_reason() -> None:
    given = {"crop": {"length": 50}, "negatives": {"ratio": 2, "flank": 0}, "split": {"validation": 0.2}}

    def unread(*sources: dict[str, str]) -> list[str]:
        config = validate(DatasetConfig, {"sources": [*sources], **given}, "test")
        return [key for key, _ in defaults.unread(config)]

    whole, divided = {"genome": "l", "sequences": "l.csv"}, {"genome": "f", "train": "t.csv", "validation": "v.csv"}
    assert unread(divided) == ["negatives.ratio", "crop.length", "split.validation"]
    assert unread(whole, divided) == ["negatives.ratio", "crop.length"]
    assert unread(GENOME, whole) == []


@pytest.mark.parametrize("split", [{"test": ["t.csv"]}, {"by": "genome", "test": ["f"]}, {"by": "random"}])
def test_lists_of_a_split_are_read_of_sequences_in_files_of_splits_too(split: dict[str, object]) -> None:
    values = {"sources": [{"genome": "f", "train": "t.csv", "validation": "v.csv"}], "split": split}
    assert defaults.unread(validate(DatasetConfig, values, "test")) == []


def test_default_values_that_are_written_out_are_not_unread() -> None:
    values = {"sources": [{"genome": "f", "train": "t.csv", "validation": "v.csv"}]}
    config = validate(DatasetConfig, values, "test")
    written = config.model_dump(by_alias=True, exclude={"task", "classes", "labels", "window", "sources"})
    assert defaults.unread(validate(DatasetConfig, values | written, "test")) == []
