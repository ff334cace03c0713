"""What a hyperparameter study costs besides its trials, and whether small models overfit less.

    python benchmarks/study.py [--configurations 16] [--single 6] [--sequential 4] [--only PART …] [--work DIR]
        [--results FILE]
    python benchmarks/study.py --overfit --data DIR [--work DIR] [--embeddings 8 32 128] [--hiddens 8 32 64 128]
        [--seeds 3] [--epochs 6] [--precision bf16] [--results FILE]

The first builds the example genome and runs a study of so many configurations on it, some of which cannot fit the
stated device memory. It measures what Ray Tune adds to trials of one process, one at a time, and compares a study with
the same trials trained by `raygene train` one after another. Figures go to --results, by default
benchmarks/results/tuning.json; minutes on two cores.

The second trains every pair of embedding and hidden size with several seeds on chromosome 1 of A. thaliana (crops of
one length, negatives with the GC content of their gene), stops none of them early, and measures the gap between train
and validation by size with 95 % intervals. Figures go to --results, by default benchmarks/results/overfit.json, with
plots next to it, the page to DIR/overfit/report.html; hours on two cores, and the same command resumes after a kill.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from operator import attrgetter
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import matplotlib

from benchmarks.process.options import add_data, at_least, parse
from benchmarks.process.results import read_results
from cluster import connection
from cluster.experiment import Experiment, load
from cluster.screen.terminal import Terminal
from pipelines import storage
from pipelines.build import pipeline
from pipelines.progress import Silent
from training.distributed.launching.launch import ENVIRONMENT
from training.distributed.train import train
from training.observability import journal
from tuning import keys, ranking, summary
from tuning.config import TuningConfig
from tuning.results import page
from tuning.study import Study, tune
from tuning.trial import Trial
from tuning.trials.store import TrialStore

HERE = Path(__file__).parent
YEAST = HERE.parent / "examples" / "yeast" / "experiment.yaml"
THALIANA = HERE.parent / "examples" / "arabidopsis" / "experiment.yaml"
FILES = "arabidopsis_thaliana_chr1/AthaTAIR10_chr1"
DEVICE = "2GiB"
SPACE: dict[str, Any] = {
    "model.embedding": {"choice": [8, 16, 32, 64]},
    "model.hidden": {"choice": [8, 16, 32, 64, 3072, 4096]},
    "training.learning_rate": {"log_uniform": [1e-3, 1e-2]},
    "model.dropout": {"uniform": [0, 0.4]},
}
BASELINE_SIZE = 32
Results = dict[str, Any]
SCORE, GAP = attrgetter("score"), attrgetter("gap")


def sections_of(experiment: Experiment) -> Results:
    """The sections of an experiment as a study takes them."""
    return {name: value for name, value in experiment.resolved().items() if name != "tuning"}


def build_dataset(experiment: Experiment, output: Path) -> Path:
    """Build a dataset, unless it exists."""
    pipeline.build(experiment.dataset("benchmark"), output, nullcontext, Silent())
    return output


def run_study(base: Results, dataset: Path, output: Path, **tuning: Any) -> tuple[list[Trial], float]:
    """The trials of a new study, and the seconds it took."""
    shutil.rmtree(output, ignore_errors=True)
    began = time.monotonic()
    config = TuningConfig.model_validate(tuning)
    store, _ = tune(Study(config, base, dataset, output), nullcontext, Terminal())
    return store.trials, time.monotonic() - began


def total_seconds(output: Path, trials: list[Trial], column: str = "seconds") -> float:
    """Seconds in which trials trained and validated; with `trial_seconds`, in which their function ran."""
    store = TrialStore(output)
    return sum(record[column] for trial in trials for record in store.epochs(trial))


def measure_study(base: Results, dataset: Path, work: Path, configurations: int) -> Results:
    """A whole study, some of whose configurations cannot fit."""
    tuning = {"space": SPACE, "configurations": configurations, "device_memory": DEVICE}
    trials, seconds = run_study(base, dataset, work / "study", **tuning)
    states = {
        state: sum(trial.state == state for trial in trials) for state in sorted({trial.state for trial in trials})
    }
    best = ranking.best(trials, "auroc")
    return {
        "trials": len(trials),
        "seconds": round(seconds, 1),
        "stated device memory": DEVICE,
        "states": states,
        "best validation AUROC": best.validation_auroc if best else None,
        "largest share of its predicted memory": max(
            round(trial.memory_measured / trial.memory_predicted, 2)
            for trial in trials
            if trial.memory_measured and trial.memory_predicted
        ),
    }


def measure_overhead(base: Results, dataset: Path, work: Path, count: int) -> Results:
    """What a trial costs besides its training, one at a time: process, opening, reports, rows and checkpoints."""
    short = {**base, "training": {**base["training"], "epochs": 1}}
    space = {"model.hidden": list(range(8, 8 + 4 * count, 4))}
    output = work / "overhead"
    trials, seconds = run_study(short, dataset, output, space=space, search="grid", scheduler="none", concurrent=1)
    trained, ran = total_seconds(output, trials), total_seconds(output, trials, "trial_seconds")
    return {
        "trials": len(trials),
        "seconds": round(seconds, 1),
        "training and validation": round(trained, 1),
        "scheduler and processes, per trial": round((seconds - ran) / len(trials), 2),
        "opening, gap, rows and checkpoints, per trial": round((ran - trained) / len(trials), 2),
    }


def compare_with_sequential(base: Results, dataset: Path, work: Path, count: int) -> Results:
    """A study without early stops, and the same trials by Ray Train one after another."""
    short = {**base, "training": {**base["training"], "epochs": 2}}
    output = work / "together"
    space = {"model.hidden": list(range(8, 8 + 4 * count, 4))}
    trials, together = run_study(short, dataset, output, space=space, search="grid", scheduler="none")
    # An earlier run may have trained more trials, whose seconds would count.
    shutil.rmtree(work / "alone", ignore_errors=True)
    began, equal = time.monotonic(), True
    for trial in trials:
        model, training = keys.trial_configs(short, trial.parameters, trial.seed, 1)
        bundle = train(model, training, dataset, work / "alone" / str(trial.number), Silent(), short)
        equal &= abs(bundle.config["metrics"]["validation_auroc"] - (trial.validation_auroc or 0)) < 1e-4
    apart = time.monotonic() - began
    logs = (work / "alone").glob("*/metrics.jsonl")
    return {
        "trials": len(trials),
        "study, s": round(together, 1),
        "one after another, s": round(apart, 1),
        "times as fast": round(apart / together, 2),
        "training within the study, s": round(total_seconds(output, trials), 1),
        "training one after another, s": round(
            sum(record["seconds"] for log in logs for record in journal.read(log)), 1
        ),
        "the same figures": bool(equal),
    }


def measure_costs(arguments: argparse.Namespace) -> None:
    """The first of the two benchmarks."""
    experiment = load(YEAST, {("training", "epochs"): arguments.epochs or 3})
    base, work = sections_of(experiment), arguments.work
    with connection.connect(experiment.cluster, Silent(), verbose=False, worker_environment=ENVIRONMENT):
        dataset = build_dataset(experiment, work / "yeast")
        parts: dict[str, Callable[[], Results]] = {
            "study": lambda: measure_study(base, dataset, work, arguments.configurations),
            "overhead": lambda: measure_overhead(base, dataset, work, arguments.single),
            "sequential": lambda: compare_with_sequential(base, dataset, work, arguments.sequential),
        }
        target = arguments.results or HERE / "results" / "tuning.json"
        results: Results = read_results(target)
        results["machine"] = {"cpus": connection.usable_cpus(), "processor": platform.machine()}
        for name in arguments.only or parts:
            # Before the part runs: what else the machine was busy with.
            load_before = round(os.getloadavg()[0], 1)
            results[name] = parts[name]() | {"load before": load_before}
            save(results, target)


def measure_overfitting(arguments: argparse.Namespace) -> None:
    """The second of the two benchmarks."""
    changes: dict[tuple[str | int, ...], Any] = {
        ("sources", 0, "fasta"): str(arguments.data / f"{FILES}_GCF_000001735.4_TAIR10.1_genomic.fna.gz"),
        ("sources", 0, "annotation"): str(arguments.data / f"{FILES}.gff.gz"),
        ("training", "epochs"): arguments.epochs or 6,
        ("training", "precision"): arguments.precision,
    }
    experiment = load(THALIANA, changes)
    base = sections_of(experiment)
    space = {"model.embedding": arguments.embeddings, "model.hidden": arguments.hiddens}
    config = TuningConfig.model_validate(
        {"space": space, "search": "grid", "scheduler": "none", "seeds": arguments.seeds, "gap_rows": 4096}
    )
    with connection.connect(experiment.cluster, Silent(), verbose=False, worker_environment=ENVIRONMENT):
        dataset = build_dataset(experiment, arguments.work / "arabidopsis")
        store, _ = tune(Study(config, base, dataset, arguments.work / "overfit"), nullcontext, Terminal())
    trials = store.trials
    sizes = summary.sizes(trials, base, "auroc")
    results: Results = {
        "epochs": base["training"]["epochs"],
        "precision": arguments.precision,
        "seeds": arguments.seeds,
        "gap": "train - validation, AUROC",
    }
    results["sizes"] = [
        {
            "embedding": size.embedding,
            "hidden": size.hidden,
            "validation": to_json(size.score),
            "gap": to_json(size.gap),
            "train": to_json(mean_of_size(trials, size.embedding, size.hidden, "train_auroc")),
            "best epoch": to_json(mean_of_size(trials, size.embedding, size.hidden, "best_epoch")),
        }
        for size in sizes
    ]
    for key in ("model.embedding", "model.hidden"):
        results[f"{key} above {BASELINE_SIZE} against {BASELINE_SIZE}"] = {
            "gap": to_json(mean_difference(trials, key, "gap")),
            "validation": to_json(mean_difference(trials, key, "value")),
        }
    target = arguments.results or HERE / "results" / "overfit.json"
    save(results, target)
    # The same bytes for the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "overfit"
    for name, value, colours in (("score", SCORE, "viridis"), ("gap", GAP, "magma")):
        figure = page.heatmap(sizes, value, colours)
        plot = target.with_name(f"{target.stem}-{name}.svg")
        figure.savefig(plot, metadata={"Date": None}, facecolor="white")


def mean_of_size(trials: list[Trial], embedding: int, hidden: int, column: str) -> summary.Mean:
    """The mean of a column over the trials of one size."""
    size = {"model.embedding": embedding, "model.hidden": hidden}
    return summary.mean([getattr(trial, column) for trial in trials if trial.parameters == size])


def mean_difference(trials: list[Trial], key: str, figure: str) -> summary.Mean:
    """The mean rise of a figure from the baseline size to larger ones.

    Pairs share the other size and the seed.

    Args:
        trials: of the study.
        key: of the size that differs.
        figure: `gap` or `value`, a method of a trial.
    """
    by_parameters = {(json.dumps(trial.parameters, sort_keys=True), trial.seed): trial for trial in trials}
    differences = []
    for trial in trials:
        if trial.parameters[key] <= BASELINE_SIZE:
            continue
        parameters = json.dumps({**trial.parameters, key: BASELINE_SIZE}, sort_keys=True)
        if (baseline := by_parameters.get((parameters, trial.seed))) is not None:
            large, small = (getattr(row, figure)("auroc") for row in (trial, baseline))
            differences += [] if large is None or small is None else [large - small]
    return summary.mean(differences)


def to_json(mean: summary.Mean) -> Results:
    """A mean in JSON."""
    return {
        "mean": round(mean.value, 5) if mean.count else None,
        "± 95 %": None if mean.half_width is None else round(mean.half_width, 5),
        "n": mean.count,
    }


def save(results: Results, target: Path) -> None:
    """Write and print results."""
    storage.write_json(target, results)
    print(json.dumps(results, indent=1))


def main() -> None:
    """Run one of the two benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overfit", action="store_true")
    add_data(parser, is_required=False)
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--configurations", type=at_least(1), default=16)
    parser.add_argument(
        "--single", type=at_least(1), default=6, help="trials whose costs besides training are measured"
    )
    parser.add_argument("--sequential", type=at_least(1), default=4, help="trials to train one after another as well")
    parser.add_argument("--only", nargs="+", choices=("study", "overhead", "sequential"))
    parser.add_argument("--embeddings", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--hiddens", type=int, nargs="+", default=[8, 32, 64, 128])
    parser.add_argument("--seeds", type=at_least(1), default=3)
    parser.add_argument("--epochs", type=at_least(1), help="passes over train (default: 3, or 6 with --overfit)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="with --overfit: bf16 takes half the time on a CPU that has it",
    )
    arguments = parse(parser, None, small=("epochs",))
    arguments.work = arguments.work.absolute()
    if arguments.overfit:
        if arguments.data is None:
            parser.error("--data: name the folder of genomes, or set RAYGENE_DATA")
        arguments.data = arguments.data.absolute()
    (measure_overfitting if arguments.overfit else measure_costs)(arguments)


if __name__ == "__main__":
    main()
