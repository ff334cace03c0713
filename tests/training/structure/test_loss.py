from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.structure.states import MASKED, SITES, STATES, pack, unpack
from tests.training.structure.synthetic import SMALL, batch, realistic_states
from training import structure
from training.structure.batch import StructureBatch
from training.structure.loss import LossWeights, losses
from training.structure.network import IMPOSSIBLE, Outputs

WEIGHTS = LossWeights(40, (0.5, 1.0, 2.0, 2.5, 3.0, 1.5, 1.25, 0.75), 0.7, (10.0, 20.0, 30.0, 40.0))


def labelled_batch(lengths: list[int]) -> StructureBatch:
    states = [pack(realistic_states(length, seed), realistic_states(length, seed + 9)[::-1])
              for seed, length in enumerate(lengths)]  # fmt: skip
    return replace(batch(lengths), states=torch.from_numpy(np.concatenate(states)))


def random_outputs(rows: int, bases: int) -> Outputs:
    generator = torch.Generator().manual_seed(3)
    return Outputs(
        torch.randn(rows, bases, 2, STATES, generator=generator),
        torch.randn(rows, bases, 2, SITES, generator=generator),
    )


def neighbours(states: list[int], base: int, strand: int) -> tuple[int, int]:
    """The states before and after a base in reading direction."""
    around = [states[base - 1] if base else MASKED, states[base + 1] if base + 1 < len(states) else MASKED]
    return (around[0], around[1]) if strand == 0 else (around[1], around[0])


def plain_loss(outputs: Outputs, rows: StructureBatch, weights: LossWeights, row: int) -> float:
    first = int(rows.counts[:row].sum())
    packed = rows.states[first : first + int(rows.counts[row])].numpy()
    total = 0.0
    for strand, array in enumerate(unpack(packed)):
        states = array.tolist()
        for base, state in enumerate(states):
            if state == MASKED:
                continue
            logits = outputs.states[row, base, strand].tolist()
            probability = math.exp(logits[state]) / sum(math.exp(logit) for logit in logits)
            total -= weights.states[state] * math.log(probability)
            before, after = neighbours(states, base, strand)
            deciding = [before, after, before, after]
            is_site = [
                state == 2 and before in (0, 1),
                state == 4 and after in (0, 1),
                (before, state) in ((2, 6), (3, 7), (4, 5)),
                (state, after) in ((5, 2), (6, 3), (7, 4)),
            ]
            for kind in range(SITES):
                if deciding[kind] == MASKED:
                    continue
                probability = 1 / (1 + math.exp(-outputs.sites[row, base, strand, kind].item()))
                total -= weights.sites * (
                    weights.positives[kind] * math.log(probability) if is_site[kind] else math.log(1 - probability)
                )
    return total / weights.length


def test_the_loss_is_that_of_plain_loops() -> None:
    rows = labelled_batch([40, 31, 1])
    outputs = random_outputs(3, 40)
    expected = [plain_loss(outputs, rows, WEIGHTS, row) for row in range(3)]
    assert losses(outputs, rows, WEIGHTS).tolist() == pytest.approx(expected, rel=1e-5)


def test_masked_bases_take_no_gradient() -> None:
    rows = labelled_batch([40])
    outputs = random_outputs(1, 40)
    outputs.states.requires_grad_()
    losses(outputs, rows, WEIGHTS).sum().backward()
    assert outputs.states.grad is not None
    moved = outputs.states.grad[0].abs().sum(-1) > 0
    expected = np.stack([strand != MASKED for strand in unpack(rows.states.numpy())], axis=1)
    assert np.array_equal(moved.numpy(), expected)


def test_a_batch_without_known_bases_has_no_loss_and_finite_gradients() -> None:
    rows = replace(batch([20]), states=torch.full((20,), 0x88, dtype=torch.uint8))
    network = structure.make(SMALL, 67)
    loss = losses(network(rows), rows, LossWeights(20))
    loss.sum().backward()
    assert loss.tolist() == [0.0]
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in network.parameters())


def test_the_loss_is_in_full_precision_under_autocast() -> None:
    rows = labelled_batch([40])
    with torch.autocast("cpu", torch.bfloat16):
        outputs = structure.make(SMALL, 67)(rows)
        loss = losses(outputs, rows, WEIGHTS)
    assert outputs.states.dtype == outputs.sites.dtype == loss.dtype == torch.float32


def test_a_state_that_does_not_occur_changes_no_loss() -> None:
    rows = labelled_batch([40])
    without = rows.states.numpy().copy()
    without[without & 0x0F == 1] &= 0xF0
    without[without >> 4 == 1] &= 0x0F
    rows = replace(rows, states=torch.from_numpy(without))
    outputs = random_outputs(1, 40)
    outputs.states[..., 1] = IMPOSSIBLE
    expected = [plain_loss(outputs, rows, LossWeights(40), 0)]
    for weight in (0.0, 1.0, 7.0):
        weights = LossWeights(40, tuple(weight if state == 1 else 1.0 for state in range(STATES)))
        assert losses(outputs, rows, weights).tolist() == pytest.approx(expected, rel=1e-5)
