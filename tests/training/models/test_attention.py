from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from training.models.attention import Packed, Padded, serves, windowed
from training.models.positions import Positions
from training.models.transformer import rotate


def positions(lengths: list[int], width: int = 8) -> Positions:
    sizes = torch.tensor(lengths)
    mask = torch.arange(max(lengths)) < sizes[:, None]
    generator = torch.Generator().manual_seed(sum(lengths))
    return Positions(torch.randn(*mask.shape, width, generator=generator), mask, sizes, np.array(lengths))


@given(st.lists(st.integers(1, 23), min_size=1, max_size=4), st.integers(1, 12))
def test_attention_by_blocks_equals_attention_under_a_band(lengths: list[int], window: int) -> None:
    batch = positions(lengths)
    query, key, value = torch.randn(3, len(lengths), 2, max(lengths), 4, generator=torch.Generator().manual_seed(1))
    index = torch.arange(max(lengths))
    band = ((index[:, None] - index).abs() <= window) & batch.mask[:, None, None, :]
    band = band | torch.eye(max(lengths), dtype=torch.bool)
    expected = scaled_dot_product_attention(query, key, value, attn_mask=band)
    attended = windowed(query, key, value, batch.mask, window)
    real = batch.mask[:, None, :, None]
    torch.testing.assert_close(attended * real, expected * real, rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(1, 23), min_size=1, max_size=4))
def test_packing_and_unpacking_keep_what_is_real(lengths: list[int]) -> None:
    batch = positions(lengths)
    packed = Packed(batch, 0)
    flat = packed.into(batch.states)
    assert flat.shape == (sum(lengths), 8)
    torch.testing.assert_close(packed.back(flat), batch.states * batch.mask[..., None])
    assert packed.indices.tolist() == [index for length in lengths for index in range(length)]


def test_without_padding_no_mask_is_needed_and_the_result_is_the_same() -> None:
    batch = positions([6, 6])
    parts = [torch.randn(2, 6, 2, 4) for _ in range(3)]
    with_mask = Positions(batch.states, batch.mask, batch.lengths, np.array([6, 5]))
    torch.testing.assert_close(Padded(batch, 0).attend(*parts), Padded(with_mask, 0).attend(*parts))


def test_rotary_scores_depend_on_distance_alone() -> None:
    query, key = torch.randn(1, 1, 8), torch.randn(1, 1, 8)
    rates = 10_000.0 ** -(torch.arange(0, 8, 2) / 8)

    def score(first: int, second: int) -> torch.Tensor:
        return (rotate(query, torch.tensor([[first]]) * rates) * rotate(key, torch.tensor([[second]]) * rates)).sum()

    torch.testing.assert_close(score(3, 10), score(103, 110), rtol=1e-4, atol=1e-4)
    assert not torch.isclose(score(3, 10), score(3, 11))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_without_padding_is_left_to_devices_that_have_it(dtype: torch.dtype) -> None:
    assert not Packed.is_available(torch.zeros(1, dtype=dtype), 8)
    assert not serves(torch.device("cpu"), dtype, 8)
