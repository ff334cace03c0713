from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.data.dropout_keys import keys_of_other_strand, keys_of_rows
from training.models.dropout import Dropout, is_used, keys_of_positions, number_places

WORD = 1 << 32


def keys(rows: int, epoch: int = 0) -> torch.Tensor:
    return torch.from_numpy(keys_of_rows(0, epoch, np.arange(rows)))


def kept(dropout: Dropout, keys: torch.Tensor, width: int) -> torch.Tensor:
    return dropout(torch.ones(*keys.shape, width), keys) > 0


def mixed(number: int) -> int:
    """The hash of 32 bits, one number at a time."""
    number = number * 0x7FEB352D % WORD
    number ^= number >> 15
    number = number * 0x846CA68B % WORD
    return number ^ number >> 16


def plain_loop(key: int, width: int, share: float, place: int) -> list[bool]:
    bits = []
    for pair in range((width + 1) // 2):
        word = mixed((key * (2 * place + 1) * 0x846CA68B + pair * 0x9E3779B9) % WORD)
        bits += [word % (1 << 16), word >> 16]
    signed = [half - (1 << 16) if half >= 1 << 15 else half for half in bits]
    return [half >= round(share * (1 << 16)) - (1 << 15) for half in signed[:width]]


@given(
    st.integers(-(1 << 31), (1 << 31) - 1), st.integers(1, 9), st.sampled_from([0.1, 0.5, 0.99999]), st.integers(0, 40)
)
def test_what_is_kept_is_that_of_a_plain_loop(key: int, width: int, share: float, place: int) -> None:
    dropout = Dropout(share)
    dropout.place = place
    assert kept(dropout, torch.tensor([key], dtype=torch.int32), width)[0].tolist() == plain_loop(
        key % WORD, width, share, place
    )


def test_the_share_is_dropped_and_the_rest_keeps_the_mean() -> None:
    values = Dropout(0.3)(torch.ones(200, 50, 32), keys_of_positions(keys(200), 50))
    assert float((values == 0).float().mean()) == pytest.approx(0.3, abs=0.003)
    assert float(values.mean()) == pytest.approx(1, abs=0.005)
    assert values.unique().tolist() == pytest.approx([0, 1 / 0.7])


def test_a_row_is_masked_alike_alone_in_any_order_and_with_any_padding() -> None:
    dropout, rows = Dropout(0.5), keys(7)
    together = kept(dropout, keys_of_positions(rows, 30), 5)
    order = torch.tensor([4, 0, 6])
    longer = kept(dropout, keys_of_positions(rows[order], 44), 5)
    assert torch.equal(longer[:, :30], together[order])


@pytest.mark.parametrize("other", ["place", "epoch", "strand", "position", "row", "feature"])
def test_masks_of_another_place_epoch_strand_position_row_or_feature_are_unrelated(other: str) -> None:
    first, second = Dropout(0.5), Dropout(0.5)
    number_places(nn.ModuleList([first, second]))
    rows, width = keys(300), 64
    one = kept(first, keys_of_positions(rows, 21), width)
    two = {
        "place": kept(second, keys_of_positions(rows, 21), width),
        "epoch": kept(first, keys_of_positions(keys(300, epoch=1), 21), width),
        "strand": kept(first, keys_of_positions(keys_of_other_strand(rows), 21), width),
        "position": one.roll(1, 1),
        "row": one.roll(1, 0),
        "feature": one.roll(1, 2),
    }[other]
    # Of 403,200 pairs of fair coins half agree, give or take .0008.
    assert float((one == two).float().mean()) == pytest.approx(0.5, abs=0.004)


def test_gradients_pass_through_what_is_kept() -> None:
    values = torch.randn(3, 4, 6, requires_grad=True)
    dropped = Dropout(0.25)(values, keys_of_positions(keys(3), 4))
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, dropped)


def test_half_precision_drops_the_same_values() -> None:
    dropout, of_positions = Dropout(0.5), keys_of_positions(keys(3), 4)
    half = dropout(torch.ones(3, 4, 6, dtype=torch.bfloat16), of_positions)
    assert half.dtype == torch.bfloat16
    assert torch.equal(half > 0, dropout(torch.ones(3, 4, 6), of_positions) > 0)


def test_nothing_is_dropped_in_evaluation_and_without_keys_torch_draws() -> None:
    dropout, values = Dropout(0.5), torch.ones(4, 8)
    torch.manual_seed(3)
    drawn = dropout(values, None)
    torch.manual_seed(3)
    assert torch.equal(drawn, nn.Dropout(0.5)(values))
    assert torch.equal(dropout.eval()(values, keys(4)), values)
    assert is_used(nn.Sequential(dropout))
    assert not is_used(nn.Sequential(Dropout(0.0), nn.Dropout(0.5)))
