"""Every model of classes scores a split; the rows are resampled for intervals.

The cost is one pass of each model, the rules of `class_rules`, and the bootstrap: for every model and class as much as
of a model of genes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.audit import class_metrics, class_rules
from pipelines.audit.class_rules import ClassRule
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import classes, read_manifest
from pipelines.dataset.token_dataset import TokenDataset, read_counts
from pipelines.errors import BundleError, DatasetError
from pipelines.progress import Progress, Silent
from training.bundle.bundle import Bundle
from training.evaluation import bootstrap
from training.evaluation.bootstrap import Floats, RankedRows, Resampling
from training.evaluation.row_source import RowSource, ScoreRows, score_here
from training.tasks import CLASSIFY

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class ClassModel:
    """A model, or a rule, on the split.

    Attributes:
        name: distinguishes it from the others.
        config: configuration of its bundle; empty of a rule.
        probabilities: of each class, shape (rows, classes).
        metrics: every metric of `class_metrics.NAMES`.
        samples: the same metrics of bootstrap samples, shape (samples, metrics).
        fingerprint: of the bundle; empty of a rule, and of one that was not loaded.
    """

    name: str
    config: dict[str, Any]
    probabilities: Floats
    metrics: dict[str, float]
    samples: Floats
    fingerprint: str = ""

    @cached_property
    def called(self) -> NDArray[np.int64]:
        """The number of the most probable class, of equals the first, shape (rows,)."""
        called: NDArray[np.int64] = self.probabilities.argmax(1)
        return called

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % interval of every metric."""
        return intervals(self.samples)


@dataclass(frozen=True)
class ClassEvaluation:
    """The result of `evaluate_classes`.

    Attributes:
        dataset: the rows that were scored.
        models: at least one, in the order given.
        baseline: the multinomial regression on 5-mers, fitted on train of the dataset.
        rules: all trivial rules, best AUROC first, that regression among them.
        resampling: how samples were drawn.
    """

    dataset: TokenDataset
    models: list[ClassModel]
    baseline: ClassModel
    rules: list[ClassRule]
    resampling: Resampling

    @property
    def classes(self) -> list[str]:
        """Their names, in the order of labels and probabilities."""
        return classes(self.dataset.manifest)

    def is_of_another_dataset(self, model: ClassModel) -> bool:
        """Whether a model was trained on another dataset than it is evaluated on."""
        return bool(model.config["dataset"]["fingerprint"] != self.dataset.manifest["fingerprint"])

    def confusion(self, model: ClassModel) -> NDArray[np.int64]:
        """Rows by class and by what a model calls them, shape (classes, classes)."""
        return class_metrics.confusion(self.dataset.labels, model.called, len(self.classes))


def intervals(samples: Floats) -> dict[str, Interval]:
    """The 95 % interval of every metric, from samples of shape (samples, metrics)."""
    names = class_metrics.NAMES
    return {name: metrics.percentile_interval(samples[:, column]) for column, name in enumerate(names)}


