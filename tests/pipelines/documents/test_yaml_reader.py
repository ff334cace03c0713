from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.documents import yaml_reader
from pipelines.documents.yaml_reader import PlainFloat
from pipelines.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1_2",
            "010",
            "1:30",
            "0x10",
            "0o17",
            "0b1",
            "on",
            "NO",
            "yes",
            "y",
            "2024-01-01",
            "1_000.5",
            "=",
            "-0",
            "+5",
        ),
        *(".inf", ".nan", "nan", "1:30:15.5", "00", "0_1", "1e", "e3", "2L", "9" * 40, "+5", "\u0663"),
    ],
)
def test_what_only_some_readers_take_for_a_number_is_text(text: str) -> None:
    assert yaml_reader.parse(text) == text
    assert yaml_reader.parse(f"[{text}]") == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("12", 12), ("0", 0), ("-7", -7), ("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None)),
        *(("'12'", "12"), ('"true"', "true"), ("'~'", "~"), ("!!str 010", "010"), ("!!str 12", "12"), ("!!int '3'", 3)),
    ],
)
def test_what_every_reader_takes_for_a_value_is_one(text: str, expected: Any) -> None:
    value = yaml_reader.parse(text)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["0.1", ".5", "3.10", "1.", "1e3", "1e-3", "-2.50", "+0.5", "1e400"])
def test_a_fraction_is_a_number_that_remembers_its_text(text: str) -> None:
    value = yaml_reader.parse(text)
    assert isinstance(value, PlainFloat)
    assert (value, str(value), value.text) == (float(text), text, text)
    again = pickle.loads(pickle.dumps(value))
    assert (again, again.text) == (value, text)


def test_keys_are_text() -> None:
    assert yaml_reader.parse("{1: a, on: b, 010: c, ~: d}") == {"1": "a", "on": "b", "010": "c", "~": "d"}


def test_a_merged_mapping_gives_way_to_the_keys_beside_it() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {x: 3, z: 4}\nc: {<<: *a, y: 9}\nd: {y: 9, <<: [*a, *b]}\n"
    values = yaml_reader.parse(text)
    assert values["c"] == {"x": 1, "y": 9}
    assert values["d"] == {"x": 1, "y": 9, "z": 4}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: not YAML (a occurs twice)"),
        ("a: 1\n'a': 3", "line 2: not YAML (a occurs twice)"),
        ("a:\n  b: {c: 1, c: 2}", "line 2: not YAML (c occurs twice)"),
        (
            "x: 1\na: !!python/object/apply:os.system [ls]",
            "line 2: the tag !!python/object/apply:os.system is",
        ),
        ("a: !mine 3", "line 1: the tag !mine is not read"),
        ("a: !!set {b, c}", "line 1: the tag !!set is not read"),
        ("[" * 10_000, "line 1: nested more than 64 levels deep"),
        ("\n".join(" " * level + "a:" for level in range(200)), "line 65: nested more than 64 levels deep"),
        ("a: &a [*a]", "line 1: nested more than 64 levels deep"),
        (BOMB, "line 1: more than 500,000 values"),
        ("a:\n\t- b", "line 2: not YAML (while scanning for the next token, found character '\\t'"),
        ("a: 1\n---\nb: 2", "line 2: not YAML (expected a single document in the stream, but found another document"),
        ("? [1]\n: 2", "line 1: a key that is not text"),
        ("a: 1\n<<: 3", "line 2: << needs a mapping"),
        ("a: *nowhere", "line 1: not YAML (found undefined alias 'nowhere'"),
        ("a: 1\nb: \0", "line 2: not YAML (the character 0x0 is not allowed"),
        ("a: b: c", "line 1: not YAML (mapping values are not allowed here"),
    ],
)
def test_what_is_not_read_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml_reader.parse(text)
    assert yaml_reader.problem_of(caught.value).startswith(problem)


def test_a_whole_number_of_a_million_digits_is_text() -> None:
    digits = "7" * 1_000_000
    assert yaml_reader.parse(f"a: {digits}") == {"a": digits}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: \xff\n", "line 2: not UTF-8 text"),
        ("a: 1".encode("utf-16"), "line 1: not UTF-8 text"),
        (b"a: " + b"x" * (5 << 20), "larger than 4 MiB"),
        (None, "no such file or directory: name an experiment file"),
    ],
)
def test_a_file_that_is_not_text_is_one_line_that_names_it(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "e.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        yaml_reader.read(path, "an experiment file")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 010\r\nb: [on]\r\n")
    assert yaml_reader.read(path, "an experiment file") == {"a": "010", "b": ["on"]}
