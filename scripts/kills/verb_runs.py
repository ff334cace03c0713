"""A verb as a process of its own, with every process that it starts and the phase that it is in; what verbs read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kills.process_tree import ROOT, Process, descendants, marked

YEAST = ROOT / "examples" / "yeast"
VERBS = ("build", "embed", "train", "tune", "scan", "predict", "evaluate", "profile")
BEFORE, STARTING, WORKING, ENDING = PHASES = ("before Ray", "Ray starts", "work", "Ray ends")
GONE_S, RUN_S = 30, 900
EXPERIMENT: dict[str, Any] = {
    "sources": [{"genome": "R64", "feature_types": ["gene"]}],
    "negatives": {"kinds": ["shuffle", "antisense", "partial"]},
    "crop": {"length": 256},
    "tokenizer": {"k": 3, "stride": 1},
    "split": {"validation": ["III"], "test": ["VIII"]},
    "embedding": {"epochs": 2},
    "model": {"embedding": 16, "stem_stride": 3, "hidden": 16, "dropout": 0.0},
    "training": {"epochs": 4, "global_batch_size": 16, "workers": 2, "checkpoint_steps": 10, "device": "cpu"},
    "tuning": {"space": {"model.hidden": [8, 12, 16]}, "search": "grid", "scheduler": "none", "device_memory": "4GiB"},
    "cluster": {"cpus": 2, "engine": "ray"},
}


def heed_signals() -> None:
    """Undo what a child inherits: background jobs of a shell ignore SIGINT, and what `nohup` starts SIGHUP."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Run:
    """A verb that runs, and every process that it has started."""

    def __init__(self, command: list[str], folder: Path, cache: Path) -> None:
        self.mark = f"RAYGENE_KILL={uuid.uuid4().hex}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= dict([self.mark.split("=")]) | {"RAYGENE_CACHE": str(cache), "COLUMNS": "200"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.errors, self.output = folder / "stderr.txt", folder / "stdout.txt"
        self.began = time.monotonic()
        with self.errors.open("wb") as errors, self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cluster", *command],
                stdout=output,
                stderr=errors,
                env=environment,
                start_new_session=True,
                preexec_fn=heed_signals,
            )
        self.processes: set[Process] = set()
        self.phases: dict[str, float] = {BEFORE: 0.0}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def phase(self) -> str:
        return list(self.phases)[-1]

    def look(self) -> bool:
        """Look for new processes and a new phase; whether the verb still runs."""
        self.processes |= descendants(self.process.pid)
        living = [process for process in self.processes if process.is_alive()]
        names = {process.name for process in living}
        if "gcs_server" in names:
            is_working = any(process.is_working() for process in living)
            phase = WORKING if is_working or WORKING in self.phases else STARTING
        else:
            phase = ENDING if STARTING in self.phases else BEFORE
        self.phases.setdefault(phase, self.seconds)
        return self.process.poll() is None

    def wait(self, until: Callable[[], bool], timeout_s: float) -> bool:
        """Look until a condition holds; False if the time is over or the verb has ended first."""
        end = time.monotonic() + timeout_s
        while self.look():
            if until():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return False

    def wait_until_gone(self, timeout_s: float) -> list[Process]:
        """Wait until all processes are gone; those that are not."""
        end = time.monotonic() + timeout_s
        self.processes |= marked(self.mark)
        while living := [process for process in self.processes if process.is_alive()]:
            if time.monotonic() > end:
                return living
            time.sleep(0.05)
        return []

    def victims(self, name: str) -> list[Process]:
        """Living processes of Ray by name; of workers those that work, the longest first."""
        living = [process for process in self.processes if process.is_alive()]
        if name != "worker":
            return [process for process in living if process.name == name]
        return sorted((process for process in living if process.is_working()), key=lambda process: int(process.started))


class Inputs:
    """What the verbs read: an experiment, a dataset and a model, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder / "inputs", folder / "cache"
        self.experiment, self.dataset = self.folder / "experiment.yaml", self.folder / "data"
        self.bundle, self.fasta = self.folder / "run" / "bundle", YEAST / "genome.fa.gz"
        self.annotation = YEAST / "annotation.gff3.gz"
        self.folder.mkdir(parents=True, exist_ok=True)
        source = EXPERIMENT["sources"][0] | {"fasta": str(self.fasta), "annotation": str(self.annotation)}
        self.experiment.write_text(yaml.safe_dump(EXPERIMENT | {"sources": [source]}))
        for path, verb in ((self.dataset, "build"), (self.bundle, "train")):
            if not path.exists():
                finish(self.command(verb, self.folder), self.folder, self.cache)

    def command(self, verb: str, output: Path) -> list[str]:
        """The command line of a verb that writes under a folder."""
        data, genome = ["--dataset", self.dataset], ["--fasta", self.fasta]
        scores, figures = ["--output", output / "scores.tsv"], ["--json", output / "figures.json"]
        page = ["--report", output / "report.html", "--predictions", output / "predictions.tsv"]
        commands: dict[str, list[object]] = {
            "build": [self.experiment, "--output", output / "data"],
            "embed": [self.experiment, *data, "--output", output / "embedding", "--json", output / "embed.json"],
            "train": [self.experiment, *data, "--output", output / "run"],
            "tune": [self.experiment, *data, "--output", output / "study", "--training.workers", 1],
            "scan": [self.bundle, *genome, "--output", output / "calls.gff3", "--workers", 2, "--stride", 64],
            "predict": [self.bundle, *genome, "--intervals", self.annotation, *scores, "--workers", 2],
            "evaluate": [self.bundle, *data, *figures, *page],
            "profile": [self.experiment, *data, "--output", output / "profile", "--json", output / "profile.json"],
        }
        return [verb, *map(str, commands[verb])]


def finish(command: list[str], folder: Path, cache: Path) -> Run:
    """Run a verb to its end, which must be a success."""
    run = Run(command, folder, cache)
    run.wait(lambda: False, RUN_S)
    if run.process.wait() != 0:
        raise SystemExit(f"{' '.join(command)}: status {run.process.returncode}\n{run.errors.read_text()[-2000:]}")
    run.wait_until_gone(GONE_S)
    return run
