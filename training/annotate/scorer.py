"""A network as a function from tokens of tiles to packed scores, which can be sent to the actors of a pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.structure import states
from pipelines.tokens.tokenizer import Tokenizer
from training.annotate import scores
from training.annotate.scores import Packed
from training.data.batch import TokenBatch
from training.data.step_plan import scoring_batches
from training.engine.precision import Precision
from training.engine.process import heap, threads
from training.structure import inference
from training.structure.inference import Span

# Padded tokens in a batch: a body takes its steps for all rows at once.
CPU_TOKENS, GPU_TOKENS = 1 << 17, 1 << 20
CPU = torch.device("cpu")
Tokens = NDArray[Any]


@dataclass(frozen=True)
class StructureScorer:
    """A bundle's network with its tokenizer.

    Attributes:
        model: maps a TokenBatch to logits of states and sites.
        tokenizer: the tokenizer it was trained with.
        token_budget: maximum of padded tokens in a batch (default: by the kind of device).
        device: device of the model.
        precision: fp32, or bf16 for what gains by it.
    """

    model: nn.Module
    tokenizer: Tokenizer
    token_budget: int | None = None
    device: torch.device = CPU
    precision: str = "fp32"

    def __call__(self, tiles: Sequence[Tokens], spans: Sequence[Span] | None = None) -> Iterator[tuple[int, Packed]]:
        """Score tiles, those of similar length together.

        Args:
            tiles: token ids, one for each base; at least one.
            spans: the first base of each tile that is scored, and the one after the last (default: all bases).

        Yields:
            The number of each tile, in any order, with its scores of shape (2, 12, bases).
        """
        counts = np.array([len(tile) for tile in tiles], np.int64)
        if spans is None:
            spans = [(0, count) for count in counts.tolist()]
        on_cpu = self.device.type == "cpu"
        budget = self.token_budget or (CPU_TOKENS if on_cpu else GPU_TOKENS)
        with (
            torch.inference_mode(),
            threads.limited_for(self.model),
            Precision(self.precision, self.device).autocast(),
            heap.retain_freed_memory() if on_cpu else nullcontext(),
        ):
            logits_of = inference.TileInference(self.model) if inference.fits(self.model) else self._of_batch
            for rows in scoring_batches(counts, budget):
                tokens = [torch.from_numpy(tiles[row].astype(np.int64)) for row in rows.tolist()]
                of_rows = logits_of(tokens, [spans[row] for row in rows.tolist()])
                for row, logits in zip(rows.tolist(), of_rows, strict=True):
                    logits[:, : states.STATES] = logits[:, : states.STATES].log_softmax(dim=1)
                    yield row, scores.pack(logits)

    def _of_batch(self, tiles: Sequence[Tensor], spans: Sequence[Span]) -> Iterator[Tensor]:
        """Logits of states, then sites, as `TileInference` gives them, from one batch through the whole model."""
        counts = np.array([len(tile) for tile in tiles], np.int64)
        batch = TokenBatch(torch.cat(list(tiles)), torch.from_numpy(counts), torch.zeros(len(counts)), counts)
        outputs = self.model(batch.to(self.device))
        logits = torch.cat([part.permute(0, 2, 3, 1) for part in (outputs.states, outputs.sites)], dim=2)
        for of_row, (first, last) in zip(logits, spans, strict=True):
            yield of_row[..., first:last]

    def to(self, device: torch.device) -> StructureScorer:
        """The same scorer, computing on a device."""
        return replace(self, model=self.model.to(device), device=device)
