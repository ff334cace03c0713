"""Which decision threshold to choose on validation: three rules, compared on test splits and on another genome.

    python benchmarks/thresholds.py --work DIR [--only NAME …] [--results FILE]

Reads the datasets and models that `benchmarks/quality.py --work DIR` has left. The rules are the threshold of highest
MCC on validation, the one nearest to 0.5 whose MCC is within a standard error of that, and 0.5 itself. They are
compared on halves of validation, of which one chooses and the other scores, and on what the models are scored on.
Figures go to --results, by default benchmarks/results/thresholds.json; those of models that --only leaves out stay
there. It takes a few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.process.options import parse
from benchmarks.process.results import read_results
from pipelines import decision_threshold, metrics, storage
from pipelines.dataset.token_dataset import TokenDataset
from training.bundle import bundle
from training.engine.scoring import probabilities

HERE = Path(__file__).parent
TOKEN_BUDGET = 65_536
REPEATS = 50
TASKS = {
    "mouse": ["mouse"],
    "human": ["human"],
    "tata": ["tata"],
    "notata": ["notata"],
    "all": ["all"],
    "cerevisiae": ["cerevisiae", "pombe", "pombe-all"],
    "arabidopsis": ["arabidopsis"],
}
"""The datasets that a model trained on each dataset is scored on."""
RULES: dict[str, Callable[[NDArray[np.int8], NDArray[np.float64]], float]] = {
    "highest": decision_threshold.of_highest_mcc,
    "nearest to 0.5": lambda labels, scores: decision_threshold.nearest_to(0.5, labels, scores),
    "0.5": lambda labels, scores: 0.5,
}


def scored(folder: Path, split: str, model: bundle.Bundle) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Labels and probabilities of a split, both of shape (rows,)."""
    rows = TokenDataset.open(folder, split)
    return rows.labels, probabilities(model.model, rows.tokens, rows.lengths, TOKEN_BUDGET)


def mcc(labels: NDArray[np.int8], scores: NDArray[np.float64], value: float) -> float:
    """Matthews correlation of the rows at or above a threshold."""
    return metrics.binary_metrics(labels, scores, value)["mcc"]


def by_halves(labels: NDArray[np.int8], scores: NDArray[np.float64]) -> dict[str, float]:
    """Mean MCC, by rule, on one half of the rows at the threshold chosen on the other."""
    draw, found = np.random.default_rng(0), {name: list[float]() for name in RULES}
    for _ in range(REPEATS):
        order = draw.permutation(len(labels))
        chosen, held_out = order[: len(order) // 2], order[len(order) // 2 :]
        for name, rule in RULES.items():
            found[name].append(mcc(labels[held_out], scores[held_out], rule(labels[chosen], scores[chosen])))
    return {name: statistics.mean(values) for name, values in found.items()}


def measure(run: Path, datasets: Path, trained_on: str) -> dict[str, Any]:
    """Everything about one model."""
    model = bundle.load(run / "bundle")
    labels, scores = scored(datasets / trained_on, "validation", model)
    values = {name: rule(labels, scores) for name, rule in RULES.items()}
    figures: dict[str, Any] = {"thresholds": values, "halves of validation": by_halves(labels, scores)}
    for name in TASKS[trained_on]:
        if (datasets / name).exists():
            rows = scored(datasets / name, "test", model)
            figures[name] = {rule: mcc(*rows, value) for rule, value in values.items()}
    return figures


def main() -> None:
    """Measure every model that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS), help="trained on")
    arguments = parse(parser, HERE / "results" / "thresholds.json")
    torch.set_num_threads(1)
    before = read_results(arguments.results, {"models": {}})["models"]
    measured: dict[str, Any] = {}
    for trained_on in arguments.only:
        for run in sorted((arguments.work / "runs").glob(f"{trained_on}-*lstm-*")):
            if (run / "bundle").exists():
                figures = measure(run, arguments.work / "datasets", trained_on)
                measured[run.name] = figures
                print(run.name, json.dumps(figures), flush=True)
    if not measured:
        parser.error(f"{arguments.work}/runs: no model; train them with benchmarks/quality.py --work {arguments.work}")
    left_out = {name: figures for name, figures in before.items() if name.partition("-")[0] not in arguments.only}
    stored = {**left_out, **measured}
    means = {
        name: {rule: statistics.mean(run[name][rule] for run in stored.values() if name in run) for rule in RULES}
        for name in ["halves of validation", *(task for tasks in TASKS.values() for task in tasks)]
        if any(name in run for run in stored.values())
    }
    storage.write_json(arguments.results, {"means": means, "models": stored})
    for name, values in means.items():
        print(f"{name}: {', '.join(f'{rule} {value:.3f}' for rule, value in values.items())}")


if __name__ == "__main__":
    main()
