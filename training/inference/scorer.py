"""A model as a function from sequences to probabilities, which can be sent to the actors of a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipelines.tokens.tokenizer import Tokenizer
from training.data.ahead import made_ahead
from training.engine.scoring import default_token_budget, probabilities, shape_of_scores
from training.hardware import devices
from training.inference import window_inference
from training.memory.scoring import batch_tokens
from training.models import AnyRecogniser

CPU = torch.device("cpu")
CHUNK = 1 << 20
"""Bases that are encoded at once while a GPU computes those before them: some thousand windows."""


class Scorer(Protocol):
    """Gives sequences their probability of being a gene, or of each class."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Score sequences.

        Args:
            codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Probabilities, shape (sequences,), or (sequences, classes).
        """

    def to(self, device: torch.device) -> Scorer:
        """The same scorer, computing on a device."""


@dataclass(frozen=True)
class ModelScorer:
    """A bundle's model with its tokenizer.

    Attributes:
        model: maps a TokenBatch to logits.
        tokenizer: the tokenizer it was trained with.
        token_budget: maximum of padded tokens in a batch (default: by the kind of device, and on a GPU by its memory).
        device: device of the model.
        memory: bytes of a GPU that were free before it held the model; None on a CPU.
    """

    model: nn.Module
    tokenizer: Tokenizer
    token_budget: int | None = None
    device: torch.device = CPU
    memory: int | None = None

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.device.type == "cpu":
            return self._score(*self.tokenizer.encode_many(codes, lengths))
        return self._score_in_chunks(codes, lengths, CHUNK)

    def shares_positions(self, size: int) -> bool:
        """Whether `of_windows` takes windows of `size` bases: it computes what they have in common once."""
        is_every_base = self.device.type == "cpu" and self.tokenizer.stride == 1
        return is_every_base and window_inference.fits(self.model, self._tokens(size))

    def of_windows(self, codes: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        """Score windows of one stretch, where `shares_positions`.

        Args:
            codes: base codes 0 to 4 of the stretch, shape (bases,).
            starts: the first base of each window, shape (windows,).
            size: bases of a window.

        Returns:
            Probabilities, shape (windows,).
        """
        tokens, _ = self.tokenizer.encode_many(codes, np.array([len(codes)]))
        with torch.inference_mode():
            logits = window_inference.logits_of_windows(self.model, tokens, starts, self._tokens(size))
        scores: NDArray[np.float64] = torch.sigmoid(logits.double()).numpy()
        return scores

    def _tokens(self, bases: int) -> int:
        return int(self.tokenizer.token_counts(np.array([bases]))[0])

    def _score_in_chunks(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64], chunk: int) -> NDArray[np.float64]:
        """Score sequences of some bases while those after them are encoded."""
        encoded = (self.tokenizer.encode_many(*part) for part in chunks(codes, lengths, chunk))
        with made_ahead(encoded, 1) as prepared:
            scores = [self._score(tokens, counts) for tokens, counts in prepared]
        return np.concatenate([np.empty(shape_of_scores(self.model, 0)), *scores])

    def _score(self, tokens: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        budget = self.token_budget or self._default_budget(int(counts.max(initial=1)))
        return probabilities(self.model, tokens, counts, budget, self.device)

    def _default_budget(self, longest: int) -> int:
        if self.memory is None or not isinstance(self.model, AnyRecogniser):
            return default_token_budget(self.device)
        return batch_tokens(self.model.config, self.tokenizer.vocabulary_size, longest, self.memory)

    def to(self, device: torch.device) -> ModelScorer:
        memory = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
        return replace(self, model=self.model.to(device), device=device, memory=memory)


def chunks(
    codes: NDArray[np.uint8], lengths: NDArray[np.int64], chunk: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """The sequences in turn, as many at once as begin within `chunk` bases.

    Args:
        codes: of all sequences end to end, shape (sum of lengths,).
        lengths: of each sequence, shape (sequences,).
        chunk: bases.
    """
    if not len(lengths):
        return
    ends = np.cumsum(lengths)
    number_of = (ends - lengths) // chunk
    firsts = np.flatnonzero(np.diff(number_of, prepend=-1))
    for first, last in zip(firsts, [*firsts[1:], len(lengths)], strict=True):
        yield codes[ends[first] - lengths[first] : ends[last - 1]], lengths[first:last]


class _Movable(Protocol):
    def to(self, device: torch.device) -> Any: ...


Moved = TypeVar("Moved", bound=_Movable)


def to_assigned_gpu(scorer: Moved, *, use_gpu: bool) -> Moved:
    """Move a scorer to the GPU that Ray assigned to this actor, if it assigned one.

    Raises:
        ResourceError: torch does not see that GPU.
    """
    if not use_gpu:
        return scorer
    import ray

    moved: Moved = scorer.to(devices.of_worker("cuda", ray.get_gpu_ids()))
    return moved
