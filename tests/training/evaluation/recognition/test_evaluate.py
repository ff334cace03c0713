from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines import metrics
from pipelines.errors import BundleError, DatasetError, UsageError
from pipelines.tokens.tokenizer import Tokenizer
from tests.pipelines.build import gene_genomes
from tests.training.conftest import write_dataset
from tests.training.evaluation.conftest import TOKENIZER, bundle_for
from training.engine.scoring import probabilities
from training.evaluation import bootstrap
from training.evaluation.bootstrap import RankedRows, Resampling
from training.evaluation.recognition import Evaluation, evaluate


def test_the_probabilities_are_those_of_the_model_whatever_the_batch(evaluated: Evaluation) -> None:
    model, rows = bundle_for(TOKENIZER).model, evaluated.dataset
    for budget in (1, 700, 10**6):
        again = probabilities(model, rows.tokens, rows.lengths, budget)
        assert np.abs(again - evaluated.models[0].probabilities).max() < 1e-5


def test_figures_and_intervals_are_those_of_the_probabilities(evaluated: Evaluation) -> None:
    model, labels = evaluated.models[0], evaluated.dataset.labels
    assert model.metrics == metrics.binary_metrics(labels, model.probabilities, 0.5)
    ranked = [RankedRows.from_scores(labels, model.probabilities, 0.5)]
    (samples,) = bootstrap.replicates(labels, ranked, Resampling(samples=200))
    assert model.intervals["mcc"] == metrics.percentile_interval(samples[:, metrics.NAMES.index("mcc")])


def test_models_side_by_side_have_the_figures_that_each_has_alone(
    evaluated: Evaluation, side_by_side: Evaluation
) -> None:
    alone, together = evaluated.models[0], side_by_side.models[0]
    assert together.metrics == alone.metrics
    assert together.intervals == alone.intervals
    assert side_by_side.models[1].metrics != alone.metrics


def test_every_model_is_compared_with_the_best_rule_and_every_other_model(side_by_side: Evaluation) -> None:
    pairs = [(difference.first, difference.second) for difference in side_by_side.differences]
    assert pairs == [("first", "best rule"), ("second", "best rule"), ("first", "second")]
    first, second = side_by_side.models
    paired = side_by_side.differences[2]
    assert paired.values["auroc"] == first.metrics["auroc"] - second.metrics["auroc"]
    column = metrics.NAMES.index("auroc")
    assert paired.intervals["auroc"] == metrics.percentile_interval(
        first.samples[:, column] - second.samples[:, column]
    )


def test_whole_chromosomes_are_drawn_on_request(directory: Path) -> None:
    bundles = {"model": bundle_for(TOKENIZER)}
    by_chromosome = evaluate(bundles, directory, "test", 4096, samples=200, unit="chromosome")
    by_interval = evaluate(bundles, directory, "test", 4096, samples=200)
    assert by_chromosome.models[0].intervals["auroc"] != by_interval.models[0].intervals["auroc"]


def test_too_few_chromosomes_or_samples_are_refused(directory: Path, tmp_path: Path) -> None:
    plain = write_dataset(tmp_path / "data")
    manifest = json.loads((plain / "manifest.json").read_text()) | {"counts": []}
    (plain / "manifest.json").write_text(json.dumps(manifest))
    bundles = {"model": bundle_for(TOKENIZER)}
    with pytest.raises(UsageError, match="1 chromosome in split test is too few"):
        evaluate(bundles, plain, "test", 4096, unit="chromosome")
    with pytest.raises(UsageError, match="--samples 99"):
        evaluate(bundles, directory, "test", 4096, samples=99)


def test_a_manifest_without_counts_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "data")
    with pytest.raises(DatasetError, match=r"manifest\.json: counts: missing") as raised:
        evaluate({"model": bundle_for(TOKENIZER)}, path, "test", 4096, samples=100)
    assert raised.value.code == "damaged"
    assert "\n" not in str(raised.value)


def test_the_train_split_can_be_evaluated_too(directory: Path) -> None:
    evaluation = evaluate({"model": bundle_for(TOKENIZER)}, directory, "train", 4096, samples=100)
    assert (evaluation.dataset.split, len(evaluation.dataset), evaluation.genes) == ("train", 480, 240)


def test_a_dataset_of_another_tokenizer_is_refused_naming_the_model_where_there_are_several(directory: Path) -> None:
    other = bundle_for(Tokenizer(4, 1, "anchor"))
    with pytest.raises(BundleError, match="k 4 against 3"):
        evaluate({"model": other}, directory, "test", 4096)
    with pytest.raises(BundleError, match=r", model second: tokenizer .* k 4 against 3"):
        evaluate({"first": bundle_for(TOKENIZER), "second": other}, directory, "test", 4096)


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "data", classes=1)
    with pytest.raises(DatasetError, match="only one class"):
        evaluate({"model": bundle_for(TOKENIZER)}, path, "test", 4096)


def test_labelled_windows_are_refused_in_one_line(tmp_path: Path) -> None:
    genes = gene_genomes.make_gene_genome(tmp_path / "genes", bases=3_000)
    folder = gene_genomes.write_dataset(gene_genomes.structure_config(genes), tmp_path / "data")
    with pytest.raises(DatasetError, match=r"windows with labelled bases .*raygene annotate and raygene compare"):
        evaluate({}, folder, "test", 1_000)
