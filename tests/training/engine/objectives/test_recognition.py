from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from training.engine.objectives.recognition import class_weights, sample_rows


def test_balanced_weights_give_both_classes_the_same_total_weight(train_split: TokenDataset) -> None:
    rare = np.flatnonzero(train_split.labels == 1)[20:]
    labels = train_split.labels.copy()
    labels[rare] = 0
    counts = torch.tensor([140.0, 20.0])
    assert (class_weights(labels, balanced=True) * counts).tolist() == pytest.approx([80, 80])


def test_without_balance_every_row_has_the_same_weight(train_split: TokenDataset) -> None:
    assert class_weights(train_split.labels[:10], balanced=False).tolist() == [1, 1]


def test_the_rows_that_the_gap_is_measured_on_are_the_same_for_every_trial() -> None:
    rows = sample_rows(100, 8)
    assert len(set(rows)) == 8
    assert np.array_equal(rows, sample_rows(100, 8))
    assert np.array_equal(rows, np.sort(rows))
    assert np.array_equal(sample_rows(5, 8), np.arange(5))
