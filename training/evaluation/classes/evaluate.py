"""Every model of classes scores a split; the rows are resampled for intervals.

The cost is one pass of each model, the rules of `class_rules`, and the bootstrap: for every model and class as much as
of a model of genes. Memory is that of the probabilities of every model, the regressions and the best rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import class_metrics
from pipelines.audit import class_rules
from pipelines.audit.class_rules import ClassRule
from pipelines.audit.rule_names import KMERS
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import classes, read_manifest
from pipelines.dataset.token_dataset import TokenDataset, read_counts
from pipelines.errors import BundleError, DatasetError
from pipelines.progress import Progress, Silent
from training.bundle import kmer_baseline
from training.bundle.bundle import Bundle
from training.evaluation import bootstrap
from training.evaluation.bootstrap import Floats, RankedRows, Resampling
from training.evaluation.intervals import Intervals, of_samples
from training.evaluation.other_datasets import own_baselines, trained_on
from training.evaluation.row_source import RowSource, ScoreRows, score_here
from training.tasks import CLASSIFY


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
    def intervals(self) -> Intervals:
        """The 95 % interval of every metric."""
        return intervals(self.samples)


@dataclass(frozen=True)
class ClassEvaluation:
    """The result of `evaluate_classes`.

    Attributes:
        dataset: the rows that were scored.
        models: at least one, in the order given.
        baseline: the multinomial regression on 5-mers, fitted on train of the dataset.
        best: the rule of highest AUROC; the regression where it is that.
        rules: all trivial rules, best AUROC first, that regression among them.
        resampling: how samples were drawn.
        own_regressions: of other datasets that models were trained on, by the names of these models, as far as their
            bundles hold one.
    """

    dataset: TokenDataset
    models: list[ClassModel]
    baseline: ClassModel
    best: ClassModel
    rules: list[ClassRule]
    resampling: Resampling
    own_regressions: dict[tuple[str, ...], ClassModel] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """Their names, in the order of labels and probabilities."""
        return classes(self.dataset.manifest)

    def is_of_another_dataset(self, model: ClassModel) -> bool:
        """Whether a model was trained on another dataset than it is evaluated on."""
        return trained_on(model.config) != self.dataset.manifest["fingerprint"]

    def own_regression(self, model: ClassModel) -> ClassModel | None:
        """The regression fitted on a model's training data; None if that is this dataset, or its bundle has none."""
        return next((own for models, own in self.own_regressions.items() if model.name in models), None)

    def confusion(self, model: ClassModel) -> NDArray[np.int64]:
        """Rows by class and by what a model calls them, shape (classes, classes)."""
        return class_metrics.confusion(self.dataset.labels, model.called, len(self.classes))


def intervals(samples: Floats) -> Intervals:
    """The 95 % interval of every metric, from samples of shape (samples, metrics)."""
    return of_samples(samples, class_metrics.NAMES)


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
        rules = class_rules.audit(train, dataset, _validation(directory))
        regression = next(rule for rule in rules if rule.name == KMERS)
        compared = [regression] if rules[0] is regression else [regression, rules[0]]
        own = own_baselines(bundles, dataset.manifest["fingerprint"], kmer_baseline.of_class_bundle)
        all_scores = [
            *scores.items(),
            *((f"{one.baseline.name} of {one.data}", one.baseline.probabilities(dataset)) for one in own),
            *((rule.description, rule.required_probabilities) for rule in compared),
        ]
        samples = replicates(dataset.labels, [of_model for _, of_model in all_scores], resampling)
        models = [
            ClassModel(
                name=name,
                config=bundles[name].config if name in bundles else {},
                probabilities=probabilities,
                metrics=class_metrics.metrics_of(dataset.labels, probabilities),
                samples=samples[number],
                fingerprint=(bundles[name].digest or "") if name in bundles else "",
            )
            for number, (name, probabilities) in enumerate(all_scores)
        ]
    of_own = {one.models: models[len(scores) + number] for number, one in enumerate(own)}
    baseline, best = models[len(scores) + len(own)], models[-1]
    return ClassEvaluation(dataset, models[: len(scores)], baseline, best, rules, resampling, of_own)


def _require_same_classes(bundle: Bundle, names: list[str], shown: str) -> None:
    own = bundle.config["classes"]
    if own != names:
        problem = f"{shown}: its classes {', '.join(names)[:200]} are not the model's {', '.join(own)[:200]}"
        raise BundleError(
            problem, "build it with classes in the model's names and order", code="classes", key="classes"
        )


def _validation(directory: Location) -> TokenDataset | None:
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
    return weighted_metrics(labels, probabilities, lambda: bootstrap.sample_weights(labels, resampling))


def weighted_metrics(labels: NDArray[Any], probabilities: list[Floats], draw: Callable[[], Iterable[Floats]]) -> Floats:
    """Every metric of every model for rows that count as often as weights say.

    Rows are ranked for one class at a time, which bounds memory, and the weights drawn again for each.

    Args:
        labels: shape (rows,).
        probabilities: of each model, shape (rows, classes).
        draw: the same weights whenever it is called, some samples at a time, shape (samples, rows).

    Returns:
        Shape (models, samples, metrics), metrics in the order of `class_metrics.NAMES`.
    """
    number = probabilities[0].shape[1]
    present = [of for of in range(number) if 0 < int((labels == of).sum()) < len(labels)]
    areas: Floats | float = 0.0
    for of in present:
        ranked = [RankedRows.from_scores(labels == of, scores[:, of], 0.5) for scores in probabilities]
        parts = [[model.weighted_metrics(weights)[:, :2] for model in ranked] for weights in draw()]
        areas = areas + np.concatenate(parts, axis=1)
    cells = [labels.astype(np.int64) * number + scores.argmax(1) for scores in probabilities]
    of_calls = [
        [class_metrics.metrics_of_counts(_tables(of_model, weights, number)) for of_model in cells]
        for weights in draw()
    ]
    return np.concatenate([areas / len(present), np.concatenate(of_calls, axis=1)], axis=2)


def _tables(cells: NDArray[np.int64], weights: Floats, number: int) -> Floats:
    """Confusion tables of samples, shape (samples, classes, classes), from each row's cell of a table."""
    counts = [np.bincount(cells, sample, minlength=number**2) for sample in weights]
    return np.reshape(counts, (len(weights), number, number))
