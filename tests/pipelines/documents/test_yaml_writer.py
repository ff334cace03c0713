from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import yaml_reader, yaml_writer

NAMES = [
    "1_2",
    "010",
    "1:30",
    "3.10",
    "0x10",
    "0o17",
    "on",
    "NO",
    "null",
    "~",
    "1e3",
    ".5",
    "2024-01-01",
    "=",
    "<<",
    "",
]


@pytest.mark.parametrize("name", [*NAMES, "<<", "12", "-", "a: b", "#x", "true", "0.1", "chr1", "1e-1", "'", "é"])
def test_names_are_read_again_by_this_reader_and_by_yaml_1_1(name: str) -> None:
    for text in (yaml_writer.dump({"a": [name], "b": name}), yaml_writer.dump({"a": [name], "b": name}, flow=True)):
        assert yaml_reader.parse(text) == {"a": [name], "b": name}
        assert yaml.safe_load(text) == {"a": [name], "b": name}


def test_what_yaml_1_2_takes_for_a_number_is_quoted() -> None:
    assert yaml_writer.dump(["1e3", "0o17", ".5e1"], flow=True) == "['1e3', '0o17', '.5e1']\n"


def test_an_unquoted_fraction_stays_as_it_is_written() -> None:
    assert yaml_writer.dump(yaml_reader.parse("[3.10, 1e3, .5]"), flow=True) == "[3.10, 1e3, .5]\n"


VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_is_read_again(value: Any) -> None:
    assert yaml_reader.parse(yaml_writer.dump(value)) == value
