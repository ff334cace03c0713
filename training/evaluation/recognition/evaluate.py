"""Every model scores a split and the genes left out of the dataset; the rows are resampled for intervals.

The cost is one pass of each model, the rules of the shortcut audit, and the bootstrap (see `bootstrap`): of the whole
split once for every model and the best rule, and of each slice of it once for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.audit import shortcuts
from pipelines.audit.shortcuts import Rule
from pipelines.build import left_out
from pipelines.build.left_out import LeftOut
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import LEFT_OUT, read_manifest, require_intervals
from pipelines.dataset.token_dataset import TokenDataset, read_counts
from pipelines.display import agreeing, counted
from pipelines.errors import DatasetError, UsageError
from pipelines.progress import Progress, Silent
from training.bundle import kmer_baseline
from training.bundle.bundle import Bundle
from training.evaluation import bootstrap
from training.evaluation.bootstrap import Floats, RankedRows, Resampling
from training.evaluation.intervals import Intervals, of_samples
from training.evaluation.other_datasets import own_baselines, trained_on
from training.evaluation.recognition import recall, slices
from training.evaluation.recognition.calibration import Calibration, calibration
from training.evaluation.recognition.recall import Recall
from training.evaluation.recognition.slices import Slice
from training.evaluation.recognition.thresholds import Transfer, transfer
from training.evaluation.row_source import RowSource, ScoreRows, score_here
from training.tasks import RECOGNISE

Unit = Literal["interval", "chromosome"]
BEST_RULE, OWN_KMERS = "best rule", "own_kmers"


@dataclass(frozen=True)
class ModelEvaluation:
    """One model on the split.

    Attributes:
        name: distinguishes it from the other models.
        config: configuration of its bundle.
        probabilities: of being a gene, shape (rows,).
        threshold: decision threshold of the bundle.
        metrics: every metric of `metrics.NAMES`.
        samples: the same metrics of bootstrap samples, shape (samples, metrics).
        slices: metrics of the slices, by what the rows are grouped by (`slices.BY`).
        biotypes: recall by biotype of the genes.
        left_out: recall on the genes that the dataset leaves out; empty if there are none.
        fingerprint: of the bundle; empty if it was not loaded.
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
    fingerprint: str = ""

    @property
    def intervals(self) -> Intervals:
        """The 95 % interval of every metric."""
        return of_samples(self.samples, metrics.NAMES)


@dataclass(frozen=True)
class Difference:
    """Metrics of one model minus those of another model, or of a rule, on the same rows.

    Attributes:
        first, second: their names.
        values: the difference of each metric.
        intervals: its 95 % interval over paired samples.
    """

    first: str
    second: str
    values: dict[str, float]
    intervals: Intervals


