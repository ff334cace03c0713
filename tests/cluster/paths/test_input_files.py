"""Inputs that are no regular files, in every option of every verb."""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from cluster.cli import main, parser_of_all
from cluster.experiment import Experiment
from cluster.paths import input_files, output_paths
from cluster.paths.output_paths import PathRole
from cluster.verbs import VERBS
from pipelines import storage
from pipelines.errors import StorageError, UsageError
from pipelines.inputs.spool import Spool
from tests.conftest import GenomeFiles

FOLDERS = (PathRole.WRITTEN_FOLDER, PathRole.WRITTEN_DATASET)


class RecordingSpool(Spool):
    """Records what would be read, and reads nothing."""

    def __init__(self) -> None:
        super().__init__(lambda text: None)
        self.read: list[tuple[str, str]] = []

    def file_of(self, option: str, name: str) -> str:
        self.read.append((option, name))
        return name


@contextmanager
def pipe_of(data: bytes) -> Iterator[str]:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


def verb_parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The verbs and actions, with their parsers."""
    waiting: list[tuple[str, argparse.ArgumentParser]] = [("", parser_of_all())]
    while waiting:
        name, parser = waiting.pop()
        subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        waiting += [(f"{name} {key}".strip(), inner) for action in subparsers for key, inner in action.choices.items()]
        if not subparsers:
            yield name, parser


def test_a_pipe_in_any_option_of_any_verb_is_read_or_refused_by_the_name_of_the_option(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    refused, read = set(), set()
    for verb, parser in verb_parsers():
        for action in parser._actions:
            if not isinstance(action.type, PathRole):
                continue
            option = action.option_strings[0] if action.option_strings else str(action.metavar)
            namespace = argparse.Namespace(**{action.dest: [pipe] if action.nargs == "+" else pipe})
            spool = RecordingSpool()
            problem = ""
            try:
                input_files.take_arguments(parser, namespace, spool)
                output_paths.declared(parser, namespace)
            except UsageError as error:
                problem = error.problem
            if f"{option} {pipe}: is " in problem:
                refused.add((verb, option))
            elif spool.read == [(option, pipe)]:
                read.add((verb, option))
            else:
                assert action.type in (PathRole.PROBED, *FOLDERS), (verb, option)
    assert {("predict", "--intervals"), ("compare", "CALLS"), ("scan", "--annotation"), ("embed", "--fasta")} <= read
    assert {("predict", "BUNDLE"), ("train", "--dataset"), ("compare", "--json"), ("demo", "--example")} <= refused
    assert {verb.split()[0] for verb, _ in verb_parsers()} == set(VERBS)


def test_a_comparison_reads_all_of_its_inputs_from_pipes(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "a.json"
    with ExitStack() as stack:
        annotation = genome.annotation.read_bytes() + b"# " + b"x" * 200_000
        calls, genes = (stack.enter_context(pipe_of(annotation)) for _ in range(2))
        fasta = stack.enter_context(pipe_of(genome.fasta.read_bytes()))
        files = [calls, "--annotation", genes, "--fasta", fasta]
        assert main(["compare", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    levels = json.loads(figures.read_text())
    assert levels["half"]["annotated"] == levels["half"]["called"] == len(genome.genes)


@pytest.mark.parametrize("verb", ["build", "memory", "train", "tune", "embed", "profile", "doctor"])
def test_a_pipe_in_a_key_that_a_verb_reads_once_more_is_refused_by_the_key(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({"sources": [genome.source()], "model": {"embedding_file": "pipe"}}))
    rest = {"embed": ["--fasta", str(genome.fasta)], "build": [], "doctor": []}.get(verb, ["--dataset", "d"])
    arguments = [verb, *(["--experiment"] if verb == "doctor" else []), str(path), *rest]
    arguments += [] if verb in ("memory", "doctor") else ["--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert (
        f"model.embedding_file {tmp_path}/pipe: is a pipe, which can be read only once: write it to a file"
        in " ".join(capsys.readouterr().err.split())
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["tune", "doctor"])
def test_a_source_that_is_a_pipe_is_refused_where_it_would_be_read_again(
    genome: GenomeFiles, tmp_path: Path, verb: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    experiment = Experiment.model_validate({"sources": [genome.source() | {"annotation": str(tmp_path / "pipe")}]})
    with pytest.raises(UsageError, match=r"sources\.0\.annotation .*pipe: is a pipe"):
        input_files.take_experiment(experiment, verb, None)
    assert input_files.take_experiment(experiment, "train", None) is experiment


def test_an_estimate_reads_sources_and_the_experiment_from_pipes(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"sources": [genome.source() | {"exclude": "/dev/null"}]}
    with ExitStack() as stack:
        experiment = stack.enter_context(pipe_of(yaml.safe_dump(document).encode()))
        annotation = stack.enter_context(pipe_of(genome.annotation.read_bytes()))
        fasta = stack.enter_context(pipe_of(genome.fasta.read_bytes()))
        flags = ["--sources.0.annotation", annotation, "--sources.0.fasta", fasta]
        assert main(["build", experiment, "--dry-run", *flags]) == 0, capsys.readouterr().err
    piped = capsys.readouterr().out
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(document))
    assert main(["build", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out == piped


def test_a_relative_path_in_a_piped_experiment_is_refused(
    genome: GenomeFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"sources": [genome.source() | {"fasta": "genome.fa"}]}
    with pipe_of(yaml.safe_dump(document).encode()) as pipe:
        assert main(["build", pipe, "--dry-run"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert (
        f"{pipe}: sources.0.fasta is a relative path, and the experiment is in no local folder: write it in full"
        in shown
    )


def test_relative_paths_of_an_experiment_by_a_number_are_those_of_its_folder(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = genome.fasta.parent / "experiment.yaml"
    path.write_text(yaml.safe_dump({"sources": [genome.source() | {"fasta": genome.fasta.name}]}))
    # As in `raygene build /dev/stdin < experiment.yaml`.
    with path.open("rb") as stream:
        assert main(["build", f"/dev/fd/{stream.fileno()}", "--dry-run"]) == 0
    assert "The dataset would have" in capsys.readouterr().out


def test_an_error_in_a_pipe_names_the_pipe(genome: GenomeFiles, capsys: pytest.CaptureFixture[str]) -> None:
    with pipe_of(b"chr1\t9\tx\n") as pipe:
        arguments = ["compare", pipe, "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
        assert main(arguments) == 1
    assert f"error: {pipe}: line 1: " in " ".join(capsys.readouterr().err.split())


def test_one_pipe_for_two_options_is_refused(genome: GenomeFiles, capsys: pytest.CaptureFixture[str]) -> None:
    with pipe_of(genome.annotation.read_bytes()) as pipe:
        assert main(["compare", pipe, "--annotation", pipe, "--fasta", str(genome.fasta)]) == 2
    assert "the same pipe as" in " ".join(capsys.readouterr().err.split())


def test_a_named_pipe_is_not_replaced_by_a_result(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    files = [str(genome.annotation), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--json", str(tmp_path / "pipe")]) == 2
    assert "pipe: is not a regular file: name a file" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(StorageError, match="pipe: is no regular file"):
        storage.write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


def test_a_job_is_not_sent_with_what_only_this_process_has(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pipe_of(b"") as pipe:
        job = ["compare", pipe, "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
        assert main(["submit", "run", "--address", "http://127.0.0.1:1", "--", *job]) == 2
    assert f"CALLS {pipe}: is a pipe, which can be read only once" in " ".join(capsys.readouterr().err.split())
    # A number that no process reaches: other tests may have left files open until they are collected.
    absent = "/dev/fd/99999999"
    job = ["compare", absent, "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["submit", "run", "--address", "http://127.0.0.1:1", "--", *job]) == 2
    assert f"CALLS {absent}: of this process, which a job does not have" in " ".join(capsys.readouterr().err.split())
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({"sources": [genome.source() | {"fasta": "/dev/stdin"}]}))
    job = ["build", str(path), "--output", "/data/d"]
    assert main(["submit", "run", "--address", "http://127.0.0.1:1", "--", *job]) == 2
    assert "sources.0.fasta /dev/stdin: " in " ".join(capsys.readouterr().err.split())
