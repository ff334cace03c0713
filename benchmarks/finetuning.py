"""Gene structure of S. pombe learnt from few of its genes: from drawn weights, and from a model of S. cerevisiae.

    python benchmarks/finetuning.py --data DIR --dataset DATASET --bundle RUN/bundle [--work DIR] [--shares 0.01 0.1 1]

DATASET is built from examples/structure/pombe.yaml, DIR holds the two files that it names, and the bundle is a model of
examples/structure/cerevisiae.yaml. A share of train is drawn by seed as pieces of three windows, 30 kb, and as many
pieces of validation, at most 15; nothing else of S. pombe is read. Both starts take as many steps on the same pieces,
and are compared with the annotation on chromosome III, which neither has seen. The bundle as it is comes first.

The loop is that of `raygene train`, in this process. Figures go to benchmarks/results/finetuning.json after every run;
what is stored there is not repeated, and a run that was killed is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# `benchmarks` is imported from the root of the checkout.
sys.path[0] = str(ROOT)

import numpy as np
import torch
from numpy.typing import NDArray

from cluster.experiment import load
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome.fasta import open_genome
from pipelines.progress import Silent
from pipelines.structure.states import INTERGENIC, MASKED, unpack
from training.bundle import bundle, start
from training.distributed.resume import resume
from training.distributed.run_key import run_key
from training.distributed.train import Run
from training.engine import loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.observer import Observer
from training.splits import open_splits

TARGET = ROOT / "benchmarks" / "results" / "finetuning.json"
EXPERIMENT = ROOT / "examples" / "structure" / "pombe.yaml"
FASTA = "Schizosaccharomyces_pombe.ASM294v2.dna.toplevel.fa.gz"
ANNOTATION = "Schizosaccharomyces_pombe_all_chromosomes.gff3.gz"
EVALUATED = "III"
PIECE = 3
"""Windows of a piece."""
MOST_PIECES = 15
"""Of validation, which costs a decode after every epoch."""
STARTS: dict[str, dict[str, Any]] = {
    "drawn weights": {"learning_rate": 0.004},
    "S. cerevisiae": {"learning_rate": 0.001},
    "S. cerevisiae, layer decay 0.8": {"learning_rate": 0.001, "layer_decay": 0.8},
    "S. cerevisiae, rate of drawn weights": {"learning_rate": 0.004},
    "S. cerevisiae, head alone": {"learning_rate": 0.004, "freeze_body": -1},
}
MAIN = list(STARTS)[:2]
EPOCHS = {0.01: 60, 0.1: 8, 1.0: 20}
"""Epochs by share: some 300 steps of two windows, 370 and 9,100."""
LEVELS = {"CDS bases": "cds_base", "coding exons": "cds_exon", "introns": "intron", "exact CDS": "cds"}
"""Name of a figure to that of its level in a comparison."""
Figures = dict[str, Any]


@dataclass
class Workspace:
    """The inputs of a measurement, where it works, and what is stored of it."""

    data: Path
    dataset: Path
    bundle: Path
    work: Path
    stored: Figures

    def store(self) -> None:
        """Write everything known so far."""
        TARGET.write_text(json.dumps(self.stored, indent=1) + "\n")


class Saving(Observer):
    """Saves a checkpoint after every epoch."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def epoch_ended(self, record: loop.Record, state: loop.State) -> None:
        self._checkpoints.save(state.document())


def pieces_of(dataset: TokenDataset) -> list[NDArray[np.int64]]:
    """All pieces of a split: rows side by side."""
    stretches = dataset.stretches[:, 0]
    firsts = range(0, len(dataset) - PIECE + 1, PIECE)
    return [np.arange(at, at + PIECE) for at in firsts if stretches[at] == stretches[at + PIECE - 1]]


def part_of(dataset: TokenDataset, count: int, seed: int) -> TokenDataset:
    """A split of which only a number of pieces is left; more pieces of one seed include fewer."""
    pieces = pieces_of(dataset)
    random.Random(f"finetuning {seed}").shuffle(pieces)
    rows = np.sort(np.concatenate(pieces[:count]))
    spans = [slice(*dataset.offsets[row : row + 2].tolist()) for row in rows]
    assert dataset.states is not None
    return TokenDataset(
        dataset.manifest,
        dataset.tokenizer,
        dataset.split,
        np.concatenate([dataset.tokens[span] for span in spans]),
        np.append(0, np.cumsum(dataset.lengths[rows])),
        dataset.labels[rows],
        dataset.table.take(rows),
        np.concatenate([dataset.states[span] for span in spans]),
    )


def genes_of(dataset: TokenDataset) -> int:
    """Runs of bases that are neither intergenic nor masked, on either strand: genes, whole or in part."""
    assert dataset.states is not None
    count = 0
    for first, last in np.unique(dataset.stretches, axis=0).tolist():
        for states in unpack(dataset.states[first:last]):
            inside = np.concatenate([[False], (states != INTERGENIC) & (states != MASKED)])
            count += int((inside[1:] & ~inside[:-1]).sum())
    return count


