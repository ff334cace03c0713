"""How well models recognise genes, promoters and binding sites, over three seeds, next to a tuned 5-mer regression.

    python benchmarks/quality.py --data DIR [--work DIR] [--only NAME …] [--models lstm] [--seeds 0 1 2]
        [--split test] [--results FILE]

The command line makes datasets and models from the examples' configurations as they are, or from those that `raygene
init` writes for labelled sequences: `lstm` is its ensemble, `single lstm` one network of it. The regression's form,
scale and penalty are chosen on validation. Figures go to --results, by default benchmarks/results/quality.json, after
every run; a run that is stored there is not repeated. It takes about ten hours on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.process.commands import raygene
from benchmarks.process.options import add_data, parse
from benchmarks.process.results import read_results
from pipelines import decision_threshold, metrics, storage
from pipelines.audit import kmer_regression, regression_size
from pipelines.dataset.token_dataset import TokenDataset
from training.bundle import bundle
from training.engine.scoring import probabilities
from training.observability import journal
from training.observability.runlog import METRICS

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
STRENGTHS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1.0)
MOST_STEPS = 300
TOKEN_BUDGET = 65_536
STOPS = (75, 77, 85)  # TAA, TAG, TGA as numbers to the base of five, A to T being 0 to 3
GUE = "gue_promoters/prom_core_all"
CEREVISIAE = "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1"
POMBE = "schizosaccharomyces_pombe"
THALIANA = "arabidopsis_thaliana_chr1/AthaTAIR10_chr1"
SPLITS = ("train", "validation", "test")
Figures = dict[str, Any]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """A dataset to build.

    Attributes:
        example: folder under `examples/`; None for the experiment that `raygene init` writes.
        files: file under the data folder by key of the source.
        flags: further flags of `raygene build`.
        tokenizer: name of the dataset whose tokenizer is used.
    """

    example: str | None
    files: dict[str, str]
    flags: tuple[str, ...] = ()
    tokenizer: str | None = None


@dataclass(frozen=True)
class Task:
    """Models trained on one dataset and evaluated on one.

    Attributes:
        trained_on: name of the dataset trained on.
        scored_on: name of the dataset evaluated on.
        figure: the metric to compare.
        models: experiment by name, in the example of the dataset trained on.
        flags: further flags of `raygene train` by name of the model.
    """

    trained_on: str
    scored_on: str
    figure: str = "auroc"
    models: dict[str, str] = field(
        default_factory=lambda: {"lstm": "experiment.yaml", "transformer": "transformer.yaml"}
    )
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)


DATASETS = {
    "promoters": Dataset(
        "promoters", {"train": f"{GUE}/train.csv.gz", "validation": f"{GUE}/dev.csv.gz", "test": f"{GUE}/test.csv.gz"}
    ),
    "cerevisiae": Dataset(
        "cerevisiae", {"fasta": f"{CEREVISIAE}.dna.toplevel.fa.gz", "annotation": f"{CEREVISIAE}.99.gff3.gz"}
    ),
    "arabidopsis": Dataset(
        "arabidopsis",
        {"fasta": f"{THALIANA}_GCF_000001735.4_TAIR10.1_genomic.fna.gz", "annotation": f"{THALIANA}.gff.gz"},
    ),
}
_POMBE = {
    "fasta": f"{POMBE}/Schizosaccharomyces_pombe.ASM294v2.dna.toplevel.fa.gz",
    "annotation": f"{POMBE}/Schizosaccharomyces_pombe_all_chromosomes.gff3.gz",
}
_GUE = {
    "mouse": "gue_mouse_0",
    "human": "gue_human_tf_3",
    "tata": "gue_promoters/prom_300_tata",
    "notata": "gue_promoters/prom_core_notata",
    "all": GUE,
}
DATASETS |= {
    name: Dataset(
        None, {split: f"{folder}/{file}.csv.gz" for split, file in zip(SPLITS, ("train", "dev", "test"), strict=True)}
    )
    for name, folder in _GUE.items()
}
DATASETS["pombe"] = Dataset("pombe", _POMBE, tokenizer="cerevisiae")
DATASETS["pombe-all"] = Dataset("pombe", _POMBE, ("--sources.0.feature_types", "gene"), "cerevisiae")
_INIT_FLAGS: dict[str, tuple[str, ...]] = {
    "lstm": (),
    "single lstm": ("--model.ensemble=1",),
    "transformer": (
        "--model.kind=transformer",
        "--model.layers=2",
        "--model.ensemble=1",
        "--training.learning_rate=0.001",
    ),
}
TASKS = {
    "promoters": Task("promoters", "promoters", "mcc", {"lstm": "experiment.yaml"}),
    "cerevisiae": Task("cerevisiae", "cerevisiae"),
    "arabidopsis": Task("arabidopsis", "arabidopsis"),
    "pombe": Task("cerevisiae", "pombe"),
    "pombe-all": Task("cerevisiae", "pombe-all"),
    **{name: Task(name, name, "mcc", dict.fromkeys(_INIT_FLAGS, "experiment.yaml"), _INIT_FLAGS) for name in _GUE},
}


@dataclass(frozen=True)
class Workspace:
    """The folders of inputs and outputs, the split to score, the stored figures, and the datasets built."""

    data: Path
    work: Path
    split: str
    target: Path
    stored: Figures
    built: dict[str, Path] = field(default_factory=dict)

    def store(self) -> None:
        """Write everything known so far."""
        storage.write_json(self.target, self.stored)


def build(name: str, workspace: Workspace) -> Path:
    """Build a dataset, unless it is there."""
    if name in workspace.built:
        return workspace.built[name]
    dataset, output = DATASETS[name], workspace.work / "datasets" / name
    flags = [part for key, file in dataset.files.items() for part in (f"--sources.0.{key}", str(workspace.data / file))]
    if dataset.tokenizer:
        flags += ["--tokenizer.from", str(build(dataset.tokenizer, workspace))]
    experiment = folder_of(name, workspace) / "experiment.yaml"
    if not experiment.exists():
        files = [part for key, file in dataset.files.items() for part in (f"--{key}", str(workspace.data / file))]
        raygene("init", str(experiment.parent), *files)
    raygene("build", str(experiment), "--output", str(output), *flags, *dataset.flags)
    workspace.built[name] = output
    return output


def folder_of(name: str, workspace: Workspace) -> Path:
    """The folder of a dataset's experiments."""
    example = DATASETS[name].example
    return EXAMPLES / example if example else workspace.work / "experiments" / name


