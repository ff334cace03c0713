"""The command line as a user meets it: status, one line, no traceback, nothing left behind."""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import cli
from cluster.cli import interruption, main
from cluster.experiment import Experiment
from cluster.process import kept_work
from cluster.verbs import VERBS
from tests.cluster.command_line import experiment, one_line, run_alone, run_here
from tests.conftest import GenomeFiles


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert left.value.code == 0
    assert f"raygene {verb}" in text
    assert "example:" in text
    assert "==SUPPRESS==" not in text


def test_every_key_of_the_sections_a_verb_uses_is_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb, sections in [("build", ["negatives", "crop", "tokenizer", "split"]), ("train", ["model", "training"])]:
        with pytest.raises(SystemExit):
            main([verb, "--help-all"])
        text = capsys.readouterr().out
        for section in sections:
            model = Experiment.model_fields[section].annotation
            for name, field in model.model_fields.items():  # type: ignore[union-attr]
                assert f"--{section}.{field.alias or name} " in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["bild"], "invalid choice: 'bild'"),
        (["build"], "the following arguments are required"),
        (
            ["build", "x.yaml", "--output", "o", "--tokenizer.kk", "3"],
            "unknown argument --tokenizer.kk: did you mean --tokenizer.k?",
        ),
        (["inspect", "d", "--josn", "f"], "unknown argument --josn: did you mean --json?"),
        (["--verbose", "models"], "raygene models: --verbose is in front of the verb: write it behind: raygene models"),
        (["demo", "--sources.0.fasta", "f"], "raygene demo: unknown argument --sources.0.fasta"),
        (["evaluate", "b", "--dataset", "d", "--split", "tst"], "invalid choice: 'tst'"),
        (
            ["predict", "b", "--fasta", "f", "--intervals", "i", "--output", "scores.csv"],
            "ends in neither .bed nor .tsv",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(arguments: list[str], expected: str) -> None:
    assert expected in one_line(run_here(*arguments), 2)


def test_wrong_inputs_are_one_line_with_culprit_and_fix(genome: GenomeFiles, tmp_path: Path) -> None:
    packed = gzip.compress(genome.annotation.read_bytes())
    cut, foreign = tmp_path / "cut.gff3.gz", tmp_path / "foreign.gff3"
    cut.write_bytes(packed[: len(packed) // 2])
    foreign.write_text(genome.annotation.read_text().replace("chr", "scaffold"))
    cases: list[tuple[list[str], int, str]] = [
        (["--sources.0.fasta", "/none.fa"], 1, "/none.fa: no such file"),
        (["--sources.0.annotation", str(cut)], 1, "cut.gff3.gz: the gzip stream is damaged or cut off"),
        (["--sources.0.annotation", str(foreign)], 1, "shares no sequence name"),
        (["--tokenizer.k", "99"], 2, "tokenizer.k: 99"),
        (["--split.test", "chr77"], 2, "no chromosome 'chr77'"),
        (["--cluster.address", "127.0.0.1:1"], 1, "cluster.address 127.0.0.1:1: no Ray there"),
    ]
    path = experiment(genome, tmp_path)
    before = sorted(tmp_path.iterdir())
    for flags, status, expected in cases:
        # An address is read only where no Ray is connected yet.
        run = run_alone if "--cluster.address" in flags else run_here
        line = one_line(run("build", path, "--output", tmp_path / "out", *flags), status)
        assert expected in line
        assert sorted(tmp_path.iterdir()) == before


def test_a_missing_bedtools_is_one_line_with_the_fix(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    line = one_line(run_here("build", experiment(genome, tmp_path), "--output", tmp_path / "out"), 1)
    assert "bedtools: program not found: install it with" in line


def test_an_example_without_sources_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("training: {epochs: 1}")
    line = one_line(run_here("demo", "--example", tmp_path, "--output", tmp_path / "out"), 2)
    assert "experiment.yaml: sources: missing" in line


def begun(monkeypatch: pytest.MonkeyPatch, output: Path | None = None) -> None:
    monkeypatch.setattr(cli, "_begun", (argparse.Namespace(output=str(output)), time.time()))


@pytest.mark.parametrize("verb", VERBS)
def test_an_interruption_promises_no_work_where_there_is_none(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(monkeypatch, tmp_path / "x")
    assert "work is kept, and the same command resumes" not in interruption([verb, "--output", "x"])


def test_an_interruption_says_that_finished_parts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(monkeypatch, tmp_path / "data")
    part = tmp_path / ".data.building-0123" / "records" / "0.npz"
    part.parent.mkdir(parents=True)
    part.touch()
    assert interruption(["build"]) == "interrupted; finished work is kept, and the same command resumes"


def test_an_interruption_of_submit_says_that_jobs_keep_running(monkeypatch: pytest.MonkeyPatch) -> None:
    begun(monkeypatch)
    monkeypatch.setattr(kept_work, "_has_sent_job", False)
    run = ["submit", "run", "--", "train", "x"]
    assert interruption(run) == "interrupted before a job was sent"
    kept_work.note_sent_job()
    for arguments in (["submit", "stop", "j"], run):
        assert "a job that was sent keeps running" in interruption(arguments)


def test_an_interruption_before_a_verb_begins_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_begun", None)
    assert interruption(["train"]) == "interrupted before anything was begun"


def test_a_directory_that_is_not_a_bundle_is_one_line(tmp_path: Path) -> None:
    line = one_line(run_here("evaluate", tmp_path, "--dataset", tmp_path), 1)
    assert "no model bundle there" in line


def test_the_command_alone_shows_its_help() -> None:
    done = subprocess.run([sys.executable, "-m", "raygene"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: raygene")
