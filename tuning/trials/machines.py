"""The machines that trials run on: the least memory and GPUs of any of them, and whether all share the files."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import ResourceError, StorageError, UsageError
from pipelines.ray_map.nodes import living, living_records, nodes_of
from pipelines.stores import worker_folder
from pipelines.stores.worker_folder import WorkerFolder
from training.distributed.nodes import node_tasks
from training.distributed.nodes.placement import place
from training.memory import capacity
from tuning.config import TuningConfig
from tuning.trials.admission import Usage
from tuning.trials.memory_check import Machine

Kind = Literal["cpu", "cuda"]

ANSWER_TIMEOUT_S = 120.0
# A network file system may show new files to a machine half a minute late.
FILES_TIMEOUT_S = 40.0


@dataclass(frozen=True)
class MachineReport:
    """What a machine answers.

    Attributes:
        memory: bytes that are free on its device; None: not requested.
        problem: which path it cannot see or write, and why; empty if there is none.
    """

    memory: int | None
    problem: str = ""


def smallest_machine(config: TuningConfig, device: str, output: Path, files: Sequence[Path]) -> Machine:
    """The smallest machine of the connected cluster, after a check that all of them see the files.

    Each machine reports its memory, unless that is configured.

    Args:
        config: `device_memory`, `device_kind`, `workers`.
        device: `training.device`.
        output: a directory that all machines must be able to write.
        files: that all machines must see.

    Raises:
        ResourceError: the cluster has no such device, or a machine did not answer or does not share the files.
    """
    records = living_records()
    nodes = nodes_of(records)
    placement = place(nodes, config.workers, device)
    usable = [
        (record, node)
        for record, node in zip(records, nodes, strict=True)
        if node.cpus and (node.gpus or not placement.use_gpu)
    ]
    kind = config.device_kind or ("cuda" if placement.use_gpu else "cpu")
    configured = None if config.device_memory is None else capacity.parse_size(config.device_memory)
    requested: Kind | None = None if configured is not None else "cuda" if placement.use_gpu else "cpu"
    reports = _reports([record for record, _ in usable], requested, worker_folder.of(output), files)
    for (record, _), report in zip(usable, reports, strict=True):
        if report.problem:
            raise ResourceError(
                f"{report.problem} on {record.get('NodeManagerHostname') or record['NodeManagerAddress']}",
                "put --output and the dataset where every node of the cluster reads and writes the same files",
            )
    memories = [report.memory or configured or 0 for report in reports]
    return Machine(
        kind,
        min(memories),
        cpus_per_memory([node.cpus for _, node in usable], memories),
        min(node.gpus for _, node in usable) if placement.use_gpu else 0,
        is_local=len(records) == 1 and kind == "cpu" and configured is None,
    )


def require_led_here(workers: int, output: Path) -> None:
    """Refuse trials of several workers where only this machine sees the study, and others would lead some of them.

    Args:
        workers: of each trial.
        output: the study's directory.

    Raises:
        UsageError: they are refused.
    """
    served = worker_folder.of(output)
    if served.server is None:
        return
    others = [node for node in living_records() if node["NodeID"] != served.node]
    if any(node["Resources"].get("CPU") for node in others):
        raise UsageError(
            f"tuning.workers {workers}: --output is an address, which trials of several workers on several machines "
            "cannot share",
            "set it to 1, or use a folder that every machine mounts",
            key="tuning.workers",
        )


def cpus_per_memory(cpus: Sequence[int], memories: Sequence[int]) -> float:
    """CPUs that share the least memory of any machine, at the rate of the machine with most CPUs for its memory.

    A trial that reserves this number of CPUs times its share of the least memory never runs with more others than any
    of the machines has memory for. For equal machines the result is their number of CPUs.

    Args:
        cpus: of each machine.
        memories: bytes of each machine.
    """
    least = min(memories)
    return max(number * least / memory for number, memory in zip(cpus, memories, strict=True))


def usage() -> Usage:
    """The living machines of the connected cluster, and what of them is in use."""
    import ray

    nodes = living()
    free = ray.available_resources()
    totals = {"CPU": sum(node.cpus for node in nodes), "GPU": sum(node.gpus for node in nodes)}
    return Usage(nodes, {name: max(total - free.get(name, 0), 0) for name, total in totals.items()})


def inspect_machine(
    kind: Kind | None, output: WorkerFolder, files: Sequence[Path], timeout_s: float = FILES_TIMEOUT_S
) -> MachineReport:
    """Measure the free memory of this machine, and check that it sees and can write the files.

    Args:
        kind: of the device whose memory is requested; None: not requested.
        output: a directory to write.
        files: that must exist.
        timeout_s: how long to wait for a file.
    """
    deadline = time.monotonic() + timeout_s
    while (missing := [path for path in files if not _is_seen(path, output)]) and time.monotonic() < deadline:
        time.sleep(0.5)
    if missing:
        return MachineReport(None, f"{missing[0]}: does not exist")
    try:
        with output.opened() as folder:
            probe = folder.path / f".write-{uuid.uuid4().hex}"
            probe.touch()
            folder.push()
            probe.unlink()
    except StorageError as error:
        return MachineReport(None, error.problem)
    except OSError as error:
        return MachineReport(None, f"{output.path}: cannot be written ({error.strerror or error})")
    return MachineReport(capacity.available_memory(kind) if kind else None)


def _is_seen(path: Path, output: WorkerFolder) -> bool:
    if path.is_relative_to(output.path):
        return output.exists(path.relative_to(output.path).as_posix())
    return path.exists()


def _reports(
    nodes: Sequence[node_tasks.Node], kind: Kind | None, output: WorkerFolder, files: Sequence[Path]
) -> list[MachineReport]:
    import ray
    from ray.exceptions import RayError, RayTaskError

    tasks = [node_tasks.start(inspect_machine, node, kind, output, files, gpus=int(kind == "cuda")) for node in nodes]
    try:
        reports: list[MachineReport] = ray.get(tasks, timeout=ANSWER_TIMEOUT_S)
    except RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, ResourceError) else _no_answer(error) from error
    except RayError as error:
        raise _no_answer(error) from error
    return reports


def _no_answer(error: Exception) -> ResourceError:
    return ResourceError(
        f"a machine of the cluster did not report its memory ({type(error).__name__})",
        "state it with tuning.device_memory, or wait until the cluster is free",
    )
