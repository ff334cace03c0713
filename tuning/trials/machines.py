"""The machines that trials run on, as a search has to know them: the least memory and GPUs of any, and that all share the files."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import ResourceError
from training.distributed import node_tasks
from training.distributed.placement import nodes_of, place
from training.memory import capacity
from tuning.config import TuningConfig
from tuning.trials.memory_check import Machine

Kind = Literal["cpu", "cuda"]

ANSWER_S = 120.0
# A network file system may show a machine new files half a minute late.
PATIENCE_S = 40.0


@dataclass(frozen=True)
class View:
    """What a machine answers.

    Attributes:
        memory: bytes that are free of its device; None: not asked.
        trouble: which path it does not see or write, and why; empty: none.
    """

    memory: int | None
    trouble: str = ""


def of_cluster(config: TuningConfig, device: str, output: Path, seen: Sequence[Path]) -> Machine:
    """Ask every machine of the cluster that Ray is connected to for its memory, unless it is stated, and for the files.

    Args:
        config: `device_memory`, `device_kind`, `workers`.
        device: `training.device`.
        output: a folder that all of them write.
        seen: files that all of them read.

    Raises:
        ResourceError: no such device in the cluster, or a machine did not answer, or does not share the files.
    """
    listing = node_tasks.living()
    nodes = nodes_of(listing)
    shared = place(nodes, config.workers, device)
    able = [
        (row, node) for row, node in zip(listing, nodes, strict=True) if node.cpus and (node.gpus or not shared.use_gpu)
    ]
    kind = config.device_kind or ("cuda" if shared.use_gpu else "cpu")
    stated = None if config.device_memory is None else capacity.parse(config.device_memory)
    asked: Kind | None = None if stated is not None else "cuda" if shared.use_gpu else "cpu"
    views = _views([row for row, _ in able], asked, output, seen)
    for (row, _), view in zip(able, views, strict=True):
        if view.trouble:
            raise ResourceError(
                f"{view.trouble} on {row.get('NodeManagerHostname') or row['NodeManagerAddress']}",
                "put --output and the dataset where every node of the cluster reads and writes the same files",
            )
    memories = [view.memory or stated or 0 for view in views]
    memory = min(memories)
    return Machine(
        kind,
        memory,
        crowd([node.cpus for _, node in able], memories),
        min(node.gpus for _, node in able) if shared.use_gpu else 0,
        here=len(listing) == 1 and kind == "cpu" and stated is None,
    )


def crowd(cpus: Sequence[int], memories: Sequence[int]) -> float:
    """CPUs to the least memory of any machine, at the rate of the one that has most CPUs to its memory.

    What a trial gets of that many CPUs for its part of the least memory keeps those that run at once within the memory of
    every machine; of equal machines it is their CPUs.
    """
    least = min(memories)
    return max(number * least / memory for number, memory in zip(cpus, memories, strict=True))


def look(kind: Kind | None, output: Path, seen: Sequence[Path], patience_s: float = PATIENCE_S) -> View:
    """What this machine has and sees.

    Args:
        kind: of the device whose memory is asked for.
        output: a folder to write.
        seen: files to read.
        patience_s: how long to wait for a file.
    """
    deadline = time.monotonic() + patience_s
    while (missing := [path for path in seen if not path.exists()]) and time.monotonic() < deadline:
        time.sleep(0.5)
    if missing:
        return View(None, f"{missing[0]}: not there")
    trial = output / f".write-{uuid.uuid4().hex}"
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        return View(None, f"{output}: cannot be written ({error.strerror or error})")
    return View(capacity.available(kind) if kind else None)


def _views(nodes: Sequence[node_tasks.Node], kind: Kind | None, output: Path, seen: Sequence[Path]) -> list[View]:
    import ray
    from ray.exceptions import RayError, RayTaskError

    asked = [node_tasks.start(look, node, kind, output, seen, gpus=int(kind == "cuda")) for node in nodes]
    try:
        found: list[View] = ray.get(asked, timeout=ANSWER_S)
    except RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, ResourceError) else _silent(error) from error
    except RayError as error:
        raise _silent(error) from error
    return found


def _silent(error: Exception) -> ResourceError:
    return ResourceError(
        f"a machine of the cluster did not tell what it has ({type(error).__name__})",
        "name it with tuning.device_memory, or wait until the cluster is free",
    )
