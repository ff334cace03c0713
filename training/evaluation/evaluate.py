"""Judging: the split and the genes left out are scored by every model, and rows are resampled for intervals.

Costs one pass of each model, the rules of the shortcut audit, and the bootstrap (see `pipelines.bootstrap`): of the whole split
once for every model and the best rule, and of each part of it once for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.audit import shortcuts
from pipelines.audit.shortcuts import Rule
from pipelines.build import left_out
from pipelines.build.left_out import LeftOut
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.errors import DatasetError, UsageError
from training.bundle.bundle import Bundle
from training.engine.scoring import probabilities
from training.evaluation import bootstrap, recall, slices
from training.evaluation.bootstrap import Floats, Ranked, Resampling
from training.evaluation.calibration import Calibration, calibration
from training.evaluation.recall import Recall
from training.evaluation.slices import Slice

Unit = Literal["interval", "chromosome"]
BEST_RULE = "best rule"


@dataclass(frozen=True)
class Judged:
    """One model on the split.

    Attributes:
        name: what tells it from the others.
        config: its bundle's.
        probabilities: of being a gene, shape (rows,).
        threshold: the bundle's decision threshold.
        metrics: every figure of `metrics.NAMES`.
        samples: the same of bootstrap samples, shape (samples, figures).
        slices: what the rows are parted by (`slices.BY`) to the parts.
        biotypes: recall by biotype of the genes.
        left_out: recall on the genes that the dataset leaves out; empty where there are none.
    """

    name: str
    config: dict[str, Any]
    probabilities: NDArray[np.float64]
    threshold: float
    metrics: dict[str, float]
    samples: Floats
    slices: dict[str, list[Slice]]
    biotypes: list[Recall]
    left_out: list[Recall]

    @property
    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """The 95 % interval of every figure."""
        return {name: bootstrap.interval(self.samples[:, place]) for place, name in enumerate(metrics.NAMES)}


@dataclass(frozen=True)
class Difference:
    """One model's figures minus those of another, or of a rule, on the same rows.

    Attributes:
        first, second: their names.
        values: by figure, the difference.
        intervals: by figure, its 95 % interval over paired samples.
    """

    first: str
    second: str
    values: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        dataset: the rows judged.
        models: at least one, in the order given.
        rules: trivial rules on the same rows, best AUROC first.
        rule_samples: figures of bootstrap samples of the best rule, shape (samples, figures).
        unit: what was resampled.
        resampling: how.
        keeps_left_out: whether the dataset keeps the genes it leaves out.
    """

    dataset: TokenDataset
    models: list[Judged]
    rules: list[Rule]
    rule_samples: Floats
    unit: Unit
    resampling: Resampling
    keeps_left_out: bool

    @property
    def genes(self) -> int:
        """Rows that are genes."""
        return int(self.dataset.labels.sum())

    @property
    def genomes(self) -> list[str]:
        """Of the rows, sorted."""
        return sorted(self.dataset.table["genome"].unique().to_pylist())

    @property
    def rule_intervals(self) -> dict[str, tuple[float, float] | None]:
        """The 95 % interval of every figure of the best rule."""
        return {name: bootstrap.interval(self.rule_samples[:, place]) for place, name in enumerate(metrics.NAMES)}

    @cached_property
    def calibrations(self) -> list[Calibration]:
        """Of each model."""
        return [calibration(self.dataset.labels, model.probabilities) for model in self.models]

    @cached_property
    def differences(self) -> list[Difference]:
        """Of every model to the best rule, then of every two models."""
        best = self.rules[0]
        rule = (BEST_RULE, best.metrics, self.rule_samples)
        models = [(model.name, model.metrics, model.samples) for model in self.models]
        pairs = [(model, rule) for model in models]
        pairs += [(one, other) for place, one in enumerate(models) for other in models[place + 1 :]]
        return [
            Difference(
                first,
                second,
                {name: mine[name] - theirs[name] for name in metrics.NAMES},
                {
                    name: bootstrap.interval(my_samples[:, place] - their_samples[:, place])
                    for place, name in enumerate(metrics.NAMES)
                },
            )
            for (first, mine, my_samples), (second, theirs, their_samples) in pairs
        ]


