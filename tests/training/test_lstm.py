from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training import models
from training.batch import TokenBatch, collate
from training.config import ModelConfig
from training.models.lstm import DirectedLSTM, reversal

LENGTHS = [1, 2, 5, 8, 9, 31, 64]
CONFIGS = [
    ModelConfig(stem=stem, stem_stride=stride, stem_width=width, pooling=pooling, bidirectional=both, layers=layers)
    for (stem, stride, width), pooling, (both, layers) in itertools.product(
        [(0, 1, 1), (16, 1, 9), (16, 4, 9), (16, 3, 4)], ["mean", "max", "last", "mean+max"], [(True, 1), (False, 2)]
    )
]


def batch_of(lengths: list[int], rows: list[int]) -> TokenBatch:
    tokens = np.random.default_rng(0).integers(1, 67, sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return collate(tokens, offsets, np.zeros(len(lengths), np.int8), np.array(rows))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_row_has_the_same_logit_alone_and_beside_longer_rows(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = models.make(config, 67).eval()
    with torch.inference_mode():
        together = model(batch_of(LENGTHS, list(range(len(LENGTHS)))))
        alone = torch.cat([model(batch_of(LENGTHS, [row])) for row in range(len(LENGTHS))])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS[:8], ids=str)
def test_gradients_do_not_depend_on_how_rows_are_batched(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = models.make(config, 67).eval()

    def gradient(batches: list[list[int]]) -> torch.Tensor:
        model.zero_grad()
        for rows in batches:
            model(batch_of(LENGTHS, rows)).sum().backward()
        return torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters() if parameter.grad is not None])

    whole, cut = gradient([[0, 1, 2, 3, 4, 5, 6]]), gradient([[6, 0], [5, 1, 2], [3], [4]])
    torch.testing.assert_close(whole, cut, rtol=1e-4, atol=1e-5)


def test_two_directions_equal_a_bidirectional_lstm_on_packed_sequences() -> None:
    torch.manual_seed(0)
    layer, oracle = DirectedLSTM(8, 6, 2), torch.nn.LSTM(8, 6, bidirectional=True, batch_first=True)
    for name, value in layer.forward_lstm.named_parameters():
        getattr(oracle, name).data.copy_(value.data)
    for name, value in layer.backward_lstm.named_parameters():
        getattr(oracle, f"{name}_reverse").data.copy_(value.data)
    lengths = torch.tensor([7, 4, 1])
    mask = torch.arange(7) < lengths[:, None]
    states = torch.randn(3, 7, 8) * mask[..., None]
    packed, _ = oracle(pack_padded_sequence(states, lengths, batch_first=True))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    found = layer(states, reversal(mask, lengths)) * mask[..., None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_padding_takes_no_gradient() -> None:
    model = models.make(ModelConfig(dropout=0.0), 67)
    model(batch_of(LENGTHS, [0, 6])).sum().backward()
    assert model.embedding.weight.grad[0].abs().sum() == 0
    assert model.embedding.weight.grad[1:].abs().sum() > 0
