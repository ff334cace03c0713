"""Training batches of a token dataset for any PyTorch loop: steps of like lengths, cut by a token budget, shared by
ranks.

The same steps as those of `raygene train`, a function of (lengths, global batch size, seed, epoch) alone. A thread
prefetches batches; gathering a row from mapped files takes some microseconds, so that one thread keeps up with any
model.
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
from training.data.step_plan import EpochPlan, micro_batches, plan_epoch, share


@dataclass(frozen=True)
class Loader:
    """Batches of one rank; made by `loader`.

    Attributes:
        dataset: that rows are read from.
        global_batch_size: rows of a step, over all ranks.
        token_budget: most padded tokens in a batch; a longer row stands alone.
        seed: of the order.
        workers: ranks that share each step.
        rank: of this loader, from 0.
        device: of the model: memory is page-locked for a GPU.
    """

    dataset: TokenDataset
    global_batch_size: int
    token_budget: int
    seed: int
    workers: int
    rank: int
    device: torch.device

    def epoch(self, epoch: int) -> Iterator[TokenBatch]:
        """This rank's batches of an epoch (from 0), one after another, with each row of its share once."""
        return (part for step in self.steps(epoch) for part in step.parts)

    def steps(self, epoch: int, start: int = 0) -> Iterator[Step]:
        """The steps of an epoch with this rank's batches; every rank has the same number of steps, whatever the budget.

        Args:
            epoch: from 0.
            start: number of steps already taken, with any number of ranks; the remaining steps do not depend on it.
        """
        remaining = self._plan(epoch).remaining(start)
        with feed(self.dataset, remaining, self.token_budget, self.workers, self.rank, self.device) as prefetched:
            yield from prefetched

    def rows(self, epoch: int) -> list[list[int]]:
        """Row numbers of each batch that `epoch` gives: a `batch_sampler` for torch's DataLoader."""
        lengths = self.dataset.lengths
        shares = (share(step, self.workers, self.rank) for step in self._plan(epoch))
        return [part.tolist() for step in shares for part in micro_batches(step, lengths, self.token_budget)]

    def _plan(self, epoch: int) -> EpochPlan:
        return plan_epoch(self.dataset.lengths, self.global_batch_size, self.seed, epoch)


def loader(
    dataset: TokenDataset,
    *,
    global_batch_size: int = 64,
    token_budget: int = 65_536,
    seed: int = 0,
    workers: int = 1,
    rank: int = 0,
    device: torch.device | str = "cpu",
    **renamed: int,
) -> Loader:
    """Batches of a dataset.

    Args:
        dataset: an open split.
        global_batch_size: rows of an optimizer step, over all ranks.
        token_budget: most padded tokens (longest x rows) in a batch; a longer row stands alone.
        seed: of the order of rows.
        workers: ranks that share each step, such as `torch.distributed.get_world_size()`.
        rank: of this process, from 0.
        device: of the model: memory is page-locked for a GPU, so that copies are asynchronous.
        renamed: catches `batch`, the earlier name of `global_batch_size`.

    Raises:
        UsageError: a size below 1, a rank that is not below workers, or the earlier name of an argument.
        TypeError: any other argument.
    """
    if "batch" in renamed:
        raise UsageError("loader: batch: renamed", "write global_batch_size")
    if renamed:
        raise TypeError(f"loader() got an unexpected keyword argument {next(iter(renamed))!r}")
    sizes = {"global_batch_size": global_batch_size, "token_budget": token_budget, "workers": workers}
    for name, value in sizes.items():
        if value < 1:
            raise UsageError(f"loader: {name} {value} is below 1", "give a positive number")
    if not 0 <= rank < workers:
        raise UsageError(f"loader: rank {rank} of {workers} workers", "count ranks from 0")
    return Loader(dataset, global_batch_size, token_budget, seed, workers, rank, torch.device(device))


def collate_rows(rows: Sequence[tuple[NDArray[Any], int]]) -> TokenBatch:
    """A batch of rows as `TokenDataset[row]` gives them: a `collate_fn` for torch's DataLoader."""
    counts = np.array([len(tokens) for tokens, _ in rows], dtype=np.int64)
    flat = np.concatenate([tokens for tokens, _ in rows])
    labels = np.array([label for _, label in rows], dtype=np.int8)
    return collate(flat, np.concatenate([[0], np.cumsum(counts)]), labels, np.arange(len(rows)))
