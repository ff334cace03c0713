from __future__ import annotations

from typing import Any

import pytest
from pydantic.fields import FieldInfo

from cluster.experiment import Experiment
from cluster.options import flag_types
from pipelines.config import SourceConfig


def field(name: str) -> FieldInfo:
    """The field of a key such as `tokenizer.k`."""
    section, key = name.split(".")
    model: Any = SourceConfig if section == "sources" else Experiment.model_fields[section].annotation
    return next(field for name, field in model.model_fields.items() if (field.alias or name) == key)


@pytest.mark.parametrize(
    ("name", "metavar", "many"),
    [
        ("tokenizer.k", "N", False),
        ("crop.length", "N", False),
        ("training.learning_rate", "X", False),
        ("tuning.time_budget_s", "X", False),
        ("model.bidirectional", "true|false", False),
        ("cluster.address", "NAME", False),
        ("tokenizer.from", "PATH", False),
        ("sources.fasta", "PATH", False),
        ("sources.chromosomes", "NAME", True),
        ("tuning.space", "NAME", True),
        ("split.test", "SHARE|NAME", True),
        ("model.pooling", "{mean,max,last,mean+max,attention}", False),
        ("tuning.device_kind", "{cpu,cuda}", False),
        ("negatives.match", "{length,gc,soft_masked}", True),
        ("negatives.kinds", "{shuffle,dinucleotide,antisense,partial}", True),
    ],
)
def test_the_type_of_a_key_decides_what_its_flag_takes(name: str, metavar: str, many: bool) -> None:
    assert (flag_types.metavar(field(name)), flag_types.takes_many(field(name))) == (metavar, many)


def test_the_help_gives_bounds_and_default() -> None:
    assert flag_types.help_text(field("training.headroom")).endswith("(at least 0 and below 1; default 0.1)")
    assert flag_types.help_text(field("split.test")).endswith("(default 0.1)")


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("cluster.address", "1", "1"),
        ("training.mlflow", "null", "null"),
        ("tokenizer.k", "6", 6),
        ("crop.length", "null", None),
        ("training.learning_rate", "1e-3", 0.001),
        ("model.bidirectional", "false", False),
        ("split.test", ["0.2"], 0.2),
        ("split.test", ["0"], 0),
        ("split.test", ["8"], ["8"]),
        ("split.test", ["IV", "8"], ["IV", "8"]),
        ("negatives.kinds", ["shuffle"], ["shuffle"]),
    ],
)
def test_a_value_is_read_as_the_experiment_file_would_have_it(name: str, raw: str | list[str], value: object) -> None:
    assert flag_types.parse_value(raw, field(name)) == value
