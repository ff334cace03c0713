from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training.models.recurrent import Directed, reversal


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_two_directions_equal_a_bidirectional_network_on_packed_sequences(cell: type[nn.LSTM] | type[nn.GRU]) -> None:
    torch.manual_seed(0)
    layer, oracle = Directed(cell, 8, 6, 2), cell(8, 6, bidirectional=True, batch_first=True)
    assert layer.back is not None
    for name, value in layer.ahead.named_parameters():
        getattr(oracle, name).data.copy_(value.data)
    for name, value in layer.back.named_parameters():
        getattr(oracle, f"{name}_reverse").data.copy_(value.data)
    lengths = torch.tensor([7, 4, 1])
    mask = torch.arange(7) < lengths[:, None]
    states = torch.randn(3, 7, 8) * mask[..., None]
    packed, _ = oracle(pack_padded_sequence(states, lengths, batch_first=True))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    found = layer(states, reversal(mask, lengths)) * mask[..., None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
