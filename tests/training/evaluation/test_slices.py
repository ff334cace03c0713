from __future__ import annotations

import numpy as np
import pytest

from pipelines import metrics
from training.evaluation import Evaluation
from training.evaluation.bootstrap import Resampling
from training.evaluation.slices import BY, FEWEST, judge


def parts_by_a_plain_loop(judged: Evaluation, by: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, row in enumerate(judged.dataset.table.to_pylist()):
        low = 1
        while low * 2 <= row["end"] - row["start"]:
            low *= 2
        names = {
            "genome": row["genome"],
            "chromosome": f"{row['genome']}:{row['chromosome']}",
            "length": f"{low:,}–{2 * low - 1:,}",
        }
        found.setdefault(names[by], []).append(number)
    return found


@pytest.mark.parametrize("by", BY)
def test_every_part_has_the_figures_of_its_rows(judged: Evaluation, by: str) -> None:
    wanted, (model,) = parts_by_a_plain_loop(judged, by), judged.models
    found = model.slices[by]
    assert {one.name for one in found} == set(wanted)
    for one in found:
        rows = wanted[one.name]
        labels, scores = judged.dataset.labels[rows], model.probabilities[rows]
        assert (one.genes, one.negatives) == (labels.sum(), len(rows) - labels.sum())
        figures = metrics.binary_metrics(labels, scores, model.threshold)
        if min(one.genes, one.negatives) > 0:
            assert one.metrics == pytest.approx(figures)
        assert (one.interval is not None) == (min(one.genes, one.negatives) >= FEWEST)


def test_lengths_come_in_their_order_and_places_in_that_of_the_rows(judged: Evaluation) -> None:
    (model,) = judged.models
    lengths = [int(one.name.split("–")[0].replace(",", "")) for one in model.slices["length"]]
    assert lengths == sorted(lengths)
    for by in ("genome", "chromosome"):
        assert [one.name for one in model.slices[by]] == list(parts_by_a_plain_loop(judged, by))


def test_what_needs_a_class_that_is_missing_is_not_told() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.8, 0.2])
    rows = [("genes", np.array([0, 1])), ("negatives", np.array([2, 3]))]
    genes, negatives = judge(labels, scores, 0.5, rows, Resampling(samples=100))
    assert genes.metrics["recall"] == 0.5
    assert negatives.metrics["recall"] is None
    for one in (genes, negatives):
        assert one.metrics["auroc"] is one.metrics["auprc"] is one.metrics["mcc"] is one.interval is None