def evaluation_genome(workspace: Workspace) -> Path:
    """A FASTA of the held-out chromosome alone."""
    path = workspace.work / f"{EVALUATED}.fa"
    if not path.exists():
        genome = open_genome("genome", workspace.data / FASTA, Silent())
        sequence = bytes(genome.sequence(EVALUATED, 0, genome.lengths[EVALUATED]))
        path.write_bytes(f">{EVALUATED}\n".encode() + sequence + b"\n")
    return path


def evaluate(workspace: Workspace, model: Path, folder: Path) -> Figures:
    """Annotate the held-out chromosome, and compare with its genes."""
    report = folder / "compared.json"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        "annotate",
        str(model),
        "--fasta",
        str(evaluation_genome(workspace)),
        "--output",
        str(folder / "genes.gff3"),
    ]
    command += ["--annotation", str(workspace.data / ANNOTATION), "--annotation-types", "mRNA"]
    subprocess.run(
        [sys.executable, "-m", "cluster", *command, "--json", str(report), "--workers", "1"],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    return figures_of(json.loads(report.read_text()))


def figures_of(report: Figures) -> Figures:
    """F1, precision and sensitivity of each level of a comparison."""
    return {
        name: {key: report[level][key] for key in ("f1", "precision", "sensitivity")} for name, level in LEVELS.items()
    }


def measure(workspace: Workspace, share: float, name: str, seed: int) -> Figures:
    """Train from a start on a share, and compare what it annotates."""
    values = load(EXPERIMENT, {})
    train, validation = open_splits(workspace.dataset)
    count = round(share * len(train) / PIECE)
    if share < 1:
        train = part_of(train, count, seed)
    validation = part_of(validation, min(count, MOST_PIECES), seed)
    changes = STARTS[name] | {"epochs": EPOCHS[share], "seed": seed}
    if name != MAIN[0]:
        changes["start_from"] = str(workspace.bundle)
    folder = workspace.work / f"{share:g}-{seed}-{list(STARTS).index(name)}"
    folder.mkdir(parents=True, exist_ok=True)
    # The task of both splits: its defaults, and the tokenizer that the bundle is checked against.
    task = bundle.load(workspace.bundle).task
    model = task.model(values.model)
    training = task.training(values.training.model_copy(update=changes))
    source = start.source(model, training, task, train.tokenizer)
    key = run_key(model, training, f"{train.manifest['fingerprint']} {share}")
    run = Run(model, training, workspace.dataset, folder, train, validation, key, source)
    began = time.process_time()
    state = loop.start(start.network(task, model, training, train.tokenizer), training)
    resume(state, run.checkpoints, Alone(), loop.CPU)
    objective, saving = objective_of(training, train), run.checkpoints
    loop.fit(state, train, validation, training, Alone(), loop.CPU, Saving(saving), objective=objective)
    saving.wait()
    trained = run.write_bundle(state.document(), Silent())
    return evaluate(workspace, folder / "bundle", folder) | {
        "cpu seconds": round(time.process_time() - began, 1),
        "windows": len(train),
        "genes": genes_of(train),
        "validation genes": genes_of(validation),
        "steps": training.epochs * run.steps,
        "best epoch": trained.config["metrics"]["epoch"],
        "validation exon f1": trained.config["decoded"]["exon_f1"],
    }


def main() -> None:
    """Measure what is missing, and store figures as they arrive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("finetuning-work"))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.01, 0.1, 1], choices=tuple(EPOCHS))
    parser.add_argument("--starts", nargs="+", default=MAIN, choices=tuple(STARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    stored: Figures = json.loads(TARGET.read_text()) if TARGET.exists() else {"machine": machine}
    data, dataset, source, work = (
        path.absolute() for path in (arguments.data, arguments.dataset, arguments.bundle, arguments.work)
    )
    workspace = Workspace(data, dataset, source, work, stored)
    workspace.work.mkdir(parents=True, exist_ok=True)
    digest = bundle.load(workspace.bundle).fingerprint
    if stored.setdefault("bundle", digest) != digest:
        parser.error(f"{TARGET} has figures of bundle {stored['bundle'][:12]}; this is {digest[:12]}")
    if "as it is" not in stored:
        stored["as it is"] = evaluate(workspace, workspace.bundle, workspace.work / "as-it-is")
        workspace.store()
    for share in arguments.shares:
        for seed in arguments.seeds:
            for name in arguments.starts:
                of_start = stored.setdefault("runs", {}).setdefault(f"{share:g}", {}).setdefault(name, {})
                if str(seed) not in of_start:
                    of_start[str(seed)] = measure(workspace, share, name, seed)
                    workspace.store()
    for share, starts in stored.get("runs", {}).items():
        for name, runs in starts.items():
            values = [run["coding exons"]["f1"] for run in runs.values()]
            deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            print(f"{share} of train, {name}: F1 of coding exons {statistics.mean(values):.3f}{deviation}")


if __name__ == "__main__":
    main()