def evaluate_classes(
    bundles: Mapping[str, Bundle],
    directory: Location,
    split: str,
    token_budget: int,
    resampling: Resampling,
    progress: Progress | None = None,
    score: ScoreRows | None = None,
) -> ClassEvaluation:
    """Evaluate models of classes on a split of a dataset.

    Args:
        bundles: name to model, at least one.
        directory: a dataset of their tokenizer and classes, by its directory or address.
        split: train, validation or test.
        token_budget: maximum of padded tokens in a batch.
        resampling: how samples are drawn: single rows, of each class as many as it has.
        progress: shows what is done.
        score: computes the probabilities (default: this process, on a CPU).

    Raises:
        BundleError: the dataset has another tokenizer or other classes than a model, or a model is of another task.
        DatasetError: a dataset of another task, no such split, or only one class in it.
        UsageError: too few samples.
    """
    bootstrap.require_samples(resampling)
    names = classes(read_manifest(local(directory, ())))
    if not names:
        raise DatasetError(
            f"{directory}: its rows have no classes, and the model gives classes of sequences",
            "evaluate it on a dataset of task classify",
            code="task",
        )
    dataset = TokenDataset.open(directory, split)
    for name, bundle in bundles.items():
        bundle.require_task(CLASSIFY, name)
        shown = str(directory) if len(bundles) == 1 else f"{directory}, model {name}"
        bundle.require_tokenizer(dataset.tokenizer, shown)
        _require_same_classes(bundle, names, shown)
    if dataset.labels.min() == dataset.labels.max():
        raise DatasetError(f"{directory}: split {split} has only one class", "evaluate another split")
    progress, score = progress or Silent(), score or score_here()
    with progress.stage(f"scoring {split}", len(dataset.labels) * len(bundles), unit="sequences") as stage:
        scores = score(bundles, RowSource.of_split(directory, dataset), token_budget, stage.advance)
    with progress.stage(f"comparing models and rules on {split}"):
        train = dataset if split == "train" else TokenDataset.open(directory, "train")
        rules = class_rules.audit(train, dataset, _validation(directory, split))
        regression = next(rule for rule in rules if rule.name == class_rules.KMERS)
        all_scores = {**scores, regression.description: regression.probabilities}
        samples = replicates(dataset.labels, list(all_scores.values()), resampling)
        models = [
            ClassModel(
                name=name,
                config=bundles[name].config if name in bundles else {},
                probabilities=probabilities,
                metrics=class_metrics.metrics_of(dataset.labels, probabilities),
                samples=samples[number],
                fingerprint=(bundles[name].digest or "") if name in bundles else "",
            )
            for number, (name, probabilities) in enumerate(all_scores.items())
        ]
    return ClassEvaluation(dataset, models[:-1], models[-1], rules, resampling)


def _require_same_classes(bundle: Bundle, names: list[str], shown: str) -> None:
    own = bundle.config["classes"]
    if own != names:
        problem = f"{shown}: its classes {', '.join(names)[:200]} are not the model's {', '.join(own)[:200]}"
        raise BundleError(
            problem, "build it with classes in the model's names and order", code="classes", key="classes"
        )


def _validation(directory: Location, split: str) -> TokenDataset | None:
    """The split that chooses the regression's penalty; None if there is none."""
    present = {row["split"] for row in read_counts(local(directory, ()))}
    return TokenDataset.open(directory, "validation") if "validation" in present else None


def replicates(labels: NDArray[Any], probabilities: list[Floats], resampling: Resampling) -> Floats:
    """Compute the metrics of bootstrap samples, the same samples for every model.

    Args:
        labels: shape (rows,).
        probabilities: of each model, shape (rows, classes).
        resampling: how samples are drawn.

    Returns:
        Shape (models, samples, metrics), metrics in the order of `class_metrics.NAMES`.
    """
    models = [_Ranked(labels, scores) for scores in probabilities]
    batches = [
        [model.weighted_metrics(weights) for model in models]
        for weights in bootstrap.sample_weights(labels, resampling)
    ]
    return np.stack([np.concatenate(parts) for parts in zip(*batches, strict=True)])


class _Ranked:
    """The rows as a model ranks them for each class, and what it calls them.

    Args:
        labels: shape (rows,).
        probabilities: shape (rows, classes).
    """

    def __init__(self, labels: NDArray[Any], probabilities: Floats) -> None:
        self._classes = probabilities.shape[1]
        self._ranked = [
            RankedRows.from_scores(labels == number, scores, 0.5)
            for number, scores in enumerate(probabilities.T)
            if 0 < int((labels == number).sum()) < len(labels)
        ]
        self._cells = labels.astype(np.int64) * self._classes + probabilities.argmax(1)

    def weighted_metrics(self, weights: Floats) -> Floats:
        """Every metric for rows that count as often as their weights say.

        Args:
            weights: shape (samples, rows).

        Returns:
            Shape (samples, metrics).
        """
        areas = np.mean([ranked.weighted_metrics(weights)[:, :2] for ranked in self._ranked], axis=0)
        shape = (len(weights), self._classes, self._classes)
        counts = [np.bincount(self._cells, sample, minlength=self._classes**2) for sample in weights]
        return np.concatenate([areas, class_metrics.metrics_of_counts(np.reshape(counts, shape))], axis=1)
