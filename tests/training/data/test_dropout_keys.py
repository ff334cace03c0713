from __future__ import annotations

import numpy as np

from training.data.dropout_keys import keys_of_rows


def test_a_key_depends_on_seed_epoch_and_row_alone() -> None:
    rows = np.arange(10_000)
    all_keys = keys_of_rows(7, 3, rows)
    chosen = np.array([9_999, 0, 17])
    np.testing.assert_array_equal(keys_of_rows(7, 3, chosen), all_keys[chosen])
    for seed, epoch in ((8, 3), (7, 4)):
        assert (keys_of_rows(seed, epoch, rows) != all_keys).mean() > 0.999


def test_rows_have_keys_of_their_own_that_fill_the_range() -> None:
    keys = keys_of_rows(0, 0, np.arange(100_000))
    # Two of 100,000 draws from 2^32 agree about once.
    assert len(np.unique(keys)) > 99_990
    assert abs(float(keys.mean()) / 2**31) < 0.01
