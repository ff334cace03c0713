"""Models of classes on another dataset than their own: the regression of their training data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.audit import class_rules
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from training.bundle import kmer_baseline
from training.bundle.bundle import Bundle
from training.bundle.kmer_baseline import ClassBaseline
from training.evaluation import other_datasets
from training.evaluation.bootstrap import Resampling
from training.evaluation.classes import conclusions, json_report, page, tables
from training.evaluation.classes.evaluate import ClassEvaluation, evaluate_classes
from training.evaluation.other_datasets import own_baselines, trained_on

OWN = "5-mer logistic regression of the training data of drawn"


@pytest.fixture(scope="module")
def elsewhere(class_bundles: dict[str, Bundle], class_dataset: Path) -> ClassEvaluation:
    """Two models, of which the second has another dataset, whose regression was fitted on half of these rows."""
    train, validation = (TokenDataset.open(class_dataset, split) for split in ("train", "validation"))
    baseline = ClassBaseline.of(class_rules.fit_kmers(validation, train))
    bundles = {
        name: replace(bundle, config=bundle.config | {kmer_baseline.KEY: baseline.document()})
        for name, bundle in class_bundles.items()
    }
    return evaluate_classes(bundles, class_dataset, "test", 4096, Resampling(100, 0))


def test_a_model_of_another_dataset_stands_beside_the_regression_on_its_own_training_data(
    elsewhere: ClassEvaluation,
) -> None:
    trained, drawn = elsewhere.models
    assert elsewhere.own_regression(trained) is None
    own = elsewhere.own_regression(drawn)
    assert own is not None
    assert [row[0] for row in tables.main(elsewhere).rows][:3] == ["<trained>", "drawn", OWN]
    assert ("drawn", OWN) in [(first.name, second.name) for first, second in tables.pairs(elsewhere)]
    assert own.metrics["auroc"] > 0.6
    assert own.metrics != elsewhere.baseline.metrics
    assert other_datasets.explain_no_regression(elsewhere) is None


def test_the_conclusion_compares_with_it_first(elsewhere: ClassEvaluation) -> None:
    of_trained, of_drawn = conclusions.conclude(elsewhere)
    assert OWN not in of_trained
    assert of_drawn.index(f"the {OWN}") < of_drawn.index(", fitted on train of this dataset")


def test_json_and_page_have_it(elsewhere: ClassEvaluation) -> None:
    document = json.loads(json.dumps(json_report.to_json(elsewhere), allow_nan=False))
    assert document["own_regression"] is None
    own = document["models"][1]["own_regression"]
    assert own["auroc"] == elsewhere.own_regressions[("drawn",)].metrics["auroc"]
    assert set(own["intervals"]) == {"auroc", "auprc", "mcc", "macro_f1", "accuracy"}
    assert OWN in page.build_page(elsewhere).html()


def test_that_of_a_model_of_this_dataset_is_not_read(class_bundles: dict[str, Bundle]) -> None:
    bundle = next(iter(class_bundles.values()))
    bundles = {"trained": replace(bundle, config=bundle.config | {kmer_baseline.KEY: "damaged"})}
    assert own_baselines(bundles, trained_on(bundle.config), kmer_baseline.of_class_bundle) == []
    with pytest.raises(BundleError, match="not a regression on k-mers"):
        own_baselines(bundles, "of another dataset", kmer_baseline.of_class_bundle)


def test_a_bundle_without_one_is_named(evaluated_classes: ClassEvaluation) -> None:
    assert "the bundles of drawn hold none" in str(other_datasets.explain_no_regression(evaluated_classes))
