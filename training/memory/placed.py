"""Plans a run's memory where its workers will be: on this machine, or in a task on the cluster that gets what a worker gets.

The formula is within a tenth, so the longest sequence is tried only where a step takes more than half of what there is.
On a CPU batches beyond `UNPLANNED_BUDGET` tokens are no faster, and a plan stays below. A run that goes on keeps its budget,
for with dropout the order of random numbers depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.dataset import TokenDataset
from pipelines.tokenizer import Tokenizer
from training.config import UNPLANNED_BUDGET, ModelConfig, TrainingConfig
from training.memory import capacity
from training.memory.analysis import bases
from training.memory.plan import DoesNotFitError, MemoryPlan, Room, plan
from training.placement import Placement

TIGHT = 0.5


def planned(
    model: ModelConfig,
    training: TrainingConfig,
    splits: list[TokenDataset],
    share: Placement,
    nodes: int,
    kept: Path,
) -> MemoryPlan:
    """The memory plan of a run.

    Args:
        model: the architecture.
        training: the optimisation.
        splits: of the dataset, all that training reads.
        share: what each worker gets.
        nodes: machines of the cluster.
        kept: file that holds the budget of a run that has begun, written here.

    Raises:
        DoesNotFitError: no batch fits, or not the one asked for.
    """
    lengths = np.concatenate([split.lengths for split in splits])
    tokenizer = splits[0].tokenizer

    def decide(optimisation: TrainingConfig) -> MemoryPlan:
        if nodes == 1 and not share.use_gpu:
            return here(model, optimisation, lengths, tokenizer, "cpu", optimisation.workers)
        return _there(model, optimisation, lengths, tokenizer, share, -(-optimisation.workers // nodes))

    found = _again(decide, training, kept) or _below(decide, training, decide(training))
    storage.make_directory(kept.parent)
    storage.write_text(kept, f"{found.token_budget}\n")
    return found


def here(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    kind: Any,
    beside: int,
) -> MemoryPlan:
    """The plan for a device of this machine; where it is tight, with a probe.

    Args:
        model: the architecture.
        training: the optimisation.
        lengths: tokens of every sequence, shape (rows,).
        tokenizer: of the dataset.
        kind: cpu or cuda.
        beside: workers on this machine.

    Raises:
        DoesNotFitError: no batch fits, or not the one asked for.
    """
    room = Room(kind, capacity.available(kind, beside), here=True)

    def decide(*, try_out: bool) -> MemoryPlan:
        size = tokenizer.vocabulary_size
        return plan(model, training, lengths, size, room, lambda tokens: bases(tokenizer, tokens), try_out=try_out)

    found = decide(try_out=False)
    return decide(try_out=True) if training.probe and found.peak > TIGHT * found.usable else found


def _there(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    share: Placement,
    beside: int,
) -> MemoryPlan:
    import ray
    from ray.exceptions import RayTaskError

    kind = "cuda" if share.use_gpu else "cpu"
    task: Any = ray.remote(num_cpus=share.cpus, num_gpus=int(share.use_gpu), max_retries=1)(here)
    try:
        found: MemoryPlan = ray.get(task.remote(model, training, lengths, tokenizer, kind, beside))
    except RayTaskError as error:
        raise error.cause from error
    return found


def _again(decide: Callable[[TrainingConfig], MemoryPlan], training: TrainingConfig, kept: Path) -> MemoryPlan | None:
    """The plan with the budget that the run has begun with, if that still fits."""
    if training.token_budget is not None or not kept.exists():
        return None
    try:
        return decide(training.model_copy(update={"token_budget": int(kept.read_text())}))
    except (DoesNotFitError, ValueError):
        return None


def _below(decide: Callable[[TrainingConfig], MemoryPlan], training: TrainingConfig, found: MemoryPlan) -> MemoryPlan:
    """The plan, with a budget no larger than pays on a CPU."""
    enough = max(UNPLANNED_BUDGET, found.longest)
    if training.token_budget is not None or found.room.kind == "cuda" or found.token_budget <= enough:
        return found
    return decide(training.model_copy(update={"token_budget": enough}))
