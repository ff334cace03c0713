from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.vocabulary import PAD
from training.data.batch import collate


@given(st.lists(st.integers(0, 159), min_size=1, max_size=12))
def test_a_batch_holds_each_row_followed_by_padding(train_split: TokenDataset, rows: list[int]) -> None:
    batch = collate(train_split.tokens, train_split.offsets, train_split.labels, np.array(rows))
    longest = max(len(train_split[row][0]) for row in rows)
    expected = [[*train_split[row][0].tolist(), *[PAD] * (longest - len(train_split[row][0]))] for row in rows]
    assert batch.padded().tolist() == expected
    assert batch.labels.tolist() == [train_split[row][1] for row in rows]


def test_the_mask_is_true_exactly_where_there_are_tokens(train_split: TokenDataset) -> None:
    batch = collate(train_split.tokens, train_split.offsets, train_split.labels, np.arange(9))
    assert torch.equal(batch.mask(), batch.padded() != PAD)
    assert torch.equal(batch.mask().sum(1), batch.lengths)
