"""Models on another dataset than their own: the regression of their training data, and their threshold there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import metrics
from pipelines.dataset.token_dataset import TokenDataset
from tests.training.conftest import write_dataset
from tests.training.evaluation.conftest import TOKENIZER, bundle_for
from training.bundle import kmer_baseline
from training.bundle.bundle import Bundle
from training.evaluation import other_datasets
from training.evaluation.recognition import Evaluation, conclusions, evaluate, json_report, page, tables


@pytest.fixture(scope="module")
def trained_on(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("trained") / "data", seed=3)


@pytest.fixture(scope="module")
def bundle(trained_on: Path) -> Bundle:
    """A model that was trained on another dataset, where few negatives reached its threshold."""
    train, validation = (TokenDataset.open(trained_on, split) for split in ("train", "validation"))
    plain = bundle_for(TOKENIZER)
    config = plain.config | {
        "dataset": {
            "fingerprint": train.manifest["fingerprint"],
            "splits": {"validation": {"genes": 500, "negatives": 400}},
        },
        "metrics": {"epoch": 1, "threshold_recall": 0.9, "threshold_accuracy": (450 + 380) / 900},
        kmer_baseline.KEY: kmer_baseline.fitted(train, validation).document(),
    }
    return replace(plain, config=config)


@pytest.fixture(scope="module")
def elsewhere(bundle: Bundle, directory: Path) -> Evaluation:
    return evaluate({"model": bundle}, directory, "test", 4096, samples=200)


def with_called(evaluation: Evaluation, genes: float, negatives: float) -> Evaluation:
    """The evaluation as if these shares of genes and negatives had reached the threshold."""
    labels, (model,) = evaluation.dataset.labels, evaluation.models
    probabilities = np.zeros(len(labels))
    for label, share in ((1, genes), (0, negatives)):
        rows = np.flatnonzero(labels == label)
        probabilities[rows[: round(share * len(rows))]] = 1
    return replace(evaluation, models=[replace(model, probabilities=probabilities)])


def test_the_regression_on_the_training_data_stands_between_the_model_and_the_rules(
    elsewhere: Evaluation, trained_on: Path
) -> None:
    (own,) = elsewhere.own_regressions
    train, validation = (TokenDataset.open(trained_on, split) for split in ("train", "validation"))
    expected = kmer_baseline.fitted(train, validation).rule("own_kmers", elsewhere.dataset)
    assert own.rule.metrics == expected.metrics
    for table in (tables.main(elsewhere), tables.intervals(elsewhere)):
        assert [row[0] for row in table.rows][:2] == ["model", "5-mer logistic regression of the model's training data"]
    assert "5-mer logistic regression of the model&#39;s training data" in page.build_page(elsewhere).html()
    assert other_datasets.explain_no_regression(elsewhere) is None


def test_the_model_is_compared_with_it_on_the_same_samples(elsewhere: Evaluation) -> None:
    (model,), (own,) = elsewhere.models, elsewhere.own_regressions
    difference = elsewhere.differences[-1]
    assert (difference.first, difference.second) == ("model", own.rule.description)
    expected = metrics.percentile_interval((model.samples - own.samples)[:, 0])
    assert difference.intervals["auroc"] == expected
    auroc = own.rule.metrics["auroc"]
    (sentence,) = conclusions.conclude(elsewhere)
    assert f"the 5-mer logistic regression of the model's training data ({auroc:.3f})" in sentence


def test_json_has_the_regression_and_what_the_threshold_did(elsewhere: Evaluation) -> None:
    document: dict[str, Any] = json.loads(json.dumps(json_report.to_json(elsewhere), allow_nan=False))
    (own,) = elsewhere.own_regressions
    assert document["own_regression"]["auroc"] == own.rule.metrics["auroc"]
    before = document["threshold_transfer"]["own_validation"]
    assert (before["genes"], before["recall"], before["false_positive_rate"]) == (500, 0.9, 0.05)
    after = document["threshold_transfer"]["evaluated"]
    assert after["recall"] == pytest.approx(document["recall"])
    assert after["precision"] == pytest.approx(document["precision"])
    assert document["calibration"]["share_of_genes"] == 0.5
    assert document["warnings"] == conclusions.warnings(elsewhere)


def test_models_of_the_same_training_data_share_the_regression(bundle: Bundle, directory: Path) -> None:
    bundles = {"first": bundle, "second": bundle, "third": bundle_for(TOKENIZER, seed=1)}
    together = evaluate(bundles, directory, "test", 4096, samples=200)
    (own,) = together.own_regressions
    assert own.models == ("first", "second")
    assert own.rule.description == "5-mer logistic regression of the training data of first, second"
    assert "the bundles of third hold none" in str(other_datasets.explain_no_regression(together))
    assert [model["own_regression"] is None for model in json_report.to_json(together)["models"]] == [
        False,
        False,
        True,
    ]


def test_on_its_own_dataset_a_model_has_no_regression_but_that_of_the_rules(bundle: Bundle, directory: Path) -> None:
    fingerprint = TokenDataset.open(directory, "test").manifest["fingerprint"]
    own = replace(bundle, config=bundle.config | {"dataset": bundle.config["dataset"] | {"fingerprint": fingerprint}})
    evaluation = evaluate({"model": own}, directory, "test", 4096, samples=200)
    assert evaluation.own_regressions == []
    assert other_datasets.explain_no_regression(evaluation) is None
    assert evaluation.transfers[0] is not None
    assert evaluate({"model": own}, directory, "train", 4096, samples=200).transfers == [None]


def test_a_threshold_that_calls_more_negatives_than_on_validation_is_warned_about(elsewhere: Evaluation) -> None:
    (warning,) = conclusions.warnings(with_called(elsewhere, 0.9, 0.4))[1:]
    assert warning.startswith(
        "the threshold 0.500 of the model does not carry over: it calls 40.0 % of negatives genes where it called "
        "5.0 % on its own validation (95 % interval of the difference +2"
    )
    assert warning.endswith("points); choose another on labelled intervals like these, kept apart from the test")
    assert "Does the threshold carry over?" in {table.caption for table in tables.terminal_tables(elsewhere)}


def test_a_threshold_that_finds_fewer_genes_is_warned_about_and_one_that_carries_over_is_not(
    elsewhere: Evaluation,
) -> None:
    (warning,) = conclusions.warnings(with_called(elsewhere, 0.5, 0.05))[1:]
    assert "it finds 50.0 % of genes where it found 90.0 %" in warning
    assert conclusions.warnings(with_called(elsewhere, 0.9, 0.05))[1:] == []


def test_a_bundle_without_figures_at_its_threshold_is_not_compared(evaluated: Evaluation) -> None:
    assert evaluated.transfers == [None]
    assert tables.transfers(evaluated) is None
