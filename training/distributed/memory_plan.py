"""Plans a run's memory where its workers will run: on this machine, or in tasks on the cluster's machines.

On a CPU batches of more than `UNPLANNED_BUDGET` tokens are no faster, so that a plan does not exceed it. A run that
resumes keeps its budget, because the order in which sums are rounded depends on it.
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
from pipelines.ray_map import nodes
from pipelines.tokens.tokenizer import Tokenizer
from training.config import UNPLANNED_BUDGET, ModelConfig, TrainingConfig
from training.cost.shape import Device
from training.distributed.nodes.placement import Placement
from training.memory import capacity
from training.memory.analysis import bases
from training.memory.plan import DeviceMemory, DoesNotFitError, MemoryPlan, MemoryPlanner
from training.memory.probe import probe
from training.tasks import RECOGNISE, Name, Task

Plan = Callable[[TrainingConfig], MemoryPlan]


def plan_run(
    model: ModelConfig,
    training: TrainingConfig,
    splits: Sequence[TokenDataset],
    share: Placement,
    workers_per_machine: int,
    budget_file: Path | None,
    warn: Callable[[str], None],
) -> MemoryPlan:
    """The memory plan of a run on the cluster that Ray is connected to, or without Ray on this machine.

    Args:
        model: the architecture.
        training: the optimisation.
        splits: all splits of the dataset that training reads, train first.
        share: the resources of each worker.
        workers_per_machine: workers that may share one machine.
        budget_file: holds the budget of a run that has begun, and is written here; None: no run is resumed.
        warn: called where that budget does not fit any more.

    Raises:
        DoesNotFitError: no batch fits, or the requested budget does not.
        ResourceError: a machine did not answer.
    """
    lengths = np.concatenate([split.lengths for split in splits])
    tokenizer, task = splits[0].tokenizer, Task.of_dataset(splits[0].manifest["config"]).name
    machines = _machines(share) if nodes.is_connected() else []
    kind: Device = "cuda" if share.use_gpu else "cpu"

    def plan(optimisation: TrainingConfig) -> MemoryPlan:
        if not machines or (machines == [_this_machine()] and kind == "cpu"):
            return plan_local(model, optimisation, lengths, tokenizer, kind, workers_per_machine, task)
        return plan_remote(model, optimisation, lengths, tokenizer, kind, workers_per_machine, machines, task)

    if training.token_budget is not None:
        return plan(training)
    memory = _plan_with_stored_budget(plan, training, budget_file, kind, warn)
    if memory is None:
        memory = cap_budget(plan, training)
    if budget_file is not None:
        storage.make_directory(budget_file.parent)
        storage.write_text(budget_file, f"{kind} {memory.token_budget}\n")
    return memory


def plan_process(
    model: ModelConfig, training: TrainingConfig, splits: Sequence[TokenDataset], kind: Device
) -> MemoryPlan:
    """The memory plan of one worker in this process.

    Raises:
        DoesNotFitError: no batch fits, or the requested budget does not.
    """
    lengths = np.concatenate([split.lengths for split in splits])
    task = Task.of_dataset(splits[0].manifest["config"]).name

    def plan(optimisation: TrainingConfig) -> MemoryPlan:
        return plan_local(model, optimisation, lengths, splits[0].tokenizer, kind, 1, task)

    return cap_budget(plan, training)


def plan_local(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    kind: Device,
    workers: int,
    task: Name = RECOGNISE,
) -> MemoryPlan:
    """The plan for a device of this machine, with a probe where memory is tight.

    Args:
        model: the architecture.
        training: the optimisation.
        lengths: tokens of every sequence, shape (rows,).
        tokenizer: of the dataset.
        kind: cpu or cuda.
        workers: on this machine.
        task: of the dataset.

    Raises:
        DoesNotFitError: no batch fits, or the requested budget does not.
    """
    return MemoryPlanner(
        model,
        training,
        lengths,
        tokenizer.vocabulary_size,
        DeviceMemory(kind, capacity.available_memory(kind, workers), is_local=True, workers=workers),
        lambda tokens: bases(tokenizer, tokens, task),
        probe if training.probe else None,
        task,
        shares_memory=False,
    ).plan_probing_if_tight()


def plan_remote(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    kind: Device,
    workers: int,
    machines: Sequence[str],
    task: Name = RECOGNISE,
) -> MemoryPlan:
    """The plan for the machine that has the least memory, made by a task on each machine.

    Args:
        model: the architecture.
        training: the optimisation.
        lengths: tokens of every sequence, shape (rows,).
        tokenizer: of the dataset.
        kind: cpu or cuda.
        workers: that may share one machine.
        machines: Ray's ids of the nodes.
        task: of the dataset.

    Raises:
        DoesNotFitError: no batch fits, or the requested budget does not.
        ResourceError: a machine did not answer.
    """
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote_plan: Any = ray.remote(num_cpus=0, num_gpus=int(kind == "cuda"), max_retries=1)(plan_local)
    pending = [
        remote_plan.options(scheduling_strategy=NodeAffinitySchedulingStrategy(machine, soft=False)).remote(
            model, training, lengths, tokenizer, kind, workers, task
        )
        for machine in machines
    ]
    try:
        plans: list[MemoryPlan] = ray.get(pending)
    except RayTaskError as error:
        if isinstance(error.cause, RaygeneError):
            raise error.cause from error
        raise _no_answer(error) from error
    except RayError as error:
        raise _no_answer(error) from error
    return min(plans, key=lambda memory: (memory.token_budget, memory.usable))


def cap_budget(plan: Plan, training: TrainingConfig) -> MemoryPlan:
    """The plan, with a budget no larger than is worthwhile on a CPU; a requested budget stays.

    Args:
        plan: plans an optimisation.
        training: the optimisation.

    Raises:
        DoesNotFitError: as `plan`.
    """
    memory = plan(training)
    worthwhile = max(UNPLANNED_BUDGET, memory.longest)
    if training.token_budget is not None or memory.device.kind == "cuda" or memory.token_budget <= worthwhile:
        return memory
    return plan(training.model_copy(update={"token_budget": worthwhile}))


def _this_machine() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _machines(share: Placement) -> list[str]:
    """Ray's ids of the nodes that can hold a worker."""
    machines = []
    for node in nodes.living_records():
        resources = node["Resources"]
        if resources.get("CPU", 0) >= share.cpus and resources.get("GPU", 0) >= share.use_gpu:
            machines.append(str(node["NodeID"]))
    return machines


def _no_answer(error: Exception) -> ResourceError:
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[-1][:120] if lines else ''}"
    return ResourceError(
        f"memory could not be planned on a machine of the cluster ({reason})",
        "set training.probe to false, or choose a smaller model",
    )


def _plan_with_stored_budget(
    plan: Plan,
    training: TrainingConfig,
    budget_file: Path | None,
    kind: Device,
    warn: Callable[[str], None],
) -> MemoryPlan | None:
    """The plan with the budget that the run began with on a device of this kind, if that still fits."""
    if budget_file is None or not budget_file.exists():
        return None
    stored_kind, _, budget = budget_file.read_text().strip().partition(" ")
    if stored_kind != kind or not budget.isdigit():
        return None
    try:
        return plan(training.model_copy(update={"token_budget": int(budget)}))
    except DoesNotFitError:
        warn(
            f"{budget_file}: batches of {budget} tokens do not fit any more; with smaller ones sums are rounded in "
            "another order"
        )
        return None
