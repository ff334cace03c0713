"""Where a scan and an annotation spend CPU time on one thread, and what the fast paths of a scan save.

    python benchmarks/scan.py FASTA [--bases 1048576] [--repeats 3] [--only scan annotate] [--results FILE]

The bases are the first of the genome, in pieces as the verbs take them. All ways take turns in one process, each after
a first turn that does not count; medians go to --results, by default benchmarks/results/scan.json.

- scan: windows of 240 every 60 on both strands, by the model of examples/scan/cerevisiae.yaml. Its weights are drawn,
  which changes no time. `windows alone` cuts every window out and scores batches of them; `shared positions` is what a
  scan does. The forward pass alone is that of the same windows, encoded beforehand.
- annotate: the yeast model that comes along. Scores of all bases, their files, and decoding.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

import training
from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage
from pipelines.config import validate
from pipelines.documents import yaml_reader
from pipelines.genome import fasta, sequence
from pipelines.genome.fasta import Genome
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.annotate import decode_tasks, score_tasks, scores, sequence_scores, tiles
from training.annotate.scorer import StructureScorer
from training.annotate.tiles import Tiling
from training.config import ModelConfig
from training.decoding.settings import Settings
from training.engine.process import threads
from training.inference.scorer import ModelScorer
from training.scan import pieces, windows
from training.scan.calls import Thresholds, call_genes
from training.scan.grid import Grid

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scan.json"
EXPERIMENT = HERE.parent / "examples" / "scan" / "cerevisiae.yaml"
GRID = Grid(240, 60)
Ways = dict[str, Callable[[], Any]]


def first_bases(path: Path, bases: int, folder: Path) -> Genome:
    """A genome of one sequence: the first bases of another."""
    whole, letters = fasta.open_genome("whole", path, Silent()), b""
    for name, length in whole.lengths.items():
        letters += whole.sequence(name, 0, min(length, bases - len(letters))).tobytes()
    cut = folder / "first.fa"
    cut.write_bytes(b">first\n" + letters + b"\n")
    return fasta.open_genome("first", cut, Silent())


def cpu_seconds(ways: Ways, repeats: int) -> dict[str, float]:
    """CPU seconds of each way, in turn: medians."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            began = time.process_time()
            way()
            spent[name].append(time.process_time() - began)
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}


class WindowsAlone:
    """A model's scorer that is not asked what windows have in common."""

    def __init__(self, scorer: ModelScorer) -> None:
        self._scorer = scorer

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._scorer(codes, lengths)

    def to(self, device: torch.device) -> WindowsAlone:
        return self


def of_scan(genome: Genome, repeats: int) -> dict[str, float]:
    """CPU seconds of the parts of a scan."""
    config = validate(ModelConfig, yaml_reader.parse(EXPERIMENT.read_text())["model"], str(EXPERIMENT))
    tokenizer = Tokenizer(3, 1, "anchor")
    scorer = ModelScorer(models.fresh(config, tokenizer, 0).eval(), tokenizer)
    plan = pieces.split_sequences(genome.lengths, GRID)
    length = genome.lengths["first"]
    scored = np.concatenate([windows.score_piece(piece, genome, GRID, scorer) for piece in plan], axis=1)
    codes = sequence.base_codes(genome.sequence("first", 0, length))
    every = np.lib.stride_tricks.sliding_window_view(codes, GRID.window)[:: GRID.stride]
    sizes = np.full(len(every), GRID.window, np.int64)
    return cpu_seconds(
        {
            "reading": lambda: sequence.base_codes(genome.sequence("first", 0, length)),
            "encoding, both strands": lambda: [tokenizer.encode_many(codes, np.array([length])) for _ in "+-"],
            "windows alone": lambda: [windows.score_piece(one, genome, GRID, WindowsAlone(scorer)) for one in plan],
            "forward pass alone, both strands": lambda: [scorer(every.reshape(-1), sizes) for _ in "+-"],
            "shared positions": lambda: [windows.score_piece(one, genome, GRID, scorer) for one in plan],
            "calls": lambda: call_genes(scored, length, GRID, Thresholds()),
        },
        repeats,
    )


def of_annotation(genome: Genome, repeats: int, folder: Path) -> dict[str, float]:
    """CPU seconds of the parts of an annotation."""
    bundle = training.load("yeast")
    scorer = StructureScorer(bundle.model, bundle.tokenizer)
    tiling = Tiling.of(
        bundle.config["dataset"]["config"]["window"]["length"], int(bundle.config["model"]["stem_stride"])
    )
    plan = tiles.plan_tasks(genome.lengths, tiling)
    settings = Settings.model_validate(bundle.config["decoding"])
    scored = [score_tasks.score_pieces(task, genome, tiling, scorer) for task in plan]
    (located,) = sequence_scores.locate(plan, tiling)

    def write() -> None:
        for number, task in enumerate(scored):
            scores.write(task, score_tasks.score_path(folder, number))

    write()
    return cpu_seconds(
        {
            "scores": lambda: [score_tasks.score_pieces(task, genome, tiling, scorer) for task in plan],
            "their files": write,
            "decoding": lambda: list(decode_tasks.decode(located, genome, settings, folder, Counter())),
        },
        repeats,
    )


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fasta", type=Path, help="a genome")
    parser.add_argument("--bases", type=at_least(1), default=1 << 20)
    parser.add_argument("--repeats", type=at_least(1), default=3)
    parser.add_argument("--only", nargs="+", choices=("scan", "annotate"), default=("scan", "annotate"))
    arguments = parse(parser, RESULTS, small=("repeats",))
    target = arguments.results
    stored = read_results(target)
    stored["machine"] = {"cpus": os.cpu_count(), "platform": platform.platform()}
    with tempfile.TemporaryDirectory() as temporary, threads.limited_to(1):
        folder = Path(temporary)
        genome = first_bases(arguments.fasta, arguments.bases, folder)
        for what in arguments.only:
            seconds = (
                of_scan(genome, arguments.repeats)
                if what == "scan"
                else of_annotation(genome, arguments.repeats, folder)
            )
            megabases = genome.lengths["first"] / 1e6
            per_megabase = {name: round(spent / megabases, 3) for name, spent in seconds.items()}
            stored[what] = {"megabases": round(megabases, 3), "CPU seconds per megabase": per_megabase}
            for name, spent in per_megabase.items():
                print(f"{what}: {name}: {spent:.3f} CPU s/Mb", flush=True)
            storage.write_json(target, stored)


if __name__ == "__main__":
    main()
