"""Gene structure learnt from few genes of a species: from drawn weights, and from a model of other species.

    python benchmarks/finetuning.py "S. pombe" --dataset DATASET --fasta FASTA --annotation GFF3 --bundle RUN/bundle
        --results FILE
    python benchmarks/finetuning.py "A. thaliana" --dataset DATASET --fasta FASTA --annotation GFF3 --bundle yeast

DATASET is built from the experiment in examples/structure that `TARGETS` names, and FASTA and GFF3 are the files of
that experiment. The bundle is a model of examples/structure/cerevisiae.yaml for S. pombe, and the included model
`yeast` for A. thaliana. Both starts have the network of the bundle. A share of train is drawn by seed as pieces of
three windows, 30 kb, and as many pieces of validation, at most 15; nothing else of the target is read. Both starts take
as many steps on the same pieces, and are compared with the annotation of a region that neither has seen. The bundle as
it is comes first. --starts names what else can be measured: rates exchanged, layer decay, the head alone.

The loop is that of `raygene train`, in this process. Figures go to --results, by default
benchmarks/results/finetuning.json, after every run; what is stored there is not repeated, and a run that was killed is
resumed, without a figure of its CPU seconds. A file has the figures of one bundle for each target: a bundle that was
trained anew needs another file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.process.commands import raygene
from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from cluster.experiment import load
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome.fasta import open_genome
from pipelines.progress import Silent
from pipelines.structure.states import INTERGENIC, MASKED, unpack
from training.bundle import bundle, included_models, start
from training.bundle.weights import architecture
from training.distributed.resume import resume
from training.distributed.run_key import run_key
from training.distributed.train import Run
from training.engine import loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.observer import Observer
from training.splits import open_splits

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "finetuning.json"
PIECE = 3
"""Windows of a piece."""
MOST_PIECES = 15
"""Of validation, which costs a decode after every epoch."""
DRAWN = "drawn weights"
STARTS: dict[str, dict[str, Any]] = {
    DRAWN: {"learning_rate": 0.004},
    "model": {"learning_rate": 0.001},
    "model, layer decay 0.8": {"learning_rate": 0.001, "layer_decay": 0.8},
    "model, rate of drawn weights": {"learning_rate": 0.004},
    "model, head alone": {"learning_rate": 0.004, "freeze_body": -1},
    "drawn weights, rate of model": {"learning_rate": 0.001},
}
MAIN = list(STARTS)[:2]


@dataclass(frozen=True)
class Target:
    """A species whose genes are learnt.

    Attributes:
        experiment: in examples/structure; its dataset is learnt from, in its way but for rate and epochs.
        chromosome: what is evaluated is on it.
        first, last: the bases that are evaluated [first, last), which the experiment's test split holds.
        epochs: by share of train.
    """

    experiment: str
    chromosome: str
    first: int
    last: int
    epochs: dict[float, int]

    @property
    def region(self) -> str:
        """What is evaluated, as flags name it."""
        return f"{self.chromosome}:{self.first + 1}-{self.last}"


TARGETS = {
    # Some 300 steps of two windows, 370 and 9,100.
    "S. pombe": Target("pombe.yaml", "III", 0, 2_452_883, {0.01: 60, 0.1: 8, 1.0: 20}),
    # 330 steps, 440 and 17,600; of the test split its first two megabases.
    "A. thaliana": Target("arabidopsis.yaml", "NC_003070.9", 24_000_000, 26_000_000, {0.01: 30, 0.1: 4, 1.0: 16}),
}
LEVELS = {"CDS bases": "cds_base", "coding exons": "cds_exon", "introns": "intron", "exact CDS": "cds"}
"""Name of a figure to that of its level in a comparison."""
Figures = dict[str, Any]


@dataclass
class Workspace:
    """The inputs of a measurement, where it works, and what is stored of it."""

    target: Target
    dataset: Path
    fasta: Path
    annotation: Path
    bundle: str
    work: Path
    stored: Figures
    results: Path

    def store(self) -> None:
        """Write everything known so far."""
        storage.write_json(self.results, self.stored)


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


def evaluated_bases(workspace: Workspace) -> Path:
    """A FASTA of the evaluated bases alone, under the name of their chromosome."""
    target, path = workspace.target, workspace.work / f"{workspace.target.chromosome}.fa"
    if not path.exists():
        genome = open_genome("genome", workspace.fasta, Silent())
        bases = bytes(genome.sequence(target.chromosome, target.first, target.last))
        path.write_bytes(f">{target.chromosome}\n".encode() + bases + b"\n")
    return path


def moved(rows: Iterable[str], bases: int) -> Iterator[str]:
    """Rows of a GFF3 file so many bases further along their sequence; comments are left out."""
    for row in rows:
        if not row.startswith("#"):
            columns = row.split("\t")
            columns[3:5] = [str(int(column) + bases) for column in columns[3:5]]
            yield "\t".join(columns)


def evaluate(workspace: Workspace, model: str | Path, folder: Path) -> Figures:
    """Annotate the evaluated bases, and compare with their genes."""
    folder.mkdir(parents=True, exist_ok=True)
    called, calls, report = folder / "called.gff3", folder / "genes.gff3", folder / "compared.json"
    raygene(
        "annotate", model, "--fasta", evaluated_bases(workspace), "--output", called, "--workers", "1", is_quiet=True
    )
    with called.open() as rows:
        calls.write_text("##gff-version 3\n" + "".join(moved(rows, workspace.target.first)))
    known = ("--annotation", workspace.annotation, "--annotation-types", "mRNA", "--region", workspace.target.region)
    raygene("compare", calls, "--fasta", workspace.fasta, *known, "--json", report, "--samples", "0", is_quiet=True)
    return figures_of(json.loads(report.read_text()))


def figures_of(report: Figures) -> Figures:
    """F1, precision and sensitivity of each level of a comparison."""
    return {
        name: {key: report[level][key] for key in ("f1", "precision", "sensitivity")} for name, level in LEVELS.items()
    }


def measure(workspace: Workspace, share: float, name: str, seed: int) -> Figures:
    """Train from a start on a share, and compare what it annotates."""
    values = load(ROOT / "examples" / "structure" / workspace.target.experiment, {})
    train, validation = open_splits(workspace.dataset)
    count = round(share * len(train) / PIECE)
    if share < 1:
        train = part_of(train, count, seed)
    validation = part_of(validation, min(count, MOST_PIECES), seed)
    changes = STARTS[name] | {"epochs": workspace.target.epochs[share], "seed": seed}
    if not name.startswith(DRAWN):
        changes["start_from"] = workspace.bundle
    folder = workspace.work / f"{share:g}-{seed}-{list(STARTS).index(name)}"
    folder.mkdir(parents=True, exist_ok=True)
    # The task of both splits: its defaults, and the tokenizer that the bundle is checked against.
    other = bundle.load(workspace.bundle)
    task = other.task
    model = task.model(architecture(other.config["model"], workspace.bundle))
    # bf16 is slower than fp32 on many CPUs.
    training = task.training(values.training.model_copy(update=changes | {"precision": "fp32"}))
    source = start.source(model, training, task, train.tokenizer)
    key = run_key(model, training, f"{train.manifest['fingerprint']} {share}")
    run = Run(model, training, workspace.dataset, folder, train, validation, key, source)
    began = time.process_time()
    state = loop.start(start.network(task, model, training, train.tokenizer), training)
    resume(state, run.checkpoints, Alone(), loop.CPU)
    # The seconds of a run that was begun before are not all known.
    was_begun = state.epoch > 0 or state.step > 0
    objective, saving = objective_of(training, train), run.checkpoints
    loop.fit(state, train, validation, training, Alone(), loop.CPU, Saving(saving), objective=objective)
    saving.wait()
    trained = run.write_bundle(state.document(), Silent())
    return evaluate(workspace, folder / "bundle", folder) | {
        "cpu seconds": None if was_begun else round(time.process_time() - began, 1),
        "windows": len(train),
        "genes": genes_of(train),
        "validation genes": genes_of(validation),
        "steps": training.epochs * run.steps,
        "best epoch": trained.config["metrics"]["epoch"],
        "validation exon f1": trained.config["decoded"]["exon_f1"],
    }


def rows_of(figures: Figures) -> Iterator[str]:
    """Rows of a table: F1 of each level by share and start, mean and standard deviation over seeds."""
    levels = " | ".join(f"{figures['as it is'][level]['f1']:.3f}" for level in LEVELS)
    yield f"| nothing | model, as it is | – | {levels} |"
    for share, starts in figures["runs"].items():
        for name, runs in starts.items():
            cells = []
            for level in LEVELS:
                values = [run[level]["f1"] for run in runs.values()]
                deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                cells.append(f"{statistics.mean(values):.3f}{deviation}")
            genes = sorted({run["genes"] for run in runs.values()})
            between = f"{genes[0]:,} to {genes[-1]:,}" if len(genes) > 1 else f"{genes[0]:,}"
            windows = next(iter(runs.values()))["windows"]
            taken = f"{float(share):.0%}: {windows:,} windows, {between} genes"
            yield f"| {taken} | {name} | {len(runs)} | {' | '.join(cells)} |"


def main() -> None:
    """Measure what is missing, and store figures as they arrive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=tuple(TARGETS))
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--annotation", type=Path, required=True)
    parser.add_argument("--bundle", required=True, help="a path, or the name of one of raygene models")
    parser.add_argument("--work", type=Path, default=Path("finetuning-work"))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.01, 0.1, 1], choices=(0.01, 0.1, 1.0))
    parser.add_argument("--starts", nargs="+", default=MAIN, choices=tuple(STARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--epochs", type=at_least(1), help="passes over the pieces (default: by share, as in `TARGETS`)"
    )
    arguments = parse(parser, RESULTS, small=("epochs",))
    torch.set_num_threads(1)
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    results = arguments.results
    stored: Figures = read_results(results, {"machine": machine, "targets": {}})
    figures = stored["targets"].setdefault(arguments.target, {"runs": {}})
    dataset, fasta, annotation, work = (
        path.absolute() for path in (arguments.dataset, arguments.fasta, arguments.annotation, arguments.work)
    )
    source = arguments.bundle if included_models.named(arguments.bundle) else str(Path(arguments.bundle).absolute())
    work /= arguments.target
    work.mkdir(parents=True, exist_ok=True)
    target = TARGETS[arguments.target]
    if arguments.epochs:
        target = replace(target, epochs=dict.fromkeys(target.epochs, arguments.epochs))
    workspace = Workspace(target, dataset, fasta, annotation, source, work, stored, results)
    digest = bundle.load(source).fingerprint
    if figures.setdefault("bundle", digest) != digest:
        parser.error(
            f"{results} has figures of bundle {figures['bundle'][:12]}, and this is {digest[:12]}: name another file "
            "with --results"
        )
    if "as it is" not in figures:
        figures["as it is"] = evaluate(workspace, source, work / "as-it-is")
        workspace.store()
    for share in arguments.shares:
        for seed in arguments.seeds:
            for name in arguments.starts:
                of_start = figures["runs"].setdefault(f"{share:g}", {}).setdefault(name, {})
                if str(seed) not in of_start:
                    of_start[str(seed)] = measure(workspace, share, name, seed)
                    workspace.store()
                    print(f"{share:.0%}, {name}, seed {seed}:", of_start[str(seed)]["coding exons"], flush=True)
    print("\n".join(rows_of(figures)))


if __name__ == "__main__":
    main()
