"""Several recognisers that are trained side by side, on the mean of their losses, and whose logits are averaged.

They differ by their first weights and by what dropout leaves out, so that their errors are partly each one's own (deep
ensembles: Lakshminarayanan et al. 2017, arXiv:1612.01474). Trained on the loss of their mean instead, they would learn
to complete one another, and end as one larger network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.stage import Stage
from training.data.batch import TokenBatch
from training.models.dropout import number_places
from training.models.paired.equivariant import EquivariantRecogniser
from training.models.recogniser import Recogniser

Member = Recogniser | EquivariantRecogniser
_OF_MEMBER = re.compile(r"^members\.\d+\.")


class Ensemble(nn.Module):
    """Maps a batch to the mean logits of its members, and in training to the logits of each.

    Args:
        config: every size.
        make_member: makes a recogniser, its weights drawn from torch's current seed.
    """

    def __init__(self, config: ModelConfig, make_member: Callable[[], Member]) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(make_member() for _ in range(config.ensemble))
        # The same keys of a row drop other values in each member.
        number_places(self)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Logits in float32: of rows, shape (rows,) or (rows, outputs); in training with a first axis for members."""
        logits = [member(batch) for member in self.members]
        return torch.stack(logits) if self.training else torch.stack(logits).mean(0)


def members_of(model: nn.Module) -> Sequence[nn.Module]:
    """The members of an ensemble; any other model is its only one."""
    return list(model.members) if isinstance(model, Ensemble) else [model]


def within_member(name: str) -> str:
    """The name of a weight or part within its member; as it is where there is no ensemble."""
    return _OF_MEMBER.sub("", name)


def memory_stages(members: int, stages: Sequence[Stage]) -> Iterator[Stage]:
    """What the members save and need, one after another.

    Args:
        members: of the ensemble.
        stages: of one member, in forward order.
    """
    held = sum((stage.held for stage in stages), NOTHING)
    for number in range(1, members + 1):
        for stage in stages:
            yield replace(stage, name=f"member {number}, {stage.name}")
        # Its forward pass has ended.
        yield Stage(f"member {number}, end", held=NOTHING - held)
