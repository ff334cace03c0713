from __future__ import annotations

from typing import Any

import pytest

from pipelines.config import DatasetConfig, validate
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
        ({"tokenizer": {"k": 99}}, "experiment.yaml: tokenizer.k: 99: input should be less than or equal to 10"),
        ({"tokenizer": {"k": 3, "stride": 4}}, "stride 4 is above k 3"),
        ({"tokenizer": {"k": "x"}}, "tokenizer.k: 'x': input should be a valid integer"),
        ({"tokenizer": {"from": "b", "k": 3, "tail": "drop"}}, "experiment.yaml: tokenizer: from and k, tail are both"),
        ({"tokenizer": {"reuse": "b"}}, "tokenizer.reuse: unknown key"),
        ({"split": {"test": 0.6, "validation": 0.5}}, "add up to 1.1"),
        ({"split": {"test": 2.5}}, "split.test: 2.5: a share lies below 1"),
        ({"split": {"test": 1.0}}, "split.test: 1.0: a share lies below 1"),
        ({"split": {"test": [1.0]}}, "split.test: a share lies below 1"),
        ({"split": {"test": [0.1, "IV"]}}, "split.test: a share stands alone"),
        ({"split": {"test": -1}}, "split.test: -1"),
        ({"split": {"test": True}}, "split.test: True"),
        ({"split": {"by": "block", "test": ["I"]}}, "by: block takes shares"),
        ({"negatives": {"kinds": ["magic"]}}, "no kind of negatives is called 'magic'"),
        ({"sources": [SOURCE, SOURCE]}, "genome name R64 is used twice"),
        ({"sources": [{**SOURCE, "fast": "x"}]}, "sources.0.fast: unknown key: did you mean fasta?"),
        ({"sources": []}, "sources"),
        ({"sources": [{"genome": "a", "fasta": "x"}]}, "sources.0: a needs fasta and annotation"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_key_and_remedy(sections: dict[str, Any], expected: str) -> None:
    told = rejected(**sections)
    assert expected in told
    assert "\n" not in told


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


@pytest.mark.parametrize(
    ("given", "expected"),
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
def test_a_split_is_a_share_or_names(given: Any, expected: Any) -> None:
    assert validate(DatasetConfig, {"sources": [SOURCE], "split": {"test": given}}, "x").split.test == expected
