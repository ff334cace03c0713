from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cluster.experiment import Experiment, load
from cluster.options import flag_types
from pipelines.config import SourceConfig
from pipelines.errors import RaygeneError

VALUES = [
    *("9" * 5_000, "1e400", ".nan", "-.inf", "1000000000000000000", "-1", "1e-400"),
    *("", "null", "[[1]]", "{a: 1}", "\u0663", "*x", "a\\0b"),
]
MORE_VALUES = [
    *("99999999999999999999", "-1e400", "nan", "inf", "-0", "9223372036854775808", "1e18", "1e300", "0x7fffffff"),
    *("1_0", "010", "true", "[1]", "'", "1:30", "!!python/none ''"),
]
SECTIONS: dict[str, Any] = {
    name: field.annotation if isinstance(field.annotation, type) else SourceConfig
    for name, field in Experiment.model_fields.items()
}
SOURCE = "genome: g, fasta: a, annotation: b"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        (name, field.alias or key)
        for name, model in SECTIONS.items()
        if issubclass(model, BaseModel)
        for key, field in model.model_fields.items()
    ],
)
@pytest.mark.parametrize("values", [VALUES, pytest.param(MORE_VALUES, marks=pytest.mark.full)], ids=["", "more"])
def test_every_key_takes_any_value_or_refuses_it_in_one_line(
    tmp_path: Path, section: str, key: str, values: list[str]
) -> None:
    path, plain = tmp_path / "e.yaml", tmp_path / "plain.yaml"
    plain.write_text(f"sources: [{{{SOURCE}}}]\n")
    model = SECTIONS[section]
    field = next(field for name, field in model.model_fields.items() if (field.alias or name) == key)
    for value in values:
        rest = ", ".join(part for part in SOURCE.split(", ") if not part.startswith(f"{key}:"))
        text = f"[{{{rest}, {key}: {value}}}]" if section == "sources" else f"{{{key}: {value}}}"
        path.write_text(f"{section}: {text}\n")
        _read_or_refuse(path, {}, value)
        typed = flag_types.parse_value([value] if flag_types.takes_many(field) else value, field)
        place = ("sources", 0, key) if section == "sources" else (section, key)
        _read_or_refuse(plain, {place: typed}, value)


def _read_or_refuse(path: Path, overrides: dict[tuple[str | int, ...], Any], value: str) -> None:
    text = ""
    try:
        load(path, overrides)
    except RaygeneError as error:
        text = str(error)
    assert "\n" not in text
    assert len(text) < 600, value[:20]
