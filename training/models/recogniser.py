"""A gene recogniser: token vectors, an optional strided convolution, a body that reads along the sequence, pooling, a
logit, or one of each class.

Token vectors may include the position, and the body may read a sequence as interleaved ones, its reading frames, whose
pooled vectors are then joined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.tokens.vocabulary import PAD
from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage
from training.data.batch import TokenBatch
from training.models import pooling
from training.models.absolute_positions import AbsolutePositions
from training.models.body import Body
from training.models.dropout import Dropout, keys_of_positions, number_places
from training.models.frames import join_frames, split_frames
from training.models.pooling import Pooling
from training.models.positions import Positions
from training.models.stem import Stem


class Recogniser(nn.Module):
    """Maps a batch to one logit a row, or to one of each class.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        body: class of the part that reads along the sequence.
        complements: the id of each token's reverse complement, shape (ids,), for `model.strands: averaged`; None if
            weights are loaded, which include them.
    """

    reverse_complements: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        body: type[Body],
        complements: NDArray[Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding, padding_idx=PAD)
        # Bundles and checkpoints store its weight as `place.project.weight`, so that the attribute keeps this name.
        self.place = AbsolutePositions(config.embedding) if config.absolute_positions else None
        self.dropout, self.head_dropout = Dropout(config.dropout), Dropout(config.dropout)
        self.stem = Stem(config) if config.stem else None
        self.body = body(config, config.stem or config.embedding)
        self.pooling = Pooling(config.pooling, self.body.width, self.body.directions)
        self.head = nn.Linear(self.pooling.width * (2 if config.frames > 1 else 1), config.logits)
        if config.strands == "averaged":
            ids = np.arange(vocabulary_size) if complements is None else complements
            # As numbers, like all else that a bundle stores.
            self.register_buffer("reverse_complements", torch.from_numpy(ids.astype(np.float32)))
        number_places(self)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Logits in float32: one a row, shape (rows,), or `model.outputs` of each, shape (rows, outputs)."""
        logits = self._logits(batch)
        if self.config.strands == "single" or batch.one_strand:
            return logits
        # One strand after the other, so that scoring takes no more memory than that of one.
        return (logits + self._logits(batch.reverse_complement(self.reverse_complements.long()))) / 2

    def _logits(self, batch: TokenBatch) -> Tensor:
        keys = keys_of_positions(batch.dropout_keys, batch.longest)
        vectors, mask = self.dropout(self.embedding(batch.padded()), keys), batch.mask()
        if self.place is not None:
            vectors = (vectors + self.place(batch.longest)) * mask[..., None]
        positions = Positions(vectors, mask, batch.lengths, batch.counts, keys)
        if self.stem is not None:
            positions = self.stem(positions)
        frames = self.config.frames
        if frames > 1:
            positions = split_frames(positions, frames)
        pooled = self.pooling(self.body(positions))
        if frames > 1:
            pooled = join_frames(pooled, frames)
        logits: Tensor = self.head(self.head_dropout(pooled, batch.dropout_keys)).float()
        return logits.squeeze(-1) if self.config.logits == 1 else logits

    @staticmethod
    def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
        """What each part saves and needs, in forward order."""
        stages = [_embedding_stage(config, vocabulary_size, shape, time_major=body.time_major)]
        if config.stem:
            stages.append(Stem.memory_stage(config, shape))
        shape = shape.in_frames(config.frames)
        stages += body.memory_stages(config, shape, config.stem or config.embedding)
        width, directions = body.output_size(config)
        return [
            *stages,
            pooling.memory_stage(config.pooling, shape, width, directions, config.logits, time_major=body.time_major),
        ]


def _embedding_stage(config: ModelConfig, vocabulary_size: int, shape: Shape, *, time_major: bool) -> Stage:
    """Memory of ids, token vectors and dropout's noise; vectors in half precision are a copy of their own."""
    vectors = shape.tensor(FLOAT * shape.padded_tokens * config.embedding)
    table = FLOAT * vocabulary_size * config.embedding
    half = shape.item < FLOAT
    noise = vectors if config.dropout and shape.trains_embedding else NOTHING
    read = shape.tensor(shape.item * shape.padded_tokens * config.embedding) if half else vectors
    # Without a stem, a time-major body reads a copy of the vectors, which is part of its own first stage.
    copied = not config.stem and time_major and shape.rows > 1
    return Stage(
        "token vectors",
        weights=table if shape.trains_embedding else 0,
        frozen=0 if shape.trains_embedding else table,
        saved=shape.tensor(ID * shape.padded_tokens)
        + shape.tensor(shape.padded_tokens)
        + noise
        + (NOTHING if copied else read),
        held=vectors if half or copied else NOTHING,
        forward=vectors if config.dropout else NOTHING,
        backward=vectors * (2 if half or copied else 1) if shape.trains_embedding else NOTHING,
    )
