"""Scans a whole genome: seconds, workers, memory, and agreement with the annotation, compared with a 5-mer regression.

    python benchmarks/predict.py FASTA GFF3 [--work DIR] [--repeats 3] [--large 10] [--only accuracy time memory]
        [--results FILE]

Builds examples/scan/cerevisiae.yaml and trains its model with the command line.

- accuracy: calls on the test chromosomes at the default thresholds, compared with calling everything and with a 5-mer
  logistic regression fitted on the same windows, whose thresholds are the best on the validation chromosomes.
- time: the scan alone on a running Ray, with one and two workers in turn.
- memory: unique memory (USS) of the driver and of the largest worker for the genome and for `--large` copies of it,
  with windows next to each other.

Figures go to --results, by default benchmarks/results/predict.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import platform
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from benchmarks.process.commands import raygene
from benchmarks.process.memory import unique_bytes
from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from cluster import connection
from pipelines import storage
from pipelines.audit import kmer_regression
from pipelines.audit.kmer_regression import Regression
from pipelines.comparison.compare import compare
from pipelines.comparison.loci import Comparison
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.gene_models.reader import of_features
from pipelines.genome import annotation
from pipelines.genome.fasta import open_genome
from pipelines.genome.features import Feature
from pipelines.progress import Silent
from training.bundle import bundle
from training.inference.scorer import ModelScorer, Scorer
from training.scan import outputs, run, suitability
from training.scan.calls import Thresholds, call_genes
from training.scan.outputs import Outputs

HERE = Path(__file__).parent
EXPERIMENT = HERE.parent / "examples" / "scan" / "cerevisiae.yaml"
LEVELS = np.round(np.arange(0.1, 0.96, 0.05), 2).tolist()
MOST_ROWS = 4096
WINDOW = 240
Figures = dict[str, Any]


@dataclass(frozen=True)
class RegressionScorer:
    """A 5-mer regression as a scorer of windows."""

    regression: Regression

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        scores, ends = np.empty(len(lengths)), np.append(0, np.cumsum(lengths))
        for first in range(0, len(lengths), MOST_ROWS):
            rows = slice(first, min(first + MOST_ROWS, len(lengths)))
            shares = kmer_regression.frequencies(codes[ends[rows.start] : ends[rows.stop]], lengths[rows])
            scores[rows] = 1 / (1 + np.exp(-self.regression.scores(shares)))
        return scores

    def to(self, device: torch.device) -> RegressionScorer:
        return self


@dataclass(frozen=True)
class Bench:
    """The genome, model and folders of all measurements.

    Attributes:
        fasta, genes: the genome and its annotated genes.
        dataset: the dataset built from it.
        scorer: the trained model.
        identity: fingerprint of the model's bundle.
        config: `config.json` of the bundle.
        work: folder of all files.
    """

    fasta: Path
    genes: list[Feature]
    dataset: Path
    scorer: ModelScorer
    identity: str
    config: Figures
    work: Path

    @classmethod
    def make(cls, fasta: Path, gff3: Path, work: Path) -> Bench:
        """Build the dataset and train the model, unless that is done."""
        files = ["--sources.0.fasta", str(fasta), "--sources.0.annotation", str(gff3)]
        dataset, folder = work / "dataset", work / "run"
        raygene("build", str(EXPERIMENT), "--output", str(dataset), *files)
        raygene("train", str(EXPERIMENT), "--dataset", str(dataset), "--output", str(folder))
        model_bundle = bundle.load(folder / "bundle")
        genes = annotation.read(gff3, ["gene"], []).genes
        scorer = ModelScorer(model_bundle.model, model_bundle.tokenizer)
        return cls(fasta, genes, dataset, scorer, model_bundle.fingerprint, model_bundle.config, work)

    def job(
        self,
        name: str,
        thresholds: Thresholds,
        fasta: Path | None = None,
        scorer: Scorer | None = None,
        stride: int | None = None,
    ) -> run.Scan:
        """A scan into a folder of its own."""
        grid = suitability.grid_for_bundle(self.config, None, stride, "bundle")
        genome = run.open_genome(fasta or self.fasta, grid, Silent())
        identity = self.identity if scorer is None else name
        return run.Scan(
            scorer or self.scorer, identity, genome, grid, thresholds, Outputs.of(self.work / name / "genes.gff3")
        )

    def chromosomes(self, split: str, lengths: dict[str, int]) -> dict[str, int]:
        """The chromosomes of a split, with their lengths in bases."""
        names = {row["chromosome"] for row in read_manifest(self.dataset)["counts"] if row["split"] == split}
        return {name: length for name, length in lengths.items() if name in names}


def scanned(job: run.Scan, workers: int) -> float:
    """Seconds of a scan from nothing, on a running Ray."""
    shutil.rmtree(job.outputs.gff3.parent, ignore_errors=True)
    began = time.perf_counter()
    run.scan(job, nullcontext, workers, "cpu", Silent())
    return time.perf_counter() - began


def agreement(bench: Bench, job: run.Scan, split: str) -> Figures:
    """How calls agree with the genes of a split's chromosomes."""
    lengths = bench.chromosomes(split, job.lengths)
    comparison = compared(job.outputs.read_calls(), bench.genes, lengths)
    levels = comparison.call_sets[0].figures() | {"everything": comparison.everything}
    return {
        name: {
            "annotated": level.annotated,
            "called": level.called,
            "sensitivity": level.sensitivity,
            "precision": level.precision,
            "f1": level.f1,
        }
        for name, level in levels.items()
    }


def compared(calls: Sequence[Feature], genes: Sequence[Feature], lengths: dict[str, int]) -> Comparison:
    """Calls compared with genes on whole sequences."""
    return compare(of_features(genes), {"calls": of_features(calls)}, lengths)


