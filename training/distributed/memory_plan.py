"""Plans a run's memory where its workers will be: on this machine, or in a task on the cluster that gets what a worker gets.

The formula is within a tenth, so the longest sequence is tried only where a step takes more than half of what there is.
On a CPU batches beyond `UNPLANNED_BUDGET` tokens are no faster, and a plan stays below. A run that goes on keeps its budget,
for with dropout the order of random numbers depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import RaygeneError, ResourceError
from pipelines.tokens.tokenizer import Tokenizer
from training.config import UNPLANNED_BUDGET, ModelConfig, TrainingConfig
from training.distributed.placement import Placement
from training.memory import capacity
from training.memory.analysis import bases
from training.memory.plan import DoesNotFitError, MemoryPlan, Room, plan

TIGHT = 0.5


def planned(
    model: ModelConfig,
    training: TrainingConfig,
    splits: Sequence[TokenDataset],
    share: Placement,
    together: int,
    kept: Path | None,
    warn: Callable[[str], None],
) -> MemoryPlan:
    """The memory plan of a run on the cluster that Ray is connected to.

    Args:
        model: the architecture.
        training: the optimisation.
        splits: of the dataset, all that training reads.
        share: what each worker gets.
        together: workers that may come to lie on one machine.
        kept: file that holds the budget planned for a run that has begun, written here; None: no run is gone on with.
        warn: told where that budget does not fit any more.

    Raises:
        DoesNotFitError: no batch fits, or not the one asked for.
        ResourceError: a machine did not answer.
    """
    lengths = np.concatenate([split.lengths for split in splits])
    tokenizer = splits[0].tokenizer
    machines = _machines(share)

    def decide(optimisation: TrainingConfig) -> MemoryPlan:
        if machines == [_this_machine()] and not share.use_gpu:
            return here(model, optimisation, lengths, tokenizer, "cpu", together)
        return _there(model, optimisation, lengths, tokenizer, share, together, machines)

    if training.token_budget is not None:
        return decide(training)
    kind = "cuda" if share.use_gpu else "cpu"
    if (found := _again(decide, training, kept, kind, warn)) is None:
        found = below(decide, training, decide(training))
    if kept is not None:
        storage.make_directory(kept.parent)
        storage.write_text(kept, f"{kind} {found.token_budget}\n")
    return found


def local(model: ModelConfig, training: TrainingConfig, splits: Sequence[TokenDataset], kind: Any) -> MemoryPlan:
    """The memory plan of one worker in this process.

    Raises:
        DoesNotFitError: no batch fits, or not the one asked for.
    """
    lengths = np.concatenate([split.lengths for split in splits])

    def decide(optimisation: TrainingConfig) -> MemoryPlan:
        return here(model, optimisation, lengths, splits[0].tokenizer, kind, 1)

    return below(decide, training, decide(training))


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


def _this_machine() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _machines(share: Placement) -> list[str]:
    """The machines that can hold a worker, by Ray's numbers."""
    import ray

    found = []
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        has = node["Resources"] if node["Alive"] else {}
        if has.get("CPU", 0) >= share.cpus and has.get("GPU", 0) >= share.use_gpu:
            found.append(str(node["NodeID"]))
    return found


def _there(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    share: Placement,
    together: int,
    machines: Sequence[str],
) -> MemoryPlan:
    """The plan for the machine that has least room."""
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    kind = "cuda" if share.use_gpu else "cpu"
    task: Any = ray.remote(num_cpus=0, num_gpus=int(share.use_gpu), max_retries=1)(here)
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(machine, soft=False)).remote(
            model, training, lengths, tokenizer, kind, together
        )
        for machine in machines
    ]
    try:
        found: list[MemoryPlan] = ray.get(asked)
    except RayTaskError as error:
        if isinstance(error.cause, RaygeneError):
            raise error.cause from error
        raise _unanswered(error) from error
    except RayError as error:
        raise _unanswered(error) from error
    return min(found, key=lambda one: (one.token_budget, one.usable))


def _unanswered(error: Exception) -> ResourceError:
    told = str(error).strip().splitlines()
    return ResourceError(
        f"memory could not be planned on a machine of the cluster ({type(error).__name__}: {told[-1][:120] if told else ''})",
        "set training.probe to false, or take a smaller model",
    )


def _again(
    decide: Callable[[TrainingConfig], MemoryPlan],
    training: TrainingConfig,
    kept: Path | None,
    kind: str,
    warn: Callable[[str], None],
) -> MemoryPlan | None:
    """The plan with the budget that the run has begun with on a device of this kind, if that still fits."""
    if kept is None or not kept.exists():
        return None
    before, _, budget = kept.read_text().strip().partition(" ")
    if before != kind or not budget.isdigit():
        return None
    try:
        return decide(training.model_copy(update={"token_budget": int(budget)}))
    except DoesNotFitError:
        warn(f"{kept}: batches of {budget} tokens do not fit any more; with dropout, smaller ones draw other numbers")
        return None


def below(decide: Callable[[TrainingConfig], MemoryPlan], training: TrainingConfig, found: MemoryPlan) -> MemoryPlan:
    """The plan, with a budget no larger than pays on a CPU."""
    enough = max(UNPLANNED_BUDGET, found.longest)
    if training.token_budget is not None or found.room.kind == "cuda" or found.token_budget <= enough:
        return found
    return decide(training.model_copy(update={"token_budget": enough}))
