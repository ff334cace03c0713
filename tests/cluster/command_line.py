"""Command lines in this process or in one of its own, and a small experiment for them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from cluster.cli import main
from tests.conftest import GenomeFiles

Finished = subprocess.CompletedProcess[str]


def run_here(*arguments: object) -> Finished:
    """Run a command line in this process: one of its own takes seconds to import, and to start Ray."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            status: Any = main(list(map(str, arguments)))
        except SystemExit as left:
            status = left.code
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def run_alone(*arguments: object, **environment: str) -> Finished:
    """Run a command line as a user does, in a process of its own, with these variables."""
    return subprocess.run(
        [sys.executable, "-m", "cluster", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
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


def one_line(done: Finished, status: int) -> str:
    """The error of a command line, which is its last line and no traceback."""
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines[-1].startswith("raygene: error: ")
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout
    return lines[-1]