def evaluate(
    bundles: Mapping[str, Bundle],
    directory: Path,
    split: str,
    token_budget: int,
    samples: int = Resampling.samples,
    seed: int = Resampling.seed,
    unit: Unit = "interval",
) -> Evaluation:
    """Judge models on a split of a dataset.

    Args:
        bundles: name to model, at least one.
        directory: a dataset of their tokenizer.
        split: train, validation or test.
        token_budget: most padded tokens in a batch.
        samples: bootstrap samples, `bootstrap.LEAST_SAMPLES` at least.
        seed: of the samples.
        unit: what is drawn for a sample: single intervals, or chromosomes with all of theirs.

    Raises:
        BundleError: the dataset has another tokenizer than a model.
        DatasetError: no such split, or one class only in it.
        UsageError: too few samples, or too few chromosomes to draw.
    """
    dataset = TokenDataset.open(directory, split)
    for name, bundle in bundles.items():
        bundle.require_tokenizer(
            dataset.tokenizer, str(directory) if len(bundles) == 1 else f"{directory}, model {name}"
        )
    if len(set(dataset.labels.tolist())) < 2:
        raise DatasetError(f"{directory}: split {split} has one class only", "evaluate another split")
    resampling = Resampling(samples, seed, _units(dataset, unit, samples, seed))
    hidden = left_out.read(directory, dataset.manifest)
    scored = {
        name: probabilities(one.model, dataset.tokens, dataset.lengths, token_budget) for name, one in bundles.items()
    }
    thresholds = {name: float(bundle.config["threshold"]) for name, bundle in bundles.items()}
    train = dataset if split == "train" else TokenDataset.open(directory, "train")
    rules = shortcuts.audit(train, dataset, _split_if_any(directory, "validation"), kmers=True)
    pairs = [*((scored[name], thresholds[name]) for name in bundles), (rules[0].scores, rules[0].threshold)]
    ranked = [Ranked.of(dataset.labels, scores, threshold) for scores, threshold in pairs]
    drawn = bootstrap.replicates(dataset.labels, ranked, resampling)
    parts = slices.parts(dataset)
    models = [
        Judged(
            name=name,
            config=bundle.config,
            probabilities=scored[name],
            threshold=thresholds[name],
            metrics=metrics.binary_metrics(dataset.labels, scored[name], thresholds[name]),
            samples=drawn[place],
            slices={
                by: slices.judge(dataset.labels, scored[name], thresholds[name], rows, Resampling(samples, seed))
                for by, rows in parts.items()
            },
            biotypes=recall.by_biotype(dataset, scored[name] >= thresholds[name]),
            left_out=_of_left_out(bundle, hidden, split, token_budget),
        )
        for place, (name, bundle) in enumerate(bundles.items())
    ]
    return Evaluation(dataset, models, rules, drawn[-1], unit, resampling, keeps_left_out=hidden is not None)


def _units(dataset: TokenDataset, unit: Unit, samples: int, seed: int) -> NDArray[np.int64] | None:
    if samples < bootstrap.LEAST_SAMPLES:
        raise UsageError(
            f"--samples {samples}: too few for an interval of 95 %", f"draw {bootstrap.LEAST_SAMPLES} or more"
        )
    if seed < 0:
        raise UsageError(f"--seed {seed}: below 0", "give 0 or more")
    if unit == "interval":
        return None
    numbers = slices.chromosome_numbers(dataset)
    found = int(numbers.max()) + 1
    if found < bootstrap.FEWEST_UNITS:
        raise UsageError(
            f"--resample chromosome: {found} chromosomes in split {dataset.split} are too few to draw from",
            f"use --resample interval, or hold out {bootstrap.FEWEST_UNITS} chromosomes or more",
        )
    return numbers


def _split_if_any(directory: Path, split: str) -> TokenDataset | None:
    present = {row["split"] for row in read_manifest(directory)["counts"]}
    return TokenDataset.open(directory, split) if split in present else None


def _of_left_out(bundle: Bundle, hidden: LeftOut | None, split: str, token_budget: int) -> list[Recall]:
    if hidden is None or len(hidden) == 0:
        return []
    apart = np.flatnonzero(~hidden.table["overlaps_train"].to_numpy())
    scores = np.full(len(hidden), np.nan)
    scores[apart] = probabilities(bundle.model, hidden.tokens, hidden.lengths, token_budget, rows=apart)
    return recall.of_left_out(hidden, scores >= float(bundle.config["threshold"]), split)
