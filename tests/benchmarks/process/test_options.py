from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from benchmarks.process.options import add_data, at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=at_least(1), default=3)
    return parser


def command_line(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *map(str, arguments)])


def test_figures_go_where_results_says_and_its_folder_is_made(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(monkeypatch, "--results", tmp_path / "new" / "figures.json")
    assert parse(parser, tmp_path / "stored.json").results == tmp_path / "new" / "figures.json"
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


def test_small_runs_do_not_mix_with_the_stored_figures(
    parser: argparse.ArgumentParser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    command_line(monkeypatch, "--epochs", "1")
    with pytest.raises(SystemExit):
        parse(parser, tmp_path / "stored.json", small=("epochs",))
    assert "--epochs: the stored figures are of its default; name another file" in capsys.readouterr().err


def test_small_runs_are_stored_elsewhere(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(monkeypatch, "--epochs", "1", "--results", tmp_path / "small.json")
    assert parse(parser, tmp_path / "stored.json", small=("epochs",)).epochs == 1


@pytest.mark.parametrize(("path", "problem"), [(".", "is a directory"), ("/dev/null", "is not a regular file")])
def test_what_is_no_file_is_refused_before_anything_is_measured(
    parser: argparse.ArgumentParser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    problem: str,
) -> None:
    command_line(monkeypatch, "--results", path)
    with pytest.raises(SystemExit):
        parse(parser, Path("stored.json"))
    assert f"--results {Path(path).resolve()}: {problem}" in capsys.readouterr().err


def test_of_a_link_the_file_that_it_leads_to_is_written(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "figures.json")
    command_line(monkeypatch, "--results", tmp_path / "link.json")
    storage.write_json(parse(parser, tmp_path / "stored.json").results, {"cpus": 2})
    assert read_results(tmp_path / "figures.json") == read_results(tmp_path / "link.json") == {"cpus": 2}


def test_numbers_below_the_least_are_refused(
    parser: argparse.ArgumentParser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    command_line(monkeypatch, "--epochs", "0")
    with pytest.raises(SystemExit):
        parse(parser, tmp_path / "stored.json")
    assert "0: must be at least 1" in capsys.readouterr().err


def test_the_folder_of_data_is_named_by_the_option_before_the_variable(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_DATA", "/named/by/variable")
    add_data(parser)
    assert parser.parse_args([]).data == Path("/named/by/variable")
    assert parser.parse_args(["--data", "/named/by/option"]).data == Path("/named/by/option")


def test_without_a_folder_of_data_the_command_line_is_refused(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # An empty variable names no folder, as in other programs.
    monkeypatch.setenv("RAYGENE_DATA", "")
    add_data(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "the following arguments are required: --data" in capsys.readouterr().err
