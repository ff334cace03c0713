"""Outputs at addresses: in a folder that stands for a store, by `local://`, which is written as any other store is."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.paths import stored_outputs
from cluster.paths.output_paths import PathRole
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BusyError, InputError, StorageError, UsageError
from pipelines.stores import copy_names, lease
from pipelines.stores.store import Store
from tests.conftest import make_genome
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and an empty working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "copies"
    assert list((tmp_path / "here").iterdir()) == []
    copy_names.forget()


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a store's folder, which is not there yet."""
    return f"local://{tmp_path}/store/results"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same folder, to look into it."""
    return tmp_path / "store" / "results"


PARSER = argparse.ArgumentParser()
PARSER.add_argument("--output", type=PathRole.WRITTEN_FOLDER)
PARSER.add_argument("--json", type=PathRole.WRITTEN_FILE)
PARSER.add_argument("--dry-run", action="store_true")
PARSER.add_argument("--report-only", action="store_true")


def opened(*line: str) -> tuple[argparse.Namespace, list[str]]:
    return PARSER.parse_args(line), []


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_local_output_is_left_as_it_is(tmp_path: Path, cache: Path) -> None:
    arguments, notes = opened("--output", str(tmp_path / "run"), "--json", "x.json")
    with stored_outputs.local(PARSER, arguments, notes.append):
        assert (arguments.output, arguments.json) == (str(tmp_path / "run"), "x.json")
    assert notes == []
    assert not cache.exists()


def test_a_folder_is_fetched_written_and_put_and_its_copy_removed(store: str, folder: Path, cache: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "old").write_text("old")
    (folder / "changed").write_text("before")
    (folder / "gone").write_text("gone")
    arguments, notes = opened("--output", store)
    with stored_outputs.local(PARSER, arguments, notes.append):
        copy = Path(arguments.output)
        assert (copy / "old").read_text() == "old"
        (copy / "changed").write_text("afterwards")
        (copy / "gone").unlink()
        (copy / "deeper").mkdir()
        (copy / "deeper" / "new").write_text("new")
    assert files(folder) == {"old": "old", "changed": "afterwards", "deeper/new": "new"}
    assert notes == [f"{store}: 3 files fetched", f"{store}: 2 files put"]
    assert not copy.exists()


def test_what_a_verb_wrote_before_an_error_is_put_and_its_error_is_raised(store: str, folder: Path) -> None:
    arguments, notes = opened("--output", store)

    def fail() -> None:
        with stored_outputs.local(PARSER, arguments, notes.append):
            (Path(arguments.output) / "begun").write_text("begun")
            raise InputError("bad", "correct it")

    with pytest.raises(InputError, match="bad: correct it"):
        fail()
    assert files(folder) == {"begun": "begun"}


def test_what_has_changed_is_put_while_the_verb_runs(store: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_outputs, "PUSH_S", 0.02)
    arguments, notes = opened("--output", store)
    with stored_outputs.local(PARSER, arguments, notes.append):
        (Path(arguments.output) / "checkpoint").write_text("state")
        deadline = time.monotonic() + 20
        while files(folder).get("checkpoint") != "state" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert files(folder)["checkpoint"] == "state"


def test_a_folder_has_one_writer(store: str) -> None:
    arguments, notes = opened("--output", store)
    other, _ = opened("--output", store)
    with (
        stored_outputs.local(PARSER, arguments, notes.append),
        pytest.raises(BusyError, match=store),
        stored_outputs.local(PARSER, other, notes.append),
    ):
        pass


def test_two_files_of_a_folder_are_written_at_once(store: str, folder: Path) -> None:
    first, notes = opened("--json", f"{store}/a.json")
    second, _ = opened("--json", f"{store}/b.json")
    with (
        stored_outputs.local(PARSER, first, notes.append),
        stored_outputs.local(PARSER, second, notes.append),
    ):
        Path(first.json).write_text("a")
        Path(second.json).write_text("b")
    assert files(folder) == {"a.json": "a", "b.json": "b"}


def test_beside_a_file_only_what_has_its_name_is_fetched_and_changed(store: str, folder: Path) -> None:
    (folder / "genes.scores").mkdir(parents=True)
    (folder / "genes.scores" / "part").write_text("part")
    (folder / "genes2.json").write_text("another")
    arguments, notes = opened("--json", f"{store}/genes.json")
    with stored_outputs.local(PARSER, arguments, notes.append):
        copy = Path(arguments.json).parent
        assert files(copy) == {"genes.scores/part": "part"}
        Path(arguments.json).write_text("{}")
        (copy / "genes.bed").write_text("bed")
    assert set(files(folder)) == {"genes.json", "genes.bed", "genes.scores/part", "genes2.json"}


def test_a_writer_that_was_taken_over_puts_nothing_more(store: str, folder: Path) -> None:
    arguments, notes = opened("--output", store)

    def be_late() -> None:
        with stored_outputs.local(PARSER, arguments, notes.append):
            (Path(arguments.output) / "late").write_text("late")
            Store(store).write(lease.NAME, lease.Holder.this_process().content())

    with pytest.raises(BusyError, match="has taken it over"):
        be_late()
    assert "late" not in files(folder)


def test_a_dry_run_and_a_report_look_at_a_folder_that_is_being_written(store: str, folder: Path) -> None:
    arguments, notes = opened("--output", store)
    with stored_outputs.local(PARSER, arguments, notes.append):
        for flag in ("--dry-run", "--report-only"):
            other, _ = opened("--output", store, flag)
            with stored_outputs.local(PARSER, other, notes.append):
                (Path(other.output) / f"report{flag}").write_text("page")
        assert set(files(folder)) == {lease.NAME, "report--report-only"}


@pytest.mark.parametrize("line", [("--output",), ("--json",)])
def test_a_dataset_is_not_written_into(store: str, folder: Path, line: tuple[str, ...]) -> None:
    folder.mkdir(parents=True)
    for name in ("manifest.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    arguments, notes = opened(*line, store if line == ("--output",) else f"{store}/x.json")
    with (
        pytest.raises(UsageError, match=f"^{line[0]}: .*results is a dataset: write beside it$"),
        stored_outputs.local(PARSER, arguments, notes.append),
    ):
        pass


def test_an_address_that_nothing_can_be_written_to_is_refused() -> None:
    arguments, notes = opened("--json", "https://host/x.json")
    with pytest.raises((UsageError, StorageError)), stored_outputs.local(PARSER, arguments, notes.append):
        pass


def run(*line: str | Path) -> int:
    return main([str(word) for word in line])


def test_an_experiment_is_written_into_a_store(
    store: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_genome(tmp_path / "g")
    assert run("init", store, "--preset", "scan", "--fasta", made.fasta, "--annotation", made.annotation) == 0
    assert set(files(folder)) == {"experiment.yaml"}
    captured = capsys.readouterr()
    assert f"{store}/experiment.yaml" in captured.out
    assert str(tmp_path / "cache") not in captured.out + captured.err


def test_scores_in_a_store_are_those_on_a_disk(store: str, folder: Path, tmp_path: Path) -> None:
    small_bundle(TokenDataset.open(write_dataset(tmp_path / "data"), "train")).save(tmp_path / "bundle")
    made = make_genome(tmp_path / "g")
    line = ("predict", tmp_path / "bundle", "--sequences", made.fasta, "--output")
    (tmp_path / "local").mkdir()
    assert run(*line, tmp_path / "local" / "scores.tsv") == 0
    assert run(*line, f"{store}/scores.tsv") == 0
    assert set(files(folder)) == {"scores.tsv", "scores.bed"}
    assert files(folder) == files(tmp_path / "local")


def test_two_outputs_of_a_verb_are_written_into_one_folder(store: str, folder: Path) -> None:
    assert run("models", "--json", f"{store}/a.json") == 0
    assert json.loads((folder / "a.json").read_text())
    arguments, notes = opened("--output", f"{store}/run", "--json", f"{store}/run/a.json")
    with stored_outputs.local(PARSER, arguments, notes.append):
        Path(arguments.json).write_text("{}")
        (Path(arguments.output) / "b").write_text("b")
    assert {"run/a.json", "run/b"} <= set(files(folder))