def best_thresholds(bench: Bench, job: run.Scan, split: str) -> Thresholds:
    """The thresholds of the highest base-level F1 on a split's chromosomes, out of all pairs of `LEVELS`."""
    lengths = bench.chromosomes(split, job.lengths)
    tracks = {name: track for name, track in outputs.read_tracks(job.outputs, job.lengths, job.grid) if name in lengths}

    def f1_of(thresholds: Thresholds) -> float:
        called = [
            Feature(name, call.start, call.end, call.strand, "", None)
            for name, track in tracks.items()
            for call in call_genes(track, lengths[name], job.grid, thresholds)
        ]
        return compared(called, bench.genes, lengths).call_sets[0].figures()["base"].f1

    pairs = itertools.combinations_with_replacement(LEVELS, 2)
    return max((Thresholds(high, low) for low, high in pairs), key=f1_of)


def measure_accuracy(bench: Bench) -> Figures:
    """The model at its default thresholds; the regression at the best ones on validation, for base-level F1."""
    train, validation = (TokenDataset.open(bench.dataset, split) for split in ("train", "validation"))
    scorer = RegressionScorer(kmer_regression.fit_dataset(train, validation).regression)
    model, first = bench.job("model", Thresholds()), bench.job("regression", Thresholds(), scorer=scorer)
    for job in (model, first):
        run.scan(job, nullcontext, 2, "cpu", Silent())
    figures: Figures = {
        "test": list(bench.chromosomes("test", model.lengths)),
        "validation": list(bench.chromosomes("validation", model.lengths)),
        "model": agreement(bench, model, "test"),
    }
    for name, job, own in (("model", model, None), ("5-mer regression", first, scorer)):
        chosen = best_thresholds(bench, job, "validation")
        tuned = bench.job(job.outputs.gff3.parent.name, chosen, scorer=own)
        run.scan(tuned, nullcontext, 2, "cpu", Silent())
        figures[f"{name}, thresholds of validation"] = agreement(bench, tuned, "test") | {"thresholds": vars(chosen)}
    return figures


def measure_time(bench: Bench, repeats: int) -> Figures:
    """One and two workers in turn, after a first scan that is not counted."""
    job = bench.job("time", Thresholds())
    scanned(job, 2)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers, times in seconds.items():
            times.append(scanned(job, workers))
    medians = {workers: statistics.median(times) for workers, times in seconds.items()}
    bases = sum(job.lengths.values())
    return {
        "bases": bases,
        "seconds": {str(workers): [round(value, 1) for value in times] for workers, times in seconds.items()},
        "megabases a second, both strands": {
            str(workers): round(bases / median / 1e6, 3) for workers, median in medians.items()
        },
        "two workers over one": round(medians[1] / medians[2], 2),
    }


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """Watch the peak of unique memory (bytes) of this process and of any Ray worker."""
    peaks, done = {"driver": 0, "worker": 0}, threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    is_driver = int(process.name) == os.getpid()
                    if is_driver or (process / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                        name = "driver" if is_driver else "worker"
                        peaks[name] = max(peaks[name], unique_bytes(process))
                except OSError:
                    continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()


def copies(bench: Bench, count: int) -> Path:
    """A FASTA file with every sequence so many times, under other names."""
    path = bench.work / f"copies-{count}.fa"
    genome = open_genome("genome", bench.fasta, Silent())
    with path.open("w") as stream:
        for number, (name, length) in itertools.product(range(count), genome.lengths.items()):
            letters = genome.sequence(name, 0, length)[number * 7 :]
            text = letters.tobytes().decode()
            stream.write(f">{name}_{number}\n")
            stream.writelines(f"{text[at : at + 60]}\n" for at in range(0, len(text), 60))
    return path


def measure_memory(bench: Bench, large: int) -> Figures:
    """The genome, and copies of it, each by fresh actors of two workers."""
    figures: Figures = {}
    for count in (1, large):
        job = bench.job(f"memory-{count}", Thresholds(), fasta=copies(bench, count), stride=WINDOW)
        with watched() as memory:
            seconds = scanned(job, 2)
        figures[str(count)] = {
            "megabases": round(sum(job.lengths.values()) / 1e6, 1),
            "seconds": round(seconds, 1),
            **{f"{name}, MB": round(peak / 1e6) for name, peak in memory.items()},
        }
    small, copied = figures["1"], figures[str(large)]
    return figures | {f"{name}, ratio": round(copied[f"{name}, MB"] / small[f"{name}, MB"], 2) for name in memory}


def main() -> None:
    """Measure the requested parts, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fasta", type=Path)
    parser.add_argument("annotation", type=Path)
    parser.add_argument("--work", type=Path, default=Path("predict-work"))
    parser.add_argument("--repeats", type=at_least(1), default=3)
    parser.add_argument("--large", type=int, default=10)
    parser.add_argument(
        "--only", nargs="+", choices=("accuracy", "time", "memory"), default=["accuracy", "time", "memory"]
    )
    arguments = parse(parser, HERE / "results" / "predict.json")
    work = arguments.work.absolute()
    bench = Bench.make(arguments.fasta.absolute(), arguments.annotation.absolute(), work)
    connection.prepare_environment(verbose=False)
    connection.silence_ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    measures: dict[str, Callable[[], Figures]] = {
        "accuracy": lambda: measure_accuracy(bench),
        "time": lambda: measure_time(bench, arguments.repeats),
        "memory": lambda: measure_memory(bench, arguments.large),
    }
    target = arguments.results
    stored = read_results(target)
    stored["machine"] = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    for name in arguments.only:
        stored[name] = measures[name]()
        print(f"{name}: {json.dumps(stored[name])}", flush=True)
        storage.write_json(target, stored)


if __name__ == "__main__":
    main()
