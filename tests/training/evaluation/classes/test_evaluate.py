from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import class_metrics
from pipelines.audit import class_regression, class_rules, kmer_regression
from pipelines.audit.rule_names import KMERS
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError, DatasetError, UsageError
from tests.training.small_bundle import small_bundle
from training.bundle.bundle import Bundle
from training.evaluation.bootstrap import Resampling
from training.evaluation.classes import conclusions, tables
from training.evaluation.classes.evaluate import ClassEvaluation, evaluate_classes, replicates, weighted_metrics


def test_metrics_are_those_of_the_probabilities_and_lie_in_their_intervals(evaluated_classes: ClassEvaluation) -> None:
    model, labels = evaluated_classes.models[0], evaluated_classes.dataset.labels
    assert model.metrics == class_metrics.metrics_of(labels, model.probabilities)
    for name, interval in model.intervals.items():
        assert interval is not None
        assert interval[0] - 1e-9 <= model.metrics[name] <= interval[1] + 1e-9, name


def test_a_sample_of_every_row_once_has_the_metrics_of_the_split(evaluated_classes: ClassEvaluation) -> None:
    model, labels = evaluated_classes.models[1], evaluated_classes.dataset.labels
    values = weighted_metrics(labels, [model.probabilities], lambda: [np.ones((1, len(labels)))])[0, 0]
    assert dict(zip(class_metrics.NAMES, values, strict=True)) == pytest.approx(model.metrics)


def test_samples_are_the_same_for_every_model_and_by_the_seed(evaluated_classes: ClassEvaluation) -> None:
    labels, shares = evaluated_classes.dataset.labels, evaluated_classes.models[0].probabilities
    twice = replicates(labels, [shares, shares], Resampling(100, 1))
    assert np.array_equal(twice[0], twice[1])
    assert not np.array_equal(twice[0], replicates(labels, [shares], Resampling(100, 2))[0])


def test_the_regression_on_5_mers_stands_beside_every_model(evaluated_classes: ClassEvaluation) -> None:
    assert {rule.name for rule in evaluated_classes.rules} == {"prior", "length", "gc", "kmers"}
    firsts = [(first.name, second.name) for first, second in tables.pairs(evaluated_classes)]
    regression = "5-mer logistic regression"
    assert firsts == [("<trained>", regression), ("drawn", regression), ("<trained>", "drawn")]


def test_each_class_has_precision_recall_and_areas(evaluated_classes: ClassEvaluation) -> None:
    model = evaluated_classes.models[0]
    table = tables.of_each_class(evaluated_classes, model)
    assert [row[:2] for row in table.rows] == [("10", 10), ("exon", 10), ("intron", 10)]
    counts = evaluated_classes.confusion(model)
    assert table.rows[0][3] == counts[0, 0] / 10
    assert tables.confusion(evaluated_classes, model).rows[1] == ("exon", *counts[1].tolist())


def test_of_many_classes_the_table_says_what_they_are_called_most_often(
    evaluated_classes: ClassEvaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_COLUMNS", 2)
    table = tables.confusion(evaluated_classes, evaluated_classes.models[1])
    assert table.header[2:4] == ("called so", "most often called otherwise")
    assert len(table.rows) == 3


def test_mistakes_are_the_most_confident_ones(evaluated_classes: ClassEvaluation) -> None:
    model = evaluated_classes.models[1]
    rows = tables.mistakes(evaluated_classes, model, 5).rows
    assert all(row[1] != row[2] for row in rows)
    shares = [row[3] for row in rows]
    assert shares == sorted(shares, reverse=True)


def test_conclusions_compare_with_the_best_rule_and_calls_with_the_regression(
    evaluated_classes: ClassEvaluation,
) -> None:
    best = evaluated_classes.best
    assert best.name == evaluated_classes.rules[0].description
    text = conclusions.conclude(evaluated_classes)[1]
    assert text.startswith("drawn: The model's AUROC ")
    rule = f"{best.name}, fitted on train of this dataset ({best.metrics['auroc']:.3f})"
    assert f"is not above the best rule, {rule}." in text
    assert "Compared with the 5-mer logistic regression, its MCC is 0." in text
    assert " and its macro-F1 is 0." in text


def test_a_rule_that_is_better_than_the_regression_is_named(evaluated_classes: ClassEvaluation) -> None:
    model, rule = evaluated_classes.models[0], evaluated_classes.models[1]
    perfect = replace(rule, name="length in bases", metrics=rule.metrics | {"auroc": 1.0})
    text = conclusions.conclude(replace(evaluated_classes, models=[model], best=perfect))[0]
    assert "is not above the best rule, length in bases (1.000)." in text


def test_warnings_name_other_datasets_and_classes_that_are_never_called(evaluated_classes: ClassEvaluation) -> None:
    silent = np.tile([1.0, 0.0, 0.0], (len(evaluated_classes.dataset), 1))
    models = [replace(model, probabilities=silent) for model in evaluated_classes.models]
    never, _, other = conclusions.warnings(replace(evaluated_classes, models=models))
    assert never == "model <trained> never calls exon, intron, of which the split has sequences"
    assert other.startswith("model drawn was trained on dataset 000000000000")


def test_memory_of_rules_is_that_of_the_best_and_the_regression(evaluated_classes: ClassEvaluation) -> None:
    holders = {rule.name for rule in evaluated_classes.rules if rule.probabilities is not None}
    assert holders == {"kmers", evaluated_classes.rules[0].name}


def test_other_classes_tasks_and_datasets_are_refused(
    class_bundles: dict[str, Bundle], class_dataset: Path, dataset: Path
) -> None:
    bundle = class_bundles["<trained>"]
    renamed = replace(bundle, config=bundle.config | {"classes": ["exon", "10", "intron"]})
    with pytest.raises(BundleError, match="its classes 10, exon, intron are not the model's exon, 10, intron"):
        evaluate_classes({"model": renamed}, class_dataset, "test", 4096, Resampling(100))
    with pytest.raises(DatasetError, match="its rows have no classes"):
        evaluate_classes({"model": bundle}, dataset, "test", 4096, Resampling(100))
    genes = small_bundle(TokenDataset.open(dataset, "train"))
    with pytest.raises(BundleError, match="this model recognises genes among intervals"):
        evaluate_classes({"model": genes}, class_dataset, "test", 4096, Resampling(100))
    with pytest.raises(UsageError, match="--samples 99: too few"):
        evaluate_classes({"model": bundle}, class_dataset, "test", 4096, Resampling(99))


def test_the_rules_are_fitted_by_folds_where_there_is_no_validation(class_dataset: Path) -> None:
    train, test = (TokenDataset.open(class_dataset, split) for split in ("train", "test"))
    rules = class_rules.audit(train, test, None)
    assert next(rule for rule in rules if rule.name == KMERS).metrics["auroc"] > 0.8


def test_rules_are_fitted_on_a_sample_of_large_splits(class_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = (TokenDataset.open(class_dataset, split) for split in ("train", "test"))
    fitted: list[int] = []
    fit = class_regression.fitted

    def counted(columns: Any, labels: Any, strength: float) -> Any:
        fitted.append(len(columns))
        return fit(columns, labels, strength)

    monkeypatch.setattr(kmer_regression, "MAX_ROWS", 60)
    monkeypatch.setattr(class_regression, "fitted", counted)
    class_rules.audit(train, test, test)
    assert set(fitted) == {60}