@dataclass(frozen=True)
class OwnRegression:
    """The k-mer regression fitted on the data that models were trained on, which is not the dataset evaluated.

    Attributes:
        models: names of the models that were trained on that data.
        rule: the regression on the evaluated rows.
        samples: its metrics of bootstrap samples, shape (samples, metrics).
    """

    models: tuple[str, ...]
    rule: Rule
    samples: Floats

    @property
    def intervals(self) -> Intervals:
        """The 95 % interval of every metric."""
        return of_samples(self.samples, metrics.NAMES)


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        dataset: the rows that were scored.
        models: at least one, in the order given.
        rules: trivial rules on the same rows, best AUROC first.
        rule_samples: metrics of bootstrap samples of the best rule, shape (samples, metrics).
        unit: what a bootstrap sample draws.
        resampling: how samples were drawn.
        keeps_left_out: whether the dataset keeps the genes it leaves out.
        own_regressions: of models that were trained on other datasets, as far as their bundles hold one.
    """

    dataset: TokenDataset
    models: list[ModelEvaluation]
    rules: list[Rule]
    rule_samples: Floats
    unit: Unit
    resampling: Resampling
    keeps_left_out: bool
    own_regressions: list[OwnRegression] = field(default_factory=list)

    @property
    def genes(self) -> int:
        """Number of rows that are genes."""
        return int(self.dataset.labels.sum())

    @property
    def genomes(self) -> list[str]:
        """Names of the genomes of the rows, sorted."""
        return sorted(self.dataset.table["genome"].unique().to_pylist())

    def is_of_another_dataset(self, model: ModelEvaluation) -> bool:
        """Whether a model was trained on another dataset than it is evaluated on."""
        return trained_on(model.config) != self.dataset.manifest["fingerprint"]

    def own_regression(self, model: ModelEvaluation) -> OwnRegression | None:
        """The regression fitted on a model's training data; None if that is this dataset, or its bundle has none."""
        return next((one for one in self.own_regressions if model.name in one.models), None)

    @cached_property
    def transfers(self) -> list[Transfer | None]:
        """What each model's threshold did on its validation and does here; None where there is nothing to compare."""
        return [self._transfer(model) for model in self.models]

    def _transfer(self, model: ModelEvaluation) -> Transfer | None:
        if self.dataset.split != "test" and not self.is_of_another_dataset(model):
            # Weights or threshold were chosen on these rows.
            return None
        return transfer(model.config, self.dataset.labels, model.probabilities >= model.threshold)

    @property
    def rule_intervals(self) -> Intervals:
        """The 95 % interval of every metric of the best rule."""
        return of_samples(self.rule_samples, metrics.NAMES)

    @cached_property
    def calibrations(self) -> list[Calibration]:
        """The calibration of each model."""
        return [calibration(self.dataset.labels, model.probabilities) for model in self.models]

    @cached_property
    def differences(self) -> list[Difference]:
        """Differences of every model from the best rule, of every two models, and of models from their own regression.

        The first are as many as there are models, in their order.
        """
        models = [(model.name, model.metrics, model.samples) for model in self.models]
        rule = (BEST_RULE, self.rules[0].metrics, self.rule_samples)
        pairs = [(model, rule) for model in models]
        pairs += [(first, second) for number, first in enumerate(models) for second in models[number + 1 :]]
        for own in self.own_regressions:
            baseline = (own.rule.description, own.rule.metrics, own.samples)
            pairs += [(model, baseline) for model in models if model[0] in own.models]
        return [
            Difference(
                first=first_name,
                second=second_name,
                values={name: first[name] - second[name] for name in metrics.NAMES},
                intervals=of_samples(first_samples - second_samples, metrics.NAMES),
            )
            for (first_name, first, first_samples), (second_name, second, second_samples) in pairs
        ]


def evaluate(
    bundles: Mapping[str, Bundle],
    directory: Location,
    split: str,
    token_budget: int,
    samples: int = Resampling.samples,
    seed: int = Resampling.seed,
    unit: Unit = "interval",
    progress: Progress | None = None,
    score: ScoreRows | None = None,
) -> Evaluation:
    """Evaluate models on a split of a dataset.

    Args:
        bundles: name to model, at least one.
        directory: a dataset of their tokenizer, by its directory or address.
        split: train, validation or test.
        token_budget: maximum of padded tokens in a batch.
        samples: number of bootstrap samples, at least `bootstrap.MIN_SAMPLES`.
        seed: seed of the samples.
        unit: what is drawn for a sample: single intervals, or chromosomes with all of their intervals.
        progress: shows what is done.
        score: computes the probabilities (default: this process, on a CPU).

    Raises:
        BundleError: the dataset has another tokenizer than a model, or a model is of another task.
        DatasetError: no such split, only one class in it, or a manifest without counts.
        UsageError: too few samples, or too few chromosomes to draw.
    """
    require_intervals(read_manifest(local(directory, ())), directory, "evaluate")
    dataset = TokenDataset.open(directory, split)
    for name, bundle in bundles.items():
        bundle.require_task(RECOGNISE, name)
        bundle.require_tokenizer(
            dataset.tokenizer, str(directory) if len(bundles) == 1 else f"{directory}, model {name}"
        )
    if dataset.labels.min() == dataset.labels.max():
        raise DatasetError(f"{directory}: split {split} has only one class", "evaluate another split")
    resampling = Resampling(samples, seed, _units(dataset, unit, samples, seed))
    genes_left_out = left_out.read(local(directory, [LEFT_OUT]), dataset.manifest)
    progress, score = progress or Silent(), score or score_here()
    with progress.stage(f"scoring {split}", len(dataset.labels) * len(bundles), unit="intervals") as stage:
        scores = score(bundles, RowSource.of_split(directory, dataset), token_budget, stage.advance)
        recalls = _recalls_of_left_out(bundles, directory, dataset, genes_left_out, token_budget, score)
    with progress.stage(f"comparing models and rules on {split}"):
        return _evaluation(bundles, directory, dataset, scores, resampling, recalls, unit)


