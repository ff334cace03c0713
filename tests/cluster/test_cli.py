"""The command line as a user meets it, in processes of its own: status, one line, no traceback, nothing left behind."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.cli import interruption, main
from cluster.experiment import Experiment
from cluster.verbs import VERBS
from tests.conftest import GenomeFiles


def raygene(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "300", **environment},
        cwd=Path(__file__).parents[2],
    )


def experiment(genome: GenomeFiles, folder: Path, **sections: object) -> Path:
    values = {
        "sources": [genome.source()],
        "crop": {"length": 80},
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        "model": {"embedding": 8, "hidden": 8, "stem": 8},
        "training": {"epochs": 2, "global_batch_size": 16},
        "cluster": {"cpus": 2},
        **sections,
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


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
            main([verb, "--help"])
        text = capsys.readouterr().out
        for section in sections:
            model = Experiment.model_fields[section].annotation
            for name, field in model.model_fields.items():  # type: ignore[union-attr]
                assert f"--{section}.{field.alias or name} " in text


@pytest.mark.ray
def test_a_genome_goes_from_files_to_scored_intervals(genome: GenomeFiles, tmp_path: Path) -> None:
    path = experiment(genome, tmp_path)
    built = raygene("build", path, "--output", tmp_path / "data")
    assert built.returncode == 0, built.stderr
    assert "Traceback" not in built.stderr
    assert "ray." not in built.stderr.lower().replace("raygene", "")
    inspected = raygene("inspect", tmp_path / "data", "--json", tmp_path / "i.json", "--report", tmp_path / "i.html")
    assert inspected.returncode == 0, inspected.stderr
    trained = raygene("train", path, "--dataset", tmp_path / "data", "--output", tmp_path / "run")
    assert trained.returncode == 0, trained.stderr
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    again = raygene("train", path, "--dataset", tmp_path / "data", "--output", tmp_path / "run")
    assert "trained already" in again.stderr
    evaluated = raygene(
        "evaluate", tmp_path / "run/bundle", "--dataset", tmp_path / "data", "--json", tmp_path / "e.json"
    )
    assert evaluated.returncode == 0, evaluated.stderr
    figures = json.loads((tmp_path / "e.json").read_text())
    assert {"auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy", "shortcuts"} <= set(figures)
    assert (tmp_path / "run" / "report-test.html").exists()
    scored = raygene(
        "predict",
        tmp_path / "run/bundle",
        "--fasta",
        genome.fasta,
        "--intervals",
        genome.annotation,
        "--output",
        tmp_path / "s.tsv",
    )
    assert scored.returncode == 0, scored.stderr
    assert len((tmp_path / "s.tsv").read_text().splitlines()) == 1 + len(genome.genes)
    other = experiment(genome, tmp_path, tokenizer={"k": 4, "stride": 1})
    assert raygene("build", other, "--output", tmp_path / "data4").returncode == 0
    refused = raygene("evaluate", tmp_path / "run/bundle", "--dataset", tmp_path / "data4")
    assert refused.returncode == 1
    assert "k 3 against 4" in refused.stderr


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines[-1].startswith("raygene: error: ")
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout
    return lines[-1]


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
        (["demo", "--sources.0.fasta", "f"], "raygene demo: unknown argument --sources.0.fasta"),
        (["evaluate", "b", "--dataset", "d", "--split", "tst"], "invalid choice: 'tst'"),
        (
            ["predict", "b", "--fasta", "f", "--intervals", "i", "--output", "scores.csv"],
            "ends in neither .bed nor .tsv",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(arguments: list[str], expected: str) -> None:
    assert expected in one_line(raygene(*arguments), 2)


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
        line = one_line(raygene("build", path, "--output", tmp_path / "out", *flags), status)
        assert expected in line
        assert sorted(tmp_path.iterdir()) == before


def test_a_missing_bedtools_is_one_line_with_the_fix(genome: GenomeFiles, tmp_path: Path) -> None:
    line = one_line(raygene("build", experiment(genome, tmp_path), "--output", tmp_path / "out", PATH="/nowhere"), 1)
    assert "bedtools: program not found: install it with" in line


def test_an_example_without_sources_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("training: {epochs: 1}")
    line = one_line(raygene("demo", "--example", tmp_path, "--output", tmp_path / "out"), 2)
    assert "experiment.yaml: sources: missing" in line


@pytest.mark.parametrize("verb", VERBS)
def test_an_interruption_promises_kept_work_only_where_work_is_kept(verb: str) -> None:
    is_promised = "finished work is kept" in interruption([verb, "--output", "x"])
    assert is_promised == (verb in {"demo", "build", "train", "tune", "scan"})


def test_an_interruption_of_submit_says_that_jobs_keep_running() -> None:
    for arguments in (["submit", "stop", "j"], ["submit", "run", "--", "train", "x"]):
        assert "a job that was sent keeps running" in interruption(arguments)


def test_an_interruption_before_any_verb_promises_nothing() -> None:
    assert "no work is kept" in interruption([])


def test_a_directory_that_is_not_a_bundle_is_one_line(tmp_path: Path) -> None:
    line = one_line(raygene("evaluate", tmp_path, "--dataset", tmp_path), 1)
    assert "no model bundle there" in line
