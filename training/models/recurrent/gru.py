"""GRUs side by side over padded, time-major sequences on CPU, with their gradient written out.

PyTorch has a fused LSTM for CPUs but no fused GRU (Cho et al. 2014, arXiv:1406.1078): that runs step by step, through
some fifteen recorded operations each way. Here one step of both directions costs six operations forward and four
backward. Every gradient within a step is the state's times a factor, so the factors of all steps are computed at once
beforehand, and the weights' gradients at once afterwards. Gates are computed again rather than saved: a view of a
tensor for each step costs as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn


def fits(cells: Sequence[nn.LSTM | nn.GRU], states: Tensor) -> TypeGuard[Sequence[nn.GRU]]:
    """Whether `run` computes what the cells would: GRUs on a CPU, in their own precision."""
    full_precision = states.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return full_precision and all(isinstance(cell, nn.GRU) for cell in cells)


def run(cells: Sequence[nn.GRU], states: Tensor) -> Tensor:
    """The states of GRUs of one layer and direction, each over its own input, starting from zero.

    Args:
        cells: of the same sizes.
        states: shape (positions, cells, rows, width).

    Returns:
        Shape (positions, cells, rows, hidden).
    """
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    output: Tensor = _Gru.apply(  # type: ignore[no-untyped-call]
        states, *(torch.stack([cell.get_parameter(name) for cell in cells]) for name in names)
    )
    return output


class _Gru(torch.autograd.Function):
    """r, z = sigmoid(input + hidden); n = tanh(input + r x hidden); h = n + z x (h before - n)."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, from_input: Tensor, from_hidden: Tensor, input_bias: Tensor, hidden_bias: Tensor
    ) -> Tensor:
        positions, cells, rows, _ = states.shape
        size = from_hidden.shape[2]
        projected = torch.baddbmm(input_bias[:, None], _by_cell(states), from_input.mT)
        projected = projected.view(cells, positions, rows, 3 * size).transpose(0, 1)
        out = states.new_zeros(positions + 1, cells, rows, size)
        weight, bias = from_hidden.mT.contiguous(), hidden_bias[:, None].expand(cells, rows, 3 * size).contiguous()
        hidden, r_and_z, n = torch.empty_like(bias), torch.empty_like(bias[..., : 2 * size]), torch.empty_like(out[0])
        hidden_r_and_z, hidden_n = hidden.split([2 * size, size], dim=2)
        r, z = r_and_z.split(size, dim=2)
        before, *rest = out.unbind()
        for after, projected_r_and_z, projected_n in zip(
            rest, projected[..., : 2 * size].unbind(), projected[..., 2 * size :].unbind(), strict=True
        ):
            torch.baddbmm(bias, before, weight, out=hidden)
            torch.add(projected_r_and_z, hidden_r_and_z, out=r_and_z).sigmoid_()
            torch.addcmul(projected_n, r, hidden_n, out=n).tanh_()
            before = torch.lerp(n, before, z, out=after)
        ctx.save_for_backward(states, from_input, from_hidden, hidden_bias, projected, out)
        return out[1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        states, from_input, from_hidden, hidden_bias, projected, out = ctx.saved_tensors
        positions, cells, rows, size = gradient.shape
        before = out[:-1]
        by_cell = _by_cell(before)
        hidden = torch.baddbmm(hidden_bias[:, None], by_cell, from_hidden.mT).view(cells, positions, rows, -1)
        hidden = hidden.transpose(0, 1)
        r, z = (projected[..., : 2 * size] + hidden[..., : 2 * size]).sigmoid_().split(size, dim=3)
        n = torch.addcmul(projected[..., 2 * size :], r, hidden[..., 2 * size :]).tanh_()
        of_new = (1 - z) * (1 - n * n)
        factors = torch.stack(
            [of_new * hidden[..., 2 * size :] * r * (1 - r), (before - n) * z * (1 - z), of_new * r], 3
        )
        of_state = _through_time(gradient, factors, z, from_hidden)
        of_hidden = _by_cell((of_state[..., None, :] * factors).flatten(3))
        recurrent, recurrent_bias = of_hidden.mT @ by_cell, of_hidden.sum(1)
        # The reset gate acts on the candidate's share of the state, not on its share of the input.
        of_hidden[..., 2 * size :] = _by_cell(of_state * of_new)
        entering = None
        if ctx.needs_input_grad[0]:
            entering = (of_hidden @ from_input).view(cells, positions, rows, -1).transpose(0, 1)
        return entering, of_hidden.mT @ _by_cell(states), recurrent, of_hidden.sum(1), recurrent_bias


def _through_time(gradient: Tensor, factors: Tensor, z: Tensor, from_hidden: Tensor) -> Tensor:
    """The gradient of every state, from the last to the first.

    Args:
        gradient: of the layer's output, shape (positions, cells, rows, hidden).
        factors: gradients of r, z and n by that of the state, shape (positions, cells, rows, 3, hidden).
        z: the share of the state before that a step keeps.
        from_hidden: weights, shape (cells, 3 x hidden, hidden).
    """
    totals = torch.empty_like(gradient, memory_format=torch.contiguous_format)
    carried, passed = torch.zeros_like(totals[0]), torch.empty_like(totals[0])
    each = torch.empty_like(factors[0])
    together, carried_wide, passed_wide = each.flatten(2), carried.unsqueeze(2), passed.unsqueeze(2)
    steps = zip(*(part.unsqueeze(3).unbind() for part in (gradient, totals, z)), factors.unbind(), strict=True)
    for outside, total, share, factor in reversed(list(steps)):
        torch.add(outside, carried_wide, out=total)
        torch.mul(total, factor, out=each)
        torch.mul(total, share, out=passed_wide)
        torch.baddbmm(passed, together, from_hidden, out=carried)
    return totals


def _by_cell(values: Tensor) -> Tensor:
    """From (positions, cells, rows, width) to (cells, positions x rows, width), as a copy."""
    return values.transpose(0, 1).clone(memory_format=torch.contiguous_format).flatten(1, 2)
