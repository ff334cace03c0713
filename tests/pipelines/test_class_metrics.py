from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from pipelines import class_metrics, metrics


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 300)
    shares = generator.dirichlet(np.ones(4), 300)
    shares[np.arange(300), labels] += 0.3
    return labels, shares / shares.sum(1, keepdims=True)


def test_the_metrics_are_those_of_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, shares = scored
    called = shares.argmax(1)
    assert class_metrics.metrics_of(labels, shares) == pytest.approx(
        {
            "auroc": sk.roc_auc_score(labels, shares, multi_class="ovr", average="macro"),
            "auprc": np.mean([sk.average_precision_score(labels == number, shares[:, number]) for number in range(4)]),
            "mcc": sk.matthews_corrcoef(labels, called),
            "macro_f1": sk.f1_score(labels, called, average="macro"),
            "accuracy": sk.accuracy_score(labels, called),
        }
    )


def test_precision_recall_and_f1_of_each_class_are_those_of_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, shares = scored
    counts = class_metrics.confusion(labels, shares.argmax(1), 4)
    assert counts.tolist() == sk.confusion_matrix(labels, shares.argmax(1)).tolist()
    expected = sk.precision_recall_fscore_support(labels, shares.argmax(1))[:3]
    assert np.allclose(class_metrics.rates_of_classes(counts.astype(np.float64)), expected)


def test_of_two_classes_auroc_and_mcc_are_the_usual_ones(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, shares = scored
    positive, score = (labels == 1).astype(np.int8), shares[:, 1]
    both = class_metrics.metrics_of(positive, np.stack([1 - score, score], axis=1))
    usual = metrics.binary_metrics(positive, score, np.nextafter(0.5, 1))
    assert (both["auroc"], both["mcc"], both["accuracy"]) == pytest.approx(
        (usual["auroc"], usual["mcc"], usual["accuracy"])
    )


def test_a_class_without_rows_does_not_count_in_means(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, shares = scored
    kept = labels != 3
    values = class_metrics.against_others(labels[kept], shares[kept])
    assert np.isnan(values[3]).all()
    assert class_metrics.metrics_of(labels[kept], shares[kept])["auroc"] == pytest.approx(values[:3, 0].mean())


def test_counts_of_several_samples_are_computed_at_once(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, shares = scored
    counts = class_metrics.confusion(labels, shares.argmax(1), 4).astype(np.float64)
    several = class_metrics.metrics_of_counts(np.stack([counts, 2 * counts, np.zeros((4, 4))]))
    assert np.allclose(several[0], several[1])
    assert several[2].tolist() == [0, 0, 0]
