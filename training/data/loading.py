"""Training batches of a token dataset for any PyTorch loop: steps of like lengths, cut by a token budget, shared by ranks.

The same steps as `raygene train` takes, a function of (lengths, batch, seed, epoch) alone. Batches are made ahead on a
thread; gathering rows from mapped files costs some microseconds each, so that one thread keeps up with any model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from training.data.batch import TokenBatch, collate
from training.data.feed import Step, feed
from training.data.step_plan import Rows, micro_batches, plan_epoch, share


@dataclass(frozen=True)
class Loader:
    """Batches of one rank; made by `loader`.

    Attributes:
        dataset: where rows are.
        batch: rows of a step, over all ranks.
        token_budget: most padded tokens in a batch; a longer row stands alone.
        seed: of the order.
        workers: ranks that share each step.
        rank: which of them this is.
        device: where batches will go: memory is page-locked for a GPU.
    """

    dataset: TokenDataset
    batch: int
    token_budget: int
    seed: int
    workers: int
    rank: int
    device: torch.device

    def epoch(self, epoch: int) -> Iterator[TokenBatch]:
        """This rank's batches of an epoch (from 0), one after another: every row of its share once."""
        return (part for step in self.steps(epoch) for part in step.parts)

    def steps(self, epoch: int, start: int = 0) -> Iterator[Step]:
        """The steps of an epoch with this rank's batches: as many on every rank, whatever the budget.

        Args:
            epoch: from 0.
            start: steps already taken, with any number of ranks; the others are the same.
        """
        left = enumerate(self._plan(epoch)[start:], start=start)
        with feed(self.dataset, left, self.token_budget, self.workers, self.rank, self.device) as made:
            yield from made

    def rows(self, epoch: int) -> list[list[int]]:
        """Row numbers of each batch that `epoch` gives: a `batch_sampler` for torch's DataLoader."""
        lengths = self.dataset.lengths
        mine = (share(step, self.workers, self.rank) for step in self._plan(epoch))
        return [part.tolist() for step in mine for part in micro_batches(step, lengths, self.token_budget)]

    def _plan(self, epoch: int) -> list[Rows]:
        return plan_epoch(self.dataset.lengths, self.batch, self.seed, epoch)


def loader(
    dataset: TokenDataset,
    *,
    batch: int = 64,
    token_budget: int = 65_536,
    seed: int = 0,
    workers: int = 1,
    rank: int = 0,
    device: torch.device | str = "cpu",
) -> Loader:
    """Batches of a dataset.

    Args:
        dataset: an open split.
        batch: rows of an optimizer step, over all ranks.
        token_budget: most padded tokens (longest x rows) in a batch; a longer row stands alone.
        seed: of the order of rows.
        workers: ranks that share each step, such as `torch.distributed.get_world_size()`.
        rank: which of them this is, from 0.
        device: where batches will go: memory is page-locked for a GPU, so that copies need not be waited for.

    Raises:
        UsageError: a size below 1, or a rank that is not below workers.
    """
    for name, value in (("batch", batch), ("token_budget", token_budget), ("workers", workers)):
        if value < 1:
            raise UsageError(f"loader: {name} {value} is below 1", "give a positive number")
    if not 0 <= rank < workers:
        raise UsageError(f"loader: rank {rank} of {workers} workers", "count ranks from 0")
    return Loader(dataset, batch, token_budget, seed, workers, rank, torch.device(device))


def collate_rows(rows: Sequence[tuple[NDArray[Any], int]]) -> TokenBatch:
    """A batch of rows as `TokenDataset[row]` gives them: a `collate_fn` for torch's DataLoader."""
    counts = np.array([len(tokens) for tokens, _ in rows], dtype=np.int64)
    flat = np.concatenate([tokens for tokens, _ in rows])
    labels = np.array([label for _, label in rows], dtype=np.int8)
    return collate(flat, np.concatenate([[0], np.cumsum(counts)]), labels, np.arange(len(rows)))
