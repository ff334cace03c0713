"""A gene recogniser that reads both strands of a sequence in one pass, and gives them the same logits exactly.

Each token has its own vector beside that of its reverse complement, so that turning a sequence exchanges the halves of
all vectors and reverses their order. Every layer keeps it so (`training.models.paired.layers`), pooling leaves a vector
for each strand, and mean and maximum of the two do not depend on which is first. Half of the weights of a network that
reads one strand do the same work on both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.errors import UsageError
from pipelines.tokens.vocabulary import PAD
from training import model_registry
from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage
from training.data.batch import TokenBatch
from training.models import pooling
from training.models.body import Body
from training.models.cnn import Cnn
from training.models.dropout import Dropout, keys_of_positions, number_places
from training.models.frames import join_frames, split_frames
from training.models.paired import bodies
from training.models.paired.pooling import STRANDS, PairedPooling
from training.models.paired.stem import MirroredStem
from training.models.positions import Positions


def check(config: ModelConfig) -> None:
    """See that a model's keys allow `strands: equivariant`.

    Raises:
        UsageError: they do not; the message names the key.
    """
    kind = model_registry.get(config.kind)
    problems = {
        "absolute_positions": ("false", config.absolute_positions, "positions count from the start of one strand"),
        "bidirectional": (
            "true",
            "bidirectional" in kind.options and not config.bidirectional,
            "one direction is one strand alone",
        ),
        "stem_width": (
            str(config.stem_width + 1),
            config.stem > 0 and config.stem_width % 2 == 0,
            "even, without a middle",
        ),
        "stem": (str(config.stem + 1), config.stem % STRANDS > 0, "an odd number has no half for each strand"),
        "hidden": (
            str(config.hidden + 1),
            kind.load_body() is Cnn and config.hidden % STRANDS > 0,
            "an odd number has no half for each strand",
        ),
    }
    for key, (value, is_wrong, reason) in problems.items():
        if is_wrong:
            raise UsageError(
                f"model.{key} {str(getattr(config, key)).lower()}: {reason}, but strands equivariant treats both alike",
                f"set it to {value}, or model.strands to averaged",
                key=f"model.{key}",
            )


class EquivariantRecogniser(nn.Module):
    """Maps a batch to one logit a row, or to one of each class; turning a row changes nothing.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        body: class of the part that reads along the sequence.
        complements: the id of each token's reverse complement, shape (ids,); None if weights are loaded, which include
            them.

    Raises:
        UsageError: as `check`.
    """

    reverse_complements: Tensor

    def __init__(
        self, config: ModelConfig, vocabulary_size: int, body: type[Body], complements: NDArray[Any] | None = None
    ) -> None:
        super().__init__()
        check(config)
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding, padding_idx=PAD)
        self.dropout, self.head_dropout = Dropout(config.dropout), Dropout(config.dropout)
        self.stem = MirroredStem(config) if config.stem else None
        self.body = bodies.paired(body, config, config.stem or STRANDS * config.embedding)
        self.pooling = PairedPooling(config.pooling, self.body.width)
        self.head = nn.Linear(2 * self.pooling.width, config.logits)
        ids = np.arange(vocabulary_size) if complements is None else complements
        # As numbers, like all else that a bundle stores.
        self.register_buffer("reverse_complements", torch.from_numpy(ids.astype(np.float32)))
        number_places(self)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Logits in float32: one a row, shape (rows,), or `model.outputs` of each, shape (rows, outputs)."""
        keys = keys_of_positions(batch.dropout_keys, batch.longest)
        ids = batch.padded()
        vectors = [self.embedding(strand) for strand in (ids, self.reverse_complements.long()[ids])]
        states = self.dropout(torch.cat(vectors, dim=2), keys)
        positions = Positions(states, batch.mask(), batch.lengths, batch.counts, keys)
        if self.stem is not None:
            positions = self.stem(positions)
        frames = self.config.frames
        if frames > 1:
            positions = split_frames(positions, frames)
        # A strand of a frame is one more reading of the row.
        pooled = join_frames(self.pooling(self.body(positions)).flatten(0, 1), STRANDS * frames)
        logits: Tensor = self.head(self.head_dropout(pooled, batch.dropout_keys)).float()
        return logits.squeeze(-1) if self.config.logits == 1 else logits

    @staticmethod
    def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
        """What each part saves and needs, in forward order."""
        stages = [_embedding_stage(config, vocabulary_size, shape)]
        if config.stem:
            stages.append(MirroredStem.memory_stage(config, shape))
        shape = shape.in_frames(config.frames)
        stages += bodies.memory_stages(body, config, shape, config.stem or STRANDS * config.embedding)
        width = bodies.paired_size(body, config)
        return [
            *stages,
            pooling.memory_stage(config.pooling, shape, width, STRANDS, config.logits, time_major=False),
        ]


def _embedding_stage(config: ModelConfig, vocabulary_size: int, shape: Shape) -> Stage:
    """Memory of ids and vectors of both strands, and of dropout's noise."""
    vectors = shape.tensor(FLOAT * shape.padded_tokens * STRANDS * config.embedding)
    table = FLOAT * vocabulary_size * config.embedding
    read = shape.tensor(shape.item * shape.padded_tokens * STRANDS * config.embedding)
    return Stage(
        "token vectors",
        weights=table if shape.trains_embedding else 0,
        frozen=0 if shape.trains_embedding else table,
        saved=shape.tensor(ID * shape.padded_tokens) * STRANDS
        + shape.tensor(shape.padded_tokens)
        + read
        + (vectors if config.dropout and shape.trains_embedding else NOTHING),
        held=vectors if shape.item < FLOAT else NOTHING,
        forward=vectors * (2 if config.dropout else 1),
        backward=vectors * 2 if shape.trains_embedding else NOTHING,
    )
