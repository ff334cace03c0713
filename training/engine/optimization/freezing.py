"""Which parts of a network an epoch trains; the others do not move, and compute as in evaluation."""

from __future__ import annotations

from torch import nn

from training.config import TrainingConfig
from training.engine.optimization.layers import is_of_head
from training.models.embedding_file import TOKEN_VECTORS
from training.models.ensemble import members_of, within_member


def prepare(model: nn.Module, config: TrainingConfig, epoch: int) -> None:
    """Put a network in the mode of an epoch: training, except for what `freeze_body` and `freeze_embedding` freeze.

    A frozen weight gets no gradient, so that the optimizer passes it over, weight decay included. A frozen part is in
    evaluation mode, so that running statistics do not move and nothing is dropped within it.

    Args:
        model: changed in place.
        config: of the training.
        epoch: epochs finished.
    """
    body_is_frozen = _is_within(config.freeze_body, epoch)
    model.train()
    for name, parameter in model.named_parameters():
        is_frozen = body_is_frozen and not is_of_head(name)
        is_table = within_member(name) == TOKEN_VECTORS
        parameter.requires_grad_(not (is_frozen or (is_table and _is_within(config.freeze_embedding, epoch))))
    if body_is_frozen:
        for name, part in (part for member in members_of(model) for part in member.named_children()):
            # A part without weights or statistics, such as dropout before the head, is not of the frozen body.
            if not is_of_head(name) and part.state_dict():
                part.eval()


def _is_within(epochs: int, epoch: int) -> bool:
    """Whether an epoch is among the first so many; -1 stands for all."""
    return epochs < 0 or epoch < epochs