def run(task: Task, model: str, seed: int, workspace: Workspace) -> Figures:
    """Train a model, unless it is trained, and score the split."""
    trained_on, scored_on = (build(name, workspace) for name in (task.trained_on, task.scored_on))
    folder = workspace.work / "runs" / f"{task.trained_on}-{model}-{seed}".replace(" ", "-")
    experiment = folder_of(task.trained_on, workspace) / task.models[model]
    flags = ("--dataset", str(trained_on), "--output", str(folder), "--training.seed", str(seed))
    seconds = raygene("train", str(experiment), *flags, *task.flags.get(model, ()))
    model_bundle = bundle.load(folder / "bundle")
    scored = TokenDataset.open(scored_on, workspace.split)
    model_bundle.require_tokenizer(scored.tokenizer, str(scored_on))
    scores = probabilities(model_bundle.model, scored.tokens, scored.lengths, TOKEN_BUDGET)
    records = journal.read(folder / METRICS)
    return {
        "figures": metrics.binary_metrics(scored.labels, scores, model_bundle.config["threshold"]),
        "validation": {name: model_bundle.config["metrics"][f"validation_{name}"] for name in metrics.NAMES},
        "threshold": model_bundle.config["threshold"],
        "best epoch": model_bundle.config["metrics"]["epoch"],
        "train_seconds": round(sum(record["train_seconds"] for record in records), 1),
        "command_seconds": seconds,
    }


def forms(dataset: TokenDataset) -> Iterator[tuple[str, Matrix]]:
    """5-mers of every row as frequencies, counts, and their root and logarithm; shape (rows, 4^5) each."""
    shares = kmer_regression.dataset_frequencies(dataset, np.arange(len(dataset)))
    bases = dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()
    counts = shares * np.maximum(bases - regression_size.K + 1, 0).astype(np.float32)[:, None]
    yield from {
        "frequencies": shares,
        "roots of frequencies": np.sqrt(shares),
        "counts": counts,
        "logarithms of counts": np.log1p(counts),
    }.items()


SCALES: dict[str, Callable[[Matrix], Any]] = {
    "each column": lambda values: np.maximum(values.std(axis=0), 1e-9),
    "all columns alike": lambda values: values.std(),
}


