from __future__ import annotations

import pytest
import torch
from torch import nn

from training.models.recurrent import gru


def cells_of(count: int, width: int = 5, hidden: int = 7) -> list[nn.GRU]:
    torch.manual_seed(0)
    return [nn.GRU(width, hidden).double() for _ in range(count)]


@pytest.mark.parametrize(("positions", "cells", "rows"), [(9, 2, 4), (1, 2, 1), (1, 1, 3), (30, 1, 1)])
def test_states_and_gradients_are_those_of_pytorchs_gru(positions: int, cells: int, rows: int) -> None:
    networks = cells_of(cells)
    states = torch.randn(positions, cells, rows, 5, dtype=torch.double, requires_grad=True)
    expected = torch.stack([cell(states[:, number])[0] for number, cell in enumerate(networks)], dim=1)
    actual = gru.run(networks, states)
    torch.testing.assert_close(actual, expected)
    weights = [states, *(parameter for cell in networks for parameter in cell.parameters())]
    outside = torch.randn_like(actual)
    expected_gradients, gradients = (torch.autograd.grad(gradient, weights, outside) for gradient in (expected, actual))
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient)


def test_states_that_require_no_gradient_get_none() -> None:
    networks = cells_of(1)
    gru.run(networks, torch.randn(4, 1, 2, 5, dtype=torch.double)).sum().backward()
    assert all(parameter.grad is not None for parameter in networks[0].parameters())


def test_it_replaces_a_gru_on_a_cpu_in_its_own_precision_only() -> None:
    states = torch.zeros(2, 1, 3, 5)
    assert gru.fits([nn.GRU(5, 7)], states)
    assert not gru.fits([nn.LSTM(5, 7)], states)
    assert not gru.fits([nn.GRU(5, 7)], states.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not gru.fits([nn.GRU(5, 7)], states)