def _evaluation(
    bundles: Mapping[str, Bundle],
    directory: Location,
    dataset: TokenDataset,
    scores: Mapping[str, NDArray[np.float64]],
    resampling: Resampling,
    recalls: Mapping[str, list[Recall]] | None,
    unit: Unit,
) -> Evaluation:
    """The evaluation of models that have scored a split, and the genes left out if the dataset keeps them."""
    split, samples, seed = dataset.split, resampling.samples, resampling.seed
    thresholds = {name: float(bundle.config["threshold"]) for name, bundle in bundles.items()}
    train = dataset if split == "train" else TokenDataset.open(directory, "train")
    rules = shortcuts.audit(train, dataset, _open_split_if_present(directory, "validation"), kmers=True)
    ranked = [RankedRows.from_scores(dataset.labels, scores[name], thresholds[name]) for name in bundles]
    own_rules = {
        models: baseline.rule(OWN_KMERS, dataset, f" of {data}")
        for models, data, baseline in own_baselines(bundles, dataset.manifest["fingerprint"], kmer_baseline.of_bundle)
    }
    for rule in (rules[0], *own_rules.values()):
        ranked.append(RankedRows.from_scores(dataset.labels, rule.scores, rule.threshold))
    metrics_of_samples = bootstrap.replicates(dataset.labels, ranked, resampling)
    groups = slices.group_rows(dataset)
    models = [
        ModelEvaluation(
            name=name,
            config=bundle.config,
            probabilities=scores[name],
            threshold=thresholds[name],
            metrics=metrics.binary_metrics(dataset.labels, scores[name], thresholds[name]),
            samples=metrics_of_samples[number],
            slices={
                by: slices.evaluate_slices(
                    dataset.labels, scores[name], thresholds[name], rows, Resampling(samples, seed)
                )
                for by, rows in groups.items()
            },
            biotypes=recall.by_biotype(dataset, scores[name] >= thresholds[name]),
            left_out=recalls[name] if recalls else [],
            fingerprint=bundle.digest or "",
        )
        for number, (name, bundle) in enumerate(bundles.items())
    ]
    rule_samples, *own_samples = metrics_of_samples[len(models) :]
    return Evaluation(
        dataset,
        models,
        rules,
        rule_samples,
        unit,
        resampling,
        keeps_left_out=recalls is not None,
        own_regressions=[
            OwnRegression(names, rule, samples_of_rule)
            for (names, rule), samples_of_rule in zip(own_rules.items(), own_samples, strict=True)
        ],
    )


def _units(dataset: TokenDataset, unit: Unit, samples: int, seed: int) -> NDArray[np.int64] | None:
    """The `units` of a `Resampling`, after a check of what the user chose."""
    bootstrap.require_samples(Resampling(samples, seed))
    if unit == "interval":
        return None
    numbers = slices.chromosome_numbers(dataset)
    chromosomes = int(numbers.max()) + 1
    if chromosomes < bootstrap.MIN_UNITS:
        raise UsageError(
            f"--resample chromosome: {counted(chromosomes, 'chromosome')} in split {dataset.split} "
            f"{agreeing(chromosomes, 'is', 'are')} too few to draw from",
            f"use --resample interval, or hold out {bootstrap.MIN_UNITS} chromosomes or more",
        )
    return numbers


def _open_split_if_present(directory: Location, split: str) -> TokenDataset | None:
    present = {row["split"] for row in read_counts(local(directory, ()))}
    return TokenDataset.open(directory, split) if split in present else None


def _recalls_of_left_out(
    bundles: Mapping[str, Bundle],
    directory: Location,
    dataset: TokenDataset,
    genes: LeftOut | None,
    token_budget: int,
    score: ScoreRows,
) -> dict[str, list[Recall]] | None:
    """Recall of models on the genes that the dataset leaves out, or None if it does not keep them.

    Genes that overlap train are not scored.
    """
    if genes is None:
        return None
    if len(genes) == 0:
        return {name: [] for name in bundles}
    rows = np.flatnonzero(~genes.table["overlaps_train"].to_numpy())
    source = RowSource(directory, dataset.manifest["fingerprint"], None, genes.tokens, genes.lengths, rows)
    recalls = {}
    for name, scores in score(bundles, source, token_budget, lambda _: None).items():
        called = np.zeros(len(genes), np.bool_)
        called[rows] = scores >= float(bundles[name].config["threshold"])
        recalls[name] = recall.of_left_out(genes, called, dataset.split)
    return recalls
