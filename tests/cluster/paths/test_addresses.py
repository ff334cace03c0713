"""An address in every option and key that takes a path: it is read, or refused in one line; none becomes a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from cluster import experiment
from cluster.cli import main
from cluster.experiment import Experiment
from cluster.paths.output_paths import PathRole
from pipelines.config import SourceConfig
from tests.cluster.paths.test_output_paths import ENDINGS, Inputs, command, inputs, options, parsers
from tests.empty_store import empty_store

__all__ = ["inputs"]

NOWHERE = "s3://nowhere/folder/x"
STARTS_RAY = {
    ("train", "--from"),
    ("train", "--dataset"),
    ("train", "model.embedding_file"),
    ("train", "training.start_from"),
}
"""Read after Ray is up, in tests that take ten seconds each."""
OPTIONS = [
    pytest.param(verb, option, marks=[pytest.mark.full] if (verb, option) in STARTS_RAY else [])
    for verb, parser in parsers().items()
    for option, role in options(parser).items()
    if role is not PathRole.PROBED
]
KEYS = {"tokenizer.from": "build", "model.embedding_file": "train", "training.start_from": "train"}
"""Keys that hold a path, each with a verb that reads it."""
SOURCE_KEYS = [
    name
    for name, field in SourceConfig.model_fields.items()
    if experiment.names_path(("sources", 0, field.alias or name))
]


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    with empty_store() as variables:
        yield variables


@pytest.fixture(autouse=True)
def here(store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the object store, and an empty working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name, value in store.items():
        monkeypatch.setenv(name, value)


def line_of(verb: str, inputs: Inputs, given: dict[str, str], required: str = "") -> list[str]:
    """A command line with real inputs, an output in the working directory's parent, and the given paths."""
    outputs = {
        name: str(Path.cwd().parent / f"out{ENDINGS.get((verb, name), '')}")
        for name in ("--output", "DIR")
        if name in options(parsers()[verb])
    }
    return command(verb, inputs, outputs | given, required)


def require_one_line(line: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line fails with one line that names the option or the address, and leaves nothing behind."""
    capsys.readouterr()
    status = main(line)
    errors = [text for text in capsys.readouterr().err.splitlines() if text.startswith("raygene: error: ")]
    assert status in (1, 2), line
    assert len(errors) == 1, errors
    assert name in errors[0] or NOWHERE.rpartition("/")[0] in errors[0], errors[0]
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(("verb", "option"), OPTIONS)
def test_an_address_in_an_option_is_read_or_refused(
    verb: str, option: str, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    address = NOWHERE + ENDINGS.get((verb, option), "")
    require_one_line(line_of(verb, inputs, {option: address}, option), option, capsys)


def test_every_key_with_a_path_is_tried() -> None:
    section_keys = {
        f"{section}.{field.alias or name}"
        for section, model in ((name, field.annotation) for name, field in Experiment.model_fields.items())
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if experiment.names_path((section, field.alias or name))
    }
    assert section_keys == set(KEYS)


@pytest.mark.parametrize(
    "key",
    [pytest.param(key, marks=[pytest.mark.full] if (verb, key) in STARTS_RAY else []) for key, verb in KEYS.items()],
)
def test_an_address_in_a_key_is_read_or_refused(key: str, inputs: Inputs, capsys: pytest.CaptureFixture[str]) -> None:
    require_one_line([*line_of(KEYS[key], inputs, {}), f"--{key}", NOWHERE], key, capsys)


@pytest.mark.parametrize("key", SOURCE_KEYS)
def test_an_address_of_a_source_is_read_or_refused(
    key: str, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    require_one_line([*line_of("build", inputs, {}), f"--sources.0.{key}", NOWHERE], key, capsys)


def test_an_address_of_a_runtime_environment_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    require_one_line(["submit", "run", "--runtime-env", NOWHERE, "--", "models"], "--runtime-env", capsys)
