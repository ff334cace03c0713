"""The loss of a batch of windows: cross-entropy of states and binary cross-entropy of sites, masked bases left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, nll_loss

from pipelines.structure.states import MASKED, SITES, STATES
from training.structure import site_targets
from training.structure.batch import StructureBatch
from training.structure.network import Outputs


@dataclass(frozen=True)
class LossWeights:
    """What a base counts.

    Attributes:
        length: bases of a whole window, by which every window's sum is divided.
        states: weight of a base by its state, shape (8,).
        sites: weight of the part of sites.
        positives: weight of a base that is a site against one that is none, by kind of site, shape (4,).
    """

    length: int
    states: tuple[float, ...] = (1.0,) * STATES
    sites: float = 1.0
    positives: tuple[float, ...] = (1.0,) * SITES


def losses(outputs: Outputs, batch: StructureBatch, weights: LossWeights) -> Tensor:
    """The loss of each window, float32, shape (rows,).

    It is summed over unmasked bases of both strands and divided by the length of a whole window, so that a base counts
    the same wherever it lies. A kind of site does not count where the labels leave it open: next to a masked base and
    at the ends of a window.

    Args:
        outputs: logits of the batch, shape (rows, bases, strands, states or sites).
        batch: the states of every base.
        weights: of states and sites.
    """
    strands = site_targets.strands(batch.padded_states())
    of_states = _state_losses(outputs.states, strands, weights)
    return (of_states + weights.sites * _site_losses(outputs.sites, strands, weights)) / weights.length


def _state_losses(logits: Tensor, strands: Tensor, weights: LossWeights) -> Tensor:
    """Shape (rows,); bases innermost, as the network lays logits out."""
    by_state = logits.permute(0, 2, 3, 1).float().log_softmax(2).flatten(0, 1)
    weight = torch.tensor(weights.states, device=logits.device)
    each = nll_loss(by_state, strands.flatten(0, 1).long(), weight, ignore_index=MASKED, reduction="none")
    return each.view(len(logits), -1).sum(1)


def _site_losses(logits: Tensor, strands: Tensor, weights: LossWeights) -> Tensor:
    """Shape (rows,)."""
    targets = site_targets.targets(strands)
    positive = torch.tensor(weights.positives, device=logits.device)[:, None]
    each = binary_cross_entropy_with_logits(
        logits.permute(0, 2, 3, 1).float(),
        targets.is_site.float(),
        targets.is_known.float(),
        pos_weight=positive,
        reduction="none",
    )
    return each.flatten(1).sum(1)
