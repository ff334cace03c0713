from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training import models
from training.config import ModelConfig
from training.data.batch import TokenBatch, collate
from training.models.positions import Positions
from training.models.recurrent.layers import Directed, Packing, Recurrent, reversal, rows_at, swapped

LENGTHS = st.lists(st.integers(1, 20), min_size=1, max_size=6)


def positions(lengths: list[int], width: int = 5) -> Positions:
    sizes = torch.tensor(lengths)
    mask = torch.arange(max(lengths)) < sizes[:, None]
    states = torch.randn(*mask.shape, width, generator=torch.Generator().manual_seed(0)) * mask[..., None]
    return Positions(states, mask, sizes, np.array(lengths))


def batch_of(lengths: list[int]) -> TokenBatch:
    tokens = np.random.default_rng(0).integers(1, 67, sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return collate(tokens, offsets, np.arange(len(lengths)) % 2, np.arange(len(lengths)))


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_two_directions_equal_a_bidirectional_network_on_packed_sequences(cell: type[nn.LSTM] | type[nn.GRU]) -> None:
    torch.manual_seed(0)
    layer, oracle = Directed(cell, 5, 6, 2), cell(5, 6, bidirectional=True, batch_first=True)
    assert layer.back is not None
    for name, value in layer.ahead.named_parameters():
        getattr(oracle, name).data.copy_(value.data)
    for name, value in layer.back.named_parameters():
        getattr(oracle, f"{name}_reverse").data.copy_(value.data)
    batch = positions([7, 4, 1])
    packed, _ = oracle(pack_padded_sequence(batch.states, batch.lengths, batch_first=True))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    actual = layer(batch.states.transpose(0, 1), reversal(batch.mask, batch.lengths), None).transpose(0, 1)
    torch.testing.assert_close(actual * batch.mask[..., None], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("stem", [0, 8])
@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [9, 9], [3, 17, 1, 8, 17, 2]])
def test_packed_sequences_give_the_logits_and_gradients_of_masked_ones(
    kind: str, directions: int, stem: int, lengths: list[int]
) -> None:
    config = ModelConfig(
        kind=kind, embedding=5, hidden=6, layers=2, stem=stem, bidirectional=directions == 2, dropout=0.0
    )
    torch.manual_seed(0)
    model = models.make(config, 67)
    assert isinstance(model.body, Recurrent)

    def computed(layout: str) -> list[torch.Tensor]:
        model.body.layout = layout  # type: ignore[assignment]
        model.zero_grad()
        logits = model(batch_of(lengths))
        logits.square().sum().backward()
        return [logits, *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)]

    masked, packed = computed("masked"), computed("packed")
    assert len(masked) == len(packed) == 1 + len(list(model.parameters()))
    for from_masked, from_packed in zip(masked, packed, strict=True):
        torch.testing.assert_close(from_masked, from_packed, rtol=1e-5, atol=1e-5)


@given(LENGTHS)
def test_positions_are_packed_as_torch_packs_them(lengths: list[int]) -> None:
    batch = positions(lengths)
    packing = Packing(batch)
    expected = pack_padded_sequence(batch.states, batch.lengths, batch_first=True, enforce_sorted=False)
    assert packing.batch_sizes.tolist() == expected.batch_sizes.tolist() == rows_at(batch.counts).tolist()
    assert torch.equal(batch.states.reshape(-1, 5)[packing.flat_index], expected.data)


@given(LENGTHS)
def test_both_orders_reverse_every_sequence_within_its_length(lengths: list[int]) -> None:
    batch = positions(lengths)
    packing, flat = Packing(batch), batch.states.reshape(-1, 5)
    packed = torch.zeros_like(flat).index_copy(
        0, packing.flat_index, swapped(flat[packing.flat_index], packing.reverse)
    )
    masked = swapped(batch.states.transpose(0, 1).contiguous(), reversal(batch.mask, batch.lengths)).transpose(0, 1)
    for row, length in enumerate(lengths):
        expected = batch.states[row, :length].flip(0)
        assert torch.equal(packed.view(batch.states.shape)[row, :length], expected)
        assert torch.equal(masked[row, :length], expected)


def test_the_gradient_of_an_order_that_undoes_itself_is_that_order() -> None:
    batch = positions([4, 1, 3])
    order = reversal(batch.mask, batch.lengths)
    states = batch.states.transpose(0, 1).contiguous().double().requires_grad_()
    torch.autograd.gradcheck(lambda values: swapped(values, order), states)
