"""What a search costs beside its trials, and whether small models overfit less.

    python benchmarks/study.py [--trials 16] [--by-hand 4] [--only PART …] [--work DIR]
    python benchmarks/study.py --overfit --data DIR [--work DIR] [--embeddings 8 32 128] [--hiddens 8 32 64 128] [--seeds 3] [--epochs 6]
        [--precision bf16]

The first builds the example genome and runs a campaign of so many trials on it, some of which cannot fit the size of device
stated; measures what Ray Tune adds to trials of one process, one at a time; and holds a campaign against the same trials
trained by `raygene train` one after another. Figures go to benchmarks/results/tuning.json; minutes on two cores.

The second trains every pair of embedding and hidden size with several seeds on chromosome 1 of A. thaliana (crops of one length,
negatives of their gene's GC), none of them stopped early, and tells the gap between train and validation by size with 95 %
intervals. Figures go to benchmarks/results/overfit.json, pictures beside it, the page to DIR/overfit/report.html; hours on two cores, and the same
command goes on after a kill.
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

# This file and one beside it are named like packages, and Python looks beside the script first.
sys.path[0] = sys.argv[0] = str(Path(__file__).parents[1])

import matplotlib

from cluster import connection
from cluster.experiment import Experiment, load
from cluster.terminal import Terminal
from pipelines.build import pipeline
from pipelines.progress import Silent
from training.distributed.launch import ENVIRONMENT
from training.distributed.train import train
from training.observability import journal
from tuning import keys, summary
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
Figures = dict[str, Any]
SCORE, GAP = attrgetter("score"), attrgetter("gap")


def base_of(experiment: Experiment) -> Figures:
    """The sections of an experiment as a campaign takes them."""
    return {name: value for name, value in experiment.resolved().items() if name != "tuning"}


def built(experiment: Experiment, output: Path) -> Path:
    """Build a dataset, unless it is there."""
    pipeline.build(experiment.dataset("benchmark"), output, nullcontext, Silent())
    return output


def run(base: Figures, dataset: Path, output: Path, **tuning: Any) -> tuple[list[Trial], float]:
    """A campaign anew, and its seconds."""
    shutil.rmtree(output, ignore_errors=True)
    began = time.monotonic()
    config = TuningConfig.model_validate(tuning)
    ledger, _ = tune(Study(config, base, dataset, output), nullcontext, Terminal())
    return ledger.trials, time.monotonic() - began


def computing(output: Path, trials: list[Trial], what: str = "seconds") -> float:
    """Seconds that trials have trained and validated; with `trial_seconds`, that their function has run."""
    ledger = TrialStore(output)
    return sum(record[what] for trial in trials for record in ledger.epochs(trial))


def campaign(base: Figures, dataset: Path, work: Path, trials: int) -> Figures:
    """The whole campaign, with what cannot fit."""
    found, seconds = run(base, dataset, work / "campaign", space=SPACE, trials=trials, device_memory=DEVICE)
    states = {name: sum(one.state == name for one in found) for name in sorted({one.state for one in found})}
    best = summary.best(found, "auroc")
    return {
        "trials": len(found),
        "seconds": round(seconds, 1),
        "stated device memory": DEVICE,
        "states": states,
        "best validation AUROC": best.validation_auroc if best else None,
        "largest share of its foretold memory": max(
            round(one.memory_measured / one.memory_predicted, 2)
            for one in found
            if one.memory_measured and one.memory_predicted
        ),
    }


def overhead(base: Figures, dataset: Path, work: Path) -> Figures:
    """What a trial costs beside its training, one at a time: process, opening, reports, rows and checkpoints."""
    few = {**base, "training": {**base["training"], "epochs": 1}}
    space = {"model.hidden": [8, 12, 16, 20, 24, 28]}
    output = work / "overhead"
    found, seconds = run(few, dataset, output, space=space, search="grid", scheduler="none", concurrent=1)
    return shares(output, found, seconds)


def shares(output: Path, found: list[Trial], seconds: float) -> Figures:
    """Where the seconds of a campaign with one trial at a time have gone."""
    trained, ran = computing(output, found), computing(output, found, "trial_seconds")
    return {
        "trials": len(found),
        "seconds": round(seconds, 1),
        "training and validation": round(trained, 1),
        "scheduler and processes, per trial": round((seconds - ran) / len(found), 2),
        "opening, gap, rows and checkpoints, per trial": round((ran - trained) / len(found), 2),
    }


def by_hand(base: Figures, dataset: Path, work: Path, trials: int) -> Figures:
    """A campaign without early stops, and the same trials by Ray Train one after another."""
    few = {**base, "training": {**base["training"], "epochs": 2}}
    output = work / "together"
    space = {"model.hidden": list(range(8, 8 + 4 * trials, 4))}
    found, together = run(few, dataset, output, space=space, search="grid", scheduler="none")
    began, equal = time.monotonic(), True
    for one in found:
        model, training = keys.configured(few, one.parameters, one.seed, 1)
        alone = work / "alone" / str(one.number)
        shutil.rmtree(alone, ignore_errors=True)
        trained = train(model, training, dataset, alone, Silent(), few)
        equal &= abs(trained.config["metrics"]["validation_auroc"] - (one.validation_auroc or 0)) < 1e-4
    apart = time.monotonic() - began
    slow = sum(record["seconds"] for path in (work / "alone").glob("*/metrics.jsonl") for record in journal.read(path))
    return {
        "trials": len(found),
        "campaign, s": round(together, 1),
        "one after another, s": round(apart, 1),
        "times as fast": round(apart / together, 2),
        "training within the campaign, s": round(computing(output, found), 1),
        "training one after another, s": round(slow, 1),
        "the same figures": bool(equal),
    }


def costs(given: argparse.Namespace) -> None:
    """The first of the two."""
    experiment = load(YEAST, {("training", "epochs"): given.epochs or 3})
    base = base_of(experiment)
    with connection.connect(experiment.cluster, Silent(), verbose=False, workers=ENVIRONMENT):
        dataset = built(experiment, given.work / "yeast")
        parts: dict[str, Callable[[], Figures]] = {
            "campaign": lambda: campaign(base, dataset, given.work, given.trials),
            "overhead": lambda: overhead(base, dataset, given.work),
            "by hand": lambda: by_hand(base, dataset, given.work, given.by_hand),
        }
        target = HERE / "results" / "tuning.json"
        figures: Figures = json.loads(target.read_text()) if target.exists() else {}
        figures["machine"] = {"cpus": connection.usable_cpus(), "processor": platform.machine()}
        for name in given.only or parts:
            busy = round(os.getloadavg()[0], 1)
            figures[name] = parts[name]() | {"load before": busy}
    store(figures, "tuning.json")


def overfit(given: argparse.Namespace) -> None:
    """The second of the two."""
    changed: dict[tuple[str | int, ...], Any] = {
        ("sources", 0, "fasta"): str(given.data / f"{FILES}_GCF_000001735.4_TAIR10.1_genomic.fna.gz"),
        ("sources", 0, "annotation"): str(given.data / f"{FILES}.gff.gz"),
        ("training", "epochs"): given.epochs or 6,
        ("training", "precision"): given.precision,
    }
    experiment = load(THALIANA, changed)
    base = base_of(experiment)
    space = {"model.embedding": given.embeddings, "model.hidden": given.hiddens}
    config = TuningConfig.model_validate(
        {"space": space, "search": "grid", "scheduler": "none", "seeds": given.seeds, "gap_rows": 4096}
    )
    with connection.connect(experiment.cluster, Silent(), verbose=False, workers=ENVIRONMENT):
        dataset = built(experiment, given.work / "arabidopsis")
        ledger, _ = tune(Study(config, base, dataset, given.work / "overfit"), nullcontext, Terminal())
    found = ledger.trials
    figures: Figures = {
        "epochs": base["training"]["epochs"],
        "precision": given.precision,
        "seeds": given.seeds,
        "gap": "train - validation, AUROC",
    }
    figures["sizes"] = [
        {
            "embedding": one.embedding,
            "hidden": one.hidden,
            "validation": told(one.score),
            "gap": told(one.gap),
            "train": told(trained(found, one.embedding, one.hidden)),
            "best epoch": told(trained(found, one.embedding, one.hidden, "best_epoch")),
        }
        for one in summary.sizes(found, base, "auroc")
    ]
    for key in ("model.embedding", "model.hidden"):
        figures[f"{key} above 32 against 32"] = {
            "gap": told(against(found, key, "gap")),
            "validation": told(against(found, key, "value")),
        }
    store(figures, "overfit.json")
    # The same bytes for the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "overfit"
    sizes = summary.sizes(found, base, "auroc")
    for name, value, colours in (("score", SCORE, "viridis"), ("gap", GAP, "magma")):
        picture = page.heatmap(sizes, value, colours)
        picture.savefig(HERE / "results" / f"overfit-{name}.svg", metadata={"Date": None}, facecolor="white")


def trained(trials: list[Trial], embedding: int, hidden: int, what: str = "train_auroc") -> summary.Mean:
    """Another figure of the trials of a size."""
    sizes = {"model.embedding": embedding, "model.hidden": hidden}
    return summary.mean([getattr(one, what) for one in trials if one.parameters == sizes])


def against(trials: list[Trial], key: str, figure: str) -> summary.Mean:
    """By how much a figure is higher above 32 than at 32, over pairs alike in the other size and the seed."""
    rows = {(json.dumps(one.parameters, sort_keys=True), one.seed): one for one in trials}
    differences = []
    for one in trials:
        if one.parameters[key] <= 32:
            continue
        same = rows.get((json.dumps({**one.parameters, key: 32}, sort_keys=True), one.seed))
        if same is not None:
            there, here = (getattr(each, figure)("auroc") for each in (one, same))
            differences += [] if there is None or here is None else [there - here]
    return summary.mean(differences)


def told(found: summary.Mean) -> Figures:
    """A mean in JSON."""
    return {
        "mean": round(found.value, 5) if found.count else None,
        "± 95 %": None if found.half is None else round(found.half, 5),
        "n": found.count,
    }


def store(figures: Figures, name: str) -> None:
    """Write and show figures."""
    text = json.dumps(figures, indent=1)
    (HERE / "results" / name).write_text(text + "\n")
    print(text)


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overfit", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RAYGENE_DATA", "data")))
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--by-hand", type=int, default=4)
    parser.add_argument("--only", nargs="+", choices=("campaign", "overhead", "by hand"))
    parser.add_argument("--embeddings", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--hiddens", type=int, nargs="+", default=[8, 32, 64, 128])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="passes over train (default: 3, or 6 with --overfit)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="with --overfit: bf16 takes half the time on a CPU that has it",
    )
    given = parser.parse_args()
    given.work, given.data = given.work.absolute(), given.data.absolute()
    (overfit if given.overfit else costs)(given)


if __name__ == "__main__":
    main()
