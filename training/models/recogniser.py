"""A gene recogniser: token vectors, an optional strided convolution, a body that reads along the sequence, pooling, one logit.

Token vectors may tell their place, and the body may read a sequence as interleaved ones, its reading frames; what those
are pooled to is then joined.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from pipelines.tokens.vocabulary import PAD
from training.config import ModelConfig
from training.data.batch import TokenBatch
from training.models.absolute_positions import Place
from training.models.body import Body
from training.models.frames import apart, joined
from training.models.pooling import Pooling
from training.models.positions import Positions
from training.models.stem import Stem


class Recogniser(nn.Module):
    """Maps a batch to one logit a row.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        body: makes the body for vectors of a width.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int, body: Callable[[ModelConfig, int], Body]) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding, padding_idx=PAD)
        self.place = Place(config.embedding) if config.absolute_positions else None
        self.dropout = nn.Dropout(config.dropout)
        self.stem = Stem(config) if config.stem else None
        self.body = body(config, config.stem or config.embedding)
        self.pooling = Pooling(config.pooling, self.body.width, self.body.directions)
        self.head = nn.Linear(self.pooling.width * (2 if config.frames > 1 else 1), 1)

    def forward(self, batch: TokenBatch) -> Tensor:
        """One logit a row, float32, shape (rows,)."""
        vectors, mask = self.dropout(self.embedding(batch.padded())), batch.mask()
        if self.place is not None:
            vectors = (vectors + self.place(batch.longest)) * mask[..., None]
        found = Positions(vectors, mask, batch.lengths, batch.counts)
        if self.stem is not None:
            found = self.stem(found)
        frames = self.config.frames
        if frames > 1:
            found = apart(found, frames)
        pooled = self.pooling(self.body(found))
        if frames > 1:
            pooled = joined(pooled, frames)
        logits: Tensor = self.head(self.dropout(pooled)).squeeze(-1).float()
        return logits
