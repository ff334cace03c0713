from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from pipelines.config import DatasetConfig, Section, renamed_key, validate
from pipelines.errors import UsageError

SOURCE = {"genome": "R64", "fasta": "a.fa", "annotation": "a.gff3"}


def rejected(**sections: Any) -> str:
    with pytest.raises(UsageError) as caught:
        validate(DatasetConfig, {"sources": [SOURCE], **sections}, "experiment.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"tokenizer": {"kk": 3}}, "experiment.yaml: tokenizer.kk: unknown key: did you mean k?"),
        ({"tokenizers": {"k": 3}}, "experiment.yaml: tokenizers: unknown key: did you mean tokenizer?"),
        ({"tokenizer": {"k": 99}}, "experiment.yaml: tokenizer.k: 99: too large: give 10 or less"),
        ({"tokenizer": {"k": 3, "stride": 4}}, "stride 4 is above k 3"),
        ({"tokenizer": {"k": "x"}}, "tokenizer.k: 'x': give a whole number"),
        ({"tokenizer": {"from": "b", "k": 3, "tail": "drop"}}, "experiment.yaml: tokenizer: from and k, tail are both"),
        ({"tokenizer": {"k[0]": 3}}, "experiment.yaml: tokenizer.k[0]: unknown key"),
        ({"[]": 3}, "experiment.yaml: []: unknown key"),
        ({"str": {"k": 3}}, "experiment.yaml: str: unknown key"),
        ({"tokenizer": {"reuse": "b"}}, "tokenizer.reuse: unknown key"),
        ({"split": {"test": 0.6, "validation": 0.5}}, "add up to 1.1"),
        (
            {"split": {"test": 0.5, "validation": 0.5}},
            "validation and test add up to 1, which leaves nothing for train",
        ),
        ({"split": {"test": 2.5}}, "split.test: 2.5: a share must be below 1"),
        ({"split": {"test": 1.0}}, "split.test: 1.0: a share must be below 1"),
        ({"split": {"test": [1.0]}}, "split.test: a share must be below 1"),
        ({"split": {"test": [0.1, "IV"]}}, "split.test: a share is a single number"),
        ({"split": {"test": -1}}, "split.test: -1"),
        ({"split": {"test": True}}, "split.test: True"),
        ({"split": {"by": "block", "test": ["I"]}}, "by: block needs shares"),
        ({"negatives": {"kinds": ["magic"]}}, "unknown kind of negatives 'magic'"),
        ({"sources": [SOURCE, SOURCE]}, "genome name R64 is used twice"),
        ({"sources": [{**SOURCE, "fast": "x"}]}, "sources.0.fast: unknown key: did you mean fasta?"),
        ({"sources": []}, "experiment.yaml: sources: empty: give 1 or more"),
        ({"sources": [None]}, "experiment.yaml: sources.0: empty or null: give a mapping of keys to values"),
        ({"sources": [{**SOURCE, "genome": None}]}, "genome: empty or null: give text; if it is a name, quote it"),
        (
            {"sources": [{**SOURCE, "genome": "a:b"}]},
            "sources.0.genome: 'a:b': not a name: use letters A to Z and a to z, digits, '.', '_' and '-'",
        ),
        ({"sources": [{**SOURCE, "genome": ["a"]}]}, "sources.0.genome: a list: give text"),
        ({"sources": [{**SOURCE, "ignore_chr": 3}]}, "sources.0.ignore_chr: 3: give true or false"),
        ({"tokenizer": {"k": None}}, "tokenizer.k: empty or null: give a whole number, or leave the key out"),
        ({"tokenizer": {"k": {"a": 1}}}, "tokenizer.k: a mapping: give a whole number"),
        ({"tokenizer": {"k": 10**4400}}, "tokenizer.k: a number of thousands of digits"),
        ({"tokenizer": {"tail": "x"}}, "tokenizer.tail: 'x': choose 'anchor', 'drop' or 'partial'"),
        (
            {"tokenizer": {"tail": None}},
            "tokenizer.tail: empty or null: choose 'anchor', 'drop' or 'partial', or",
        ),
        ({"task": "classify", "classes": ["a"]}, "classes: too few values: give 2 or more"),
        ({"tokenizer": "x"}, "experiment.yaml: tokenizer: 'x': give a mapping of keys to values"),
        ({"tokenizer": {"warn_unknown": "inf"}}, "tokenizer.warn_unknown: 'inf': give a finite number"),
        ({"split": {"test": None}}, "split.test: empty or null: give a number or a list, or leave the key out"),
        ({"split": {"seed": 2**70}}, "too large; give a number of at most 9,223,372,036,854,775,807"),
        ({"crop": {"exact": True}}, "crop: exact needs crop.length; set both, or leave exact out"),
        ({"negatives": {"kinds": []}}, "negatives.kinds: no kind of negatives; give one or more of shuffle, dinuc"),
        ({"negatives": {"match": ["x"]}}, "negatives.match.0: 'x': choose 'length', 'gc' or 'soft_masked'"),
        ({"negatives": {"ratio": 0}}, "negatives.ratio: 0: too small: give more than 0"),
        ({"sources": [{"genome": "a", "fasta": "x"}]}, "sources.0: a needs fasta and annotation"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_key_and_fix(sections: dict[str, Any], expected: str) -> None:
    message = rejected(**sections)
    assert expected in message
    assert "\n" not in message


def test_the_documented_shape_is_accepted() -> None:
    config = validate(
        DatasetConfig,
        {
            "sources": [{**SOURCE, "feature_types": ["gene"]}],
            "negatives": {"kinds": ["shuffle"], "unplaced": "shorten", "match": ["length"], "ratio": 1.0},
            "crop": {"length": 512, "position": "random"},
            "tokenizer": {"k": 6, "stride": 3, "tail": "anchor"},
            "split": {"by": "chromosome", "validation": 0.1, "test": ["IV", "VIII", "R64:XV"]},
        },
        "experiment.yaml",
    )
    assert config.split.test == ["IV", "VIII", "R64:XV"]


def test_a_stride_may_be_as_large_as_k() -> None:
    config = validate(DatasetConfig, {"sources": [SOURCE], "tokenizer": {"k": 3, "stride": 3}}, "x")
    assert config.tokenizer.stride == 3


@pytest.mark.parametrize(
    ("sections", "code", "key"),
    [
        ({"tokenizer": {"kk": 3}}, "unknown-key", "tokenizer.kk"),
        ({"tokenizer": {"k": 99}}, "invalid-value", "tokenizer.k"),
        ({"split": {"test": [1.0]}}, "invalid-value", "split.test"),
        ({"sources": [{"fasta": "a.fa", "annotation": "a.gff3"}]}, "missing-key", "sources.0.genome"),
        ({"sources": [SOURCE, SOURCE]}, "invalid-value", "configuration"),
    ],
)
def test_a_wrong_value_says_to_programs_what_is_wrong_and_where(sections: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate(DatasetConfig, {"sources": [SOURCE], **sections}, "experiment.yaml")
    assert (caught.value.code, caught.value.key) == (code, key)


STRUCTURE = {"task": "structure", "tokenizer": {"k": 3, "stride": 1}}


@pytest.mark.parametrize(
    ("sections", "key", "reason"),
    [
        ({"tokenizer": {"k": 4, "stride": 1}}, "tokenizer.k", "4: task structure needs an odd k"),
        ({"tokenizer": {"k": 3, "stride": 3}}, "tokenizer.stride", "3: task structure needs a token for every base"),
        ({"tokenizer": {}}, "tokenizer.stride", "3: task structure needs a token for every base"),
        ({"tokenizer": {"k": 3, "stride": 1, "tail": "drop"}}, "tokenizer.tail", "drop: with a token for every base"),
        ({"tokenizer": STRUCTURE["tokenizer"] | {"vocabulary": "observed"}}, "tokenizer.vocabulary", "observed"),
        ({"negatives": {"ratio": 1.0}}, "negatives.ratio", "no negative is placed; leave section negatives out"),
        ({"crop": {"length": 512}}, "crop.length", "window.length says how long they are"),
        ({"sources": [{**SOURCE, "span": "cds"}]}, "sources.0.span", "leave it out"),
        ({"sources": [{**SOURCE, "biotypes": ["x"]}]}, "sources.0.biotypes", "labels.pseudogenes and labels.noncoding"),
        ({"sources": [{**SOURCE, "feature_types": ["gene"]}]}, "sources.0.feature_types", "leave it out"),
        ({"sources": [{"genome": "a", "sequences": "a.csv"}]}, "sources.0", "task structure needs genomes"),
        ({"split": {"by": "random"}}, "split.by", "random: windows of one chromosome would be in different splits"),
        ({"split": {"by": "family"}}, "split.by", "choose chromosome, block, region or genome"),
        ({"window": {"length": 10}}, "window.length", "10: too small: give 99 or more"),
        ({"labels": {"utr": "mask"}}, "labels.utr", "choose 'intergenic' or 'keep'"),
    ],
)
def test_what_has_no_meaning_for_labelled_windows_is_refused_with_key_and_reason(
    sections: dict[str, Any], key: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        validate(DatasetConfig, {"sources": [SOURCE], **STRUCTURE, **sections}, "experiment.yaml")
    assert caught.value.key == key
    assert str(caught.value).startswith(f"experiment.yaml: {key}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"window": {"length": 9999}}, "window.length"),
        ({"labels": {"utr": "keep"}}, "labels.utr"),
        ({"sources": [{**SOURCE, "genetic_code": 1}]}, "sources.0.genetic_code"),
    ],
)
def test_what_only_labelled_windows_have_is_refused_for_other_tasks(sections: dict[str, Any], key: str) -> None:
    assert f"{key}: only task structure reads it" in rejected(**sections)


@pytest.mark.parametrize(
    ("sections", "absent"),
    [
        ({}, ["task", "labels", "window", "genetic_code"]),
        (STRUCTURE, ["negatives", "crop", "feature_types", "span", "biotypes", "exclude"]),
    ],
)
def test_what_a_task_does_not_read_is_not_written_and_what_is_written_can_be_read_again(
    sections: dict[str, Any], absent: list[str]
) -> None:
    config = validate(DatasetConfig, {"sources": [SOURCE], **sections}, "x")
    values = config.model_dump(mode="json", exclude_none=True)
    assert not [name for name in absent if name in values or name in values["sources"][0]]
    # What a task has come to read later is not in documents of before.
    assert ("exclude" in config.model_dump()["sources"][0]) == (config.task == "recognise")
    assert validate(DatasetConfig, values, "x") == config
    assert DatasetConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


class Optimizer(Section):
    """A section two of whose keys have been renamed."""

    RENAMED: ClassVar[Mapping[str, str]] = {"clip": "max_grad_norm", "batch": "global_batch_size"}

    max_grad_norm: float = 1.0
    global_batch_size: int = 64
    seed: int = 0


class Experiment(Section):
    optimizer: Optimizer = Optimizer()


def test_an_earlier_name_of_a_key_is_an_error_that_names_the_current_one() -> None:
    with pytest.raises(UsageError) as caught:
        validate(Experiment, {"optimizer": {"clip": 2.0}}, "experiment.yaml")
    assert str(caught.value) == "experiment.yaml: optimizer.clip: renamed: write optimizer.max_grad_norm"
    assert (caught.value.code, caught.value.key) == ("renamed-key", "optimizer.clip")


def test_stored_values_are_read_under_earlier_and_current_names_alike() -> None:
    current = {"max_grad_norm": 2.0, "global_batch_size": 8, "seed": 3}
    assert Optimizer.with_current_names({"clip": 2.0, "batch": 8, "seed": 3}) == current
    assert Optimizer.with_current_names(current) == current


def test_fingerprints_are_taken_under_the_first_names_of_keys() -> None:
    values = {"max_grad_norm": 2.0, "global_batch_size": 8, "seed": 3}
    assert Optimizer.with_first_names(values) == {"clip": 2.0, "batch": 8, "seed": 3}
    assert Optimizer.with_current_names(Optimizer.with_first_names(values)) == values


def test_only_an_earlier_name_of_the_section_itself_counts_as_renamed() -> None:
    assert renamed_key(Optimizer, "clip") == "max_grad_norm"
    assert renamed_key(Optimizer, "max_grad_norm") is None
    assert renamed_key(Experiment, "clip") is None
    assert renamed_key(BaseModel, "clip") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("IV", ["IV"]),
        ([0.2], 0.2),
        (["1", 2], ["1", "2"]),
        (0, 0.0),
        (1, ["1"]),
        (4, ["4"]),
        ([4], ["4"]),
        ("2.5", ["2.5"]),
    ],
)
def test_a_split_is_a_share_or_names(value: Any, expected: Any) -> None:
    assert validate(DatasetConfig, {"sources": [SOURCE], "split": {"test": value}}, "x").split.test == expected