def regression(trained_on: Path, scored_on: Path, split: str) -> Figures:
    """The 5-mer logistic regression of highest AUROC on validation; only that one is scored on the split.

    For each form and scale the strengths are tried in ascending order until one is worse than the last.
    """
    train, validation = (TokenDataset.open(trained_on, name) for name in ("train", "validation"))
    scored = TokenDataset.open(scored_on, split)
    best: Figures = {"validation_auroc": 0.0}
    chosen: Any = None
    for (form, fitted), (_, held_out), (_, to_score) in zip(
        forms(train), forms(validation), forms(scored), strict=True
    ):
        centre = fitted.mean(axis=0)
        for scale, divisor in ((name, rule(fitted)) for name, rule in SCALES.items()):
            reached = 0.0
            for strength in STRENGTHS:
                model = LogisticRegression(C=strength, max_iter=MOST_STEPS, tol=1e-3)
                model.fit((fitted - centre) / divisor, train.labels)
                on_validation = model.decision_function((held_out - centre) / divisor)
                previous, reached = reached, metrics.auroc(validation.labels, on_validation)
                if reached < previous:
                    break
                if reached > best["validation_auroc"]:
                    best = {"form": form, "scale": scale, "strength": strength, "validation_auroc": reached}
                    chosen = (
                        model,
                        (to_score - centre) / divisor,
                        decision_threshold.nearest_to(decision_threshold.LOG_ODDS, validation.labels, on_validation),
                    )
    model, rows, threshold = chosen
    return best | {"figures": metrics.binary_metrics(scored.labels, model.decision_function(rows), threshold)}


def open_frame(dataset: TokenDataset) -> float:
    """AUROC of the longest stretch free of stop codons in any of three frames, as a share of the bases."""
    bases = dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()
    codes, lengths = dataset.tokenizer.decode_bases(dataset.tokens, bases)
    ends = np.cumsum(lengths)
    return metrics.auroc(
        dataset.labels, [longest_open(codes[end - length : end]) for length, end in zip(lengths, ends, strict=True)]
    )


def longest_open(codes: NDArray[np.uint8]) -> float:
    """The longest stretch of whole codons without TAA, TAG or TGA, as a share of the codons of its frame."""
    best = 0.0
    for frame in range(min(3, len(codes) - 2)):
        codons = codes[frame : frame + (len(codes) - frame) // 3 * 3].reshape(-1, 3).astype(np.int64) @ (25, 5, 1)
        stops = np.flatnonzero(np.isin(codons, STOPS))
        runs = np.diff(np.concatenate([[-1], stops, [len(codons)]])) - 1
        best = max(best, runs.max() / len(codons))
    return best


def summary(runs: Figures, baseline: Figures, figure: str) -> Figures:
    """Mean and sample standard deviation over seeds, and how many of them it lies above the regression."""
    values = [run["figures"][figure] for run in runs.values()]
    mean, reference = statistics.mean(values), baseline["figures"][figure]
    document: Figures = {
        "figure": figure,
        "values": values,
        "mean": mean,
        "regression": reference,
        "difference": mean - reference,
    }
    if len(values) > 1:
        spread = statistics.stdev(values)
        document |= {"standard deviation": spread, "deviations above": (mean - reference) / spread if spread else None}
    return document


def measure(name: str, models: list[str], seeds: list[int], workspace: Workspace) -> None:
    """Measure and store what is not stored yet of a task."""
    task, entry = TASKS[name], workspace.stored["tasks"].setdefault(name, {})
    if "regression" not in entry:
        trained_on, scored_on = build(task.trained_on, workspace), build(task.scored_on, workspace)
        entry["regression"] = regression(trained_on, scored_on, workspace.split)
        entry["open frame"] = {"auroc": open_frame(TokenDataset.open(scored_on, workspace.split))}
        workspace.store()
    for model in [name for name in task.models if name in models]:
        runs = entry.setdefault(model, {}).setdefault("seeds", {})
        for seed in seeds:
            if str(seed) not in runs:
                runs[str(seed)] = run(task, model, seed, workspace)
            entry[model]["summary"] = summary(runs, entry["regression"], task.figure)
            workspace.store()
        print(f"{name}, {model}: {json.dumps(entry[model]['summary'])}", flush=True)


def main() -> None:
    """Measure the requested tasks, and store figures as they arrive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--work", type=Path, default=Path("quality-work"))
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--models", nargs="+", choices=list(_INIT_FLAGS), default=list(_INIT_FLAGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--split", choices=("validation", "test"), default="test", help="validation while choosing")
    arguments = parse(parser, None)
    of_split = "quality.json" if arguments.split == "test" else f"quality-{arguments.split}.json"
    target = arguments.results or HERE / "results" / of_split
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    stored = read_results(target, {"machine": machine, "tasks": {}})
    workspace = Workspace(arguments.data.absolute(), arguments.work.absolute(), arguments.split, target, stored)
    for name in arguments.only:
        measure(name, arguments.models, arguments.seeds, workspace)


if __name__ == "__main__":
    main()
