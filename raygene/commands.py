"""Verbs of the command line as functions: the same checks, files and resumption, and errors that are raised.

Progress is shown on standard error and the result on standard output, as the commands do. Ray is started for what needs
it, and closed at the end; a Ray that this process is connected to is used and left open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.bundle.bundle import Bundle

StrPath = str | os.PathLike[str]
Keys = Mapping[str, object] | None
"""Configuration keys and their values, such as `{"training.epochs": 3}`; they take the place of the experiment's."""


def run(*command_line: object) -> int:
    """Run a command line, such as `run("evaluate", "run/bundle", "--dataset", "data")`, in this process.

    Args:
        command_line: the verb and what follows it; each is turned into text.

    Returns:
        The exit status: 0, but for a verb such as `doctor`, which reports problems by it.

    Raises:
        RaygeneError: what the command would show as one line.
    """
    from cluster import cli
    from cluster.screen.terminal import Terminal

    terminal = Terminal()
    try:
        return cli.run([str(part) for part in command_line], terminal)
    finally:
        terminal.flush()


def build(experiment: StrPath, output: StrPath, keys: Keys = None) -> dict[str, Any]:
    """Build a token dataset.

    Args:
        experiment: the experiment file.
        output: directory of the dataset.
        keys: configuration keys in place of the experiment's.

    Returns:
        The dataset's manifest.

    Raises:
        RaygeneError: a wrong value, or inputs that cannot be used.
    """
    from pipelines.dataset.manifest import read_manifest

    run("build", experiment, "--output", output, *_keys(keys))
    return read_manifest(Path(output))


def train(experiment: StrPath, dataset: StrPath, output: StrPath, keys: Keys = None) -> Bundle:
    """Train a model, or continue the training that was interrupted.

    Args:
        experiment: the experiment file.
        dataset: directory of the dataset.
        output: directory of the run; its bundle is `output/bundle`.
        keys: configuration keys in place of the experiment's.

    Returns:
        The trained model.

    Raises:
        RaygeneError: a wrong value, or a lack of memory or workers.
    """
    from training.bundle.bundle import load

    run("train", experiment, "--dataset", dataset, "--output", output, *_keys(keys))
    return load(Path(output) / "bundle")


def annotate(
    bundle: StrPath,
    fasta: StrPath,
    output: StrPath,
    *,
    gtf: StrPath | None = None,
    proteins: StrPath | None = None,
    cds: StrPath | None = None,
    bigwig: StrPath | None = None,
    min_score: float = 0.0,
    genetic_code: int | None = None,
    discard_scores: bool = False,
    workers: int | None = None,
    device: str = "auto",
    keys: Keys = None,
) -> dict[str, Any]:
    """Find the gene models of a whole genome.

    Args:
        bundle: directory or address of a model of gene structure.
        fasta: the genome.
        output: GFF3 file of the gene models.
        gtf, proteins, cds, bigwig: further files, if given.
        min_score: genes of lower scores are left out.
        genetic_code: NCBI's number (default: as in training).
        discard_scores: remove the scores, which another run with other settings would read.
        workers: actors that score (default: one for every GPU, else for every CPU).
        device: cpu, cuda or auto.
        keys: configuration keys of the section `cluster`.

    Returns:
        The record, which is the JSON file next to `output`: `counts`, the SHA-256 of `files`, and the settings.

    Raises:
        RaygeneError: a model of another task, or inputs that cannot be used.
    """
    flags = {
        "gtf": gtf,
        "proteins": proteins,
        "cds": cds,
        "bigwig": bigwig,
        "min-score": min_score,
        "genetic-code": genetic_code,
        "discard-scores": discard_scores,
        "workers": workers,
        "device": device,
    }
    run("annotate", bundle, "--fasta", fasta, "--output", output, *_flags(flags), *_keys(keys))
    return _record(output)


def scan(
    bundle: StrPath,
    fasta: StrPath,
    output: StrPath,
    *,
    high: float | None = None,
    low: float | None = None,
    min_length: int | None = None,
    window: int | None = None,
    stride: int | None = None,
    orfs: bool = False,
    workers: int | None = None,
    device: str = "auto",
    keys: Keys = None,
) -> dict[str, Any]:
    """Find genes in a whole genome with a model that recognises them.

    Args:
        bundle: directory or address of a model that was trained on windows.
        fasta: the genome.
        output: GFF3 file of the calls; BED and bedGraph files are written next to it.
        high, low: a call begins with a score of `high`, and reaches as far as scores are at least `low`.
        min_length: bases of the shortest call.
        window: bases of a window (default: as in training).
        stride: bases between the starts of windows (default: a quarter of a window).
        orfs: call gene models from start to stop codon.
        workers: actors that score (default: one for every GPU, else for every CPU).
        device: cpu, cuda or auto.
        keys: configuration keys of the section `cluster`.

    Returns:
        The record, which is the JSON file next to `output`: `counts`, the SHA-256 of `files`, and the settings.

    Raises:
        RaygeneError: a model of another task, or inputs that cannot be used.
    """
    flags = {
        "high": high,
        "low": low,
        "min-length": min_length,
        "window": window,
        "stride": stride,
        "orfs": orfs,
        "workers": workers,
        "device": device,
    }
    run("scan", bundle, "--fasta", fasta, "--output", output, *_flags(flags), *_keys(keys))
    return _record(output)


def predict(
    bundle: StrPath,
    output: StrPath,
    *,
    fasta: StrPath | None = None,
    intervals: StrPath | None = None,
    sequences: StrPath | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> tuple[Path, Path]:
    """Score intervals of a genome, or the sequences of a FASTA file; for sequences in memory see `Bundle.score`.

    Args:
        bundle: directory or address of a model that recognises genes.
        output: FILE.bed or FILE.tsv; both are written.
        fasta: the genome of `intervals`.
        intervals: BED, GFF3 or GTF.
        sequences: FASTA of sequences, in place of `fasta` and `intervals`.
        workers: Ray actors that score (default: this process scores).
        device: cpu, cuda or auto.

    Returns:
        Paths of the BED and of the TSV file.

    Raises:
        RaygeneError: a model of another task, or inputs that cannot be used.
    """
    flags = {"fasta": fasta, "intervals": intervals, "sequences": sequences, "workers": workers, "device": device}
    run("predict", bundle, "--output", output, *_flags(flags))
    return Path(output).with_suffix(".bed"), Path(output).with_suffix(".tsv")


def _flags(values: Mapping[str, object]) -> list[str]:
    """The arguments for options: None and False leave an option out, True is one without a value."""
    arguments = []
    for name, value in values.items():
        if value is not None and value is not False:
            arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return arguments


def _keys(keys: Keys) -> list[str]:
    """The arguments for configuration keys."""
    arguments = []
    for name, value in (keys or {}).items():
        values = [value] if isinstance(value, str) or not isinstance(value, list | tuple) else value
        arguments += [f"--{name}", *map(_text, values)]
    return arguments


def _text(value: object) -> str:
    """A value as a command line has it."""
    return value if isinstance(value, str) else str(value) if isinstance(value, os.PathLike) else json.dumps(value)


def _record(output: StrPath) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path(output).with_suffix(".json").read_text(encoding="utf-8"))
    return record
