from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.audit import class_regression, class_rules, kmer_regression
from pipelines.audit.class_regression import ClassRegression
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from tests.training.conftest import write_dataset
from training.bundle import kmer_baseline
from training.bundle.kmer_baseline import ClassBaseline


@pytest.fixture(scope="module")
def document(train_split: TokenDataset, validation_split: TokenDataset) -> dict[str, Any]:
    return kmer_baseline.fitted(train_split, validation_split).document()


def test_it_scores_another_dataset_bit_by_bit_as_the_regression_it_was_made_of(
    train_split: TokenDataset, validation_split: TokenDataset, document: dict[str, Any], tmp_path: Path
) -> None:
    other = TokenDataset.open(write_dataset(tmp_path / "other", seed=5), "test")
    fitted = kmer_regression.fit_dataset(train_split, validation_split)
    read = kmer_baseline.of_bundle({kmer_baseline.KEY: json.loads(json.dumps(document))}, "bundle")
    assert read is not None
    rule = read.rule("own_kmers", other, " of other data")
    np.testing.assert_array_equal(rule.scores, kmer_regression.dataset_scores(fitted.regression, other))
    assert (rule.threshold, read.rows) == (fitted.threshold, len(train_split))
    assert rule.description == "5-mer logistic regression of other data"


def test_a_bundle_of_an_earlier_version_has_none() -> None:
    assert kmer_baseline.of_bundle({}, "bundle") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"k": 4},
        {"k": "5"},
        {"weights": "AAAA"},
        {"weights": "not base64!"},
        {"weights": None},
        {"threshold": float("nan")},
        {"intercept": "1"},
        {"rows": 1.5},
    ],
)
def test_what_is_no_regression_is_refused_in_one_line(document: dict[str, Any], changed: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"^run/bundle: config\.json: kmer_regression: ") as raised:
        kmer_baseline.of_bundle({kmer_baseline.KEY: document | changed}, "run/bundle")
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def of_classes(class_dataset: Path) -> ClassRegression:
    train, validation = (TokenDataset.open(class_dataset, split) for split in ("train", "validation"))
    return class_rules.fit_kmers(train, validation)


def config_of_classes(regression: ClassRegression, **changed: Any) -> dict[str, Any]:
    document = ClassBaseline.of(regression).document() | changed
    return json.loads(json.dumps({"classes": ["10", "exon", "intron"], kmer_baseline.KEY: document}))


def test_it_gives_classes_the_probabilities_of_the_regression_it_was_made_of(
    of_classes: ClassRegression, class_dataset: Path
) -> None:
    test = TokenDataset.open(class_dataset, "test")
    read = kmer_baseline.of_class_bundle(config_of_classes(of_classes), "bundle")
    assert read is not None
    assert (read.rows, read.name) == (of_classes.rows, "5-mer logistic regression")
    expected = class_regression.dataset_probabilities(of_classes, test)
    np.testing.assert_allclose(read.probabilities(test), expected, atol=1e-5)


def test_a_class_without_a_row_in_the_sample_is_fitted_all_the_same(
    class_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = (TokenDataset.open(class_dataset, split) for split in ("train", "validation"))
    monkeypatch.setattr(kmer_regression, "MAX_ROWS", 2)
    rows = kmer_regression.sample_rows(train)
    assert sorted(np.unique(train.labels[rows])) == [0, 1, 2]
    assert 2 < len(rows) <= 4
    assert (np.diff(rows) > 0).all()
    read = kmer_baseline.of_class_bundle(config_of_classes(class_rules.fit_kmers(train, validation)), "bundle")
    assert read is not None
    assert read.regression.classes == 3


def test_of_two_classes_it_has_the_probabilities_of_both() -> None:
    generator = np.random.default_rng(0)
    rows, labels = generator.random((40, 4**2), np.float32), np.arange(40) % 2
    regression = class_regression.fit(rows.copy(), labels, 2)
    np.testing.assert_allclose(regression.unscaled().probabilities(rows), regression.probabilities(rows), atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"intercepts": [0.0, 1.0]},
        {"intercepts": 1.0},
        {"intercepts": [0, 1, None]},
        {"intercepts": "123"},
        {"weights": "AAAA"},
    ],
)
def test_what_is_no_regression_of_classes_is_refused(of_classes: ClassRegression, changed: dict[str, Any]) -> None:
    assert kmer_baseline.of_class_bundle({}, "bundle") is None
    with pytest.raises(BundleError, match=r"^run/bundle: config\.json: kmer_regression: "):
        kmer_baseline.of_class_bundle(config_of_classes(of_classes, **changed), "run/bundle")
