from __future__ import annotations

import numpy as np
import pytest

from pipelines import metrics
from training.evaluation.bootstrap import Resampling
from training.evaluation.recognition import Evaluation
from training.evaluation.recognition.slices import BY, MIN_ROWS, evaluate_slices


def slices_by_a_plain_loop(evaluated: Evaluation, by: str) -> dict[str, list[int]]:
    rows_by_slice: dict[str, list[int]] = {}
    for number, row in enumerate(evaluated.dataset.table.to_pylist()):
        low = 1
        while low * 2 <= row["end"] - row["start"]:
            low *= 2
        names = {
            "genome": row["genome"],
            "chromosome": f"{row['genome']}:{row['chromosome']}",
            "length": f"{low:,}–{2 * low - 1:,}",
        }
        rows_by_slice.setdefault(names[by], []).append(number)
    return rows_by_slice


@pytest.mark.parametrize("by", BY)
def test_every_slice_has_the_metrics_of_its_rows(evaluated: Evaluation, by: str) -> None:
    expected, (model,) = slices_by_a_plain_loop(evaluated, by), evaluated.models
    slices = model.slices[by]
    assert {part.name for part in slices} == set(expected)
    for part in slices:
        rows = expected[part.name]
        labels, scores = evaluated.dataset.labels[rows], model.probabilities[rows]
        assert (part.genes, part.negatives) == (labels.sum(), len(rows) - labels.sum())
        figures = metrics.binary_metrics(labels, scores, model.threshold)
        if min(part.genes, part.negatives) > 0:
            assert part.metrics == pytest.approx(figures)
        assert (part.interval is not None) == (min(part.genes, part.negatives) >= MIN_ROWS)


def test_lengths_come_in_their_order_and_chromosomes_in_that_of_the_rows(evaluated: Evaluation) -> None:
    (model,) = evaluated.models
    lengths = [int(part.name.split("–")[0].replace(",", "")) for part in model.slices["length"]]
    assert lengths == sorted(lengths)
    for by in ("genome", "chromosome"):
        assert [part.name for part in model.slices[by]] == list(slices_by_a_plain_loop(evaluated, by))


def test_a_metric_that_needs_a_missing_class_is_none() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.8, 0.2])
    rows = [("genes", np.array([0, 1])), ("negatives", np.array([2, 3]))]
    genes, negatives = evaluate_slices(labels, scores, 0.5, rows, Resampling(samples=100))
    assert genes.metrics["recall"] == 0.5
    assert negatives.metrics["recall"] is None
    for part in (genes, negatives):
        assert part.metrics["auroc"] is part.metrics["auprc"] is part.metrics["mcc"] is part.interval is None
