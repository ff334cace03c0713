"""How many trials of several workers run at once: as many as the cluster holds whole.

Ray Train reserves all workers of a trial as one placement group, which Ray gives whole or not at all. So trials that
wait for each other's resources never hold half of what they need, and a trial that was admitted too early only waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.ray_map.nodes import Node
from training.distributed.nodes.placement import Placement, capacity, place
from tuning.trial import Trial


@dataclass(frozen=True)
class Shares:
    """What a worker of a trial gets.

    Attributes:
        usual: where as many trials run at once as the cluster holds.
        largest: where one trial has the cluster for itself.
    """

    usual: Placement
    largest: Placement

    def of_worker(self, workers: int, cpus: float) -> Placement:
        """The placement of each worker of a trial.

        Args:
            workers: of the trial.
            cpus: that the trial has to reserve for its memory, all workers together.
        """
        for_memory = max(self.usual.cpus, math.ceil(cpus / workers))
        return replace(self.usual, cpus=min(for_memory, self.largest.cpus))


def share_out(nodes: Sequence[Node], workers: int, device: str, most: int | None) -> Shares:
    """Divide a cluster among trials: each worker gets as many CPUs as those of all trials at once can have.

    Args:
        nodes: the machines.
        workers: of each trial.
        device: cpu, cuda, or auto (GPUs if the cluster has any).
        most: trials that may run at once; None: as many as fit.

    Raises:
        ResourceError: the cluster does not hold one trial.
    """
    largest = place(nodes, workers, device)
    at_once = capacity(nodes, replace(largest, cpus=1)) // workers
    return Shares(place(nodes, workers * min(at_once, most or at_once), device), largest)


def placement_of(trial: Trial, workers: int) -> Placement:
    """The placement of each worker of a trial, from its row."""
    return Placement(int(trial.cpus) // workers, use_gpu=trial.gpus > 0)


def fits(
    nodes: Sequence[Node], running: Sequence[Placement], wanted: Placement, workers: int, occupied: Mapping[str, float]
) -> bool:
    """Whether a cluster holds one more trial.

    Args:
        nodes: the living machines.
        running: placement of the workers of each trial that runs.
        wanted: placement of the workers of the trial that is to begin.
        workers: of each trial.
        occupied: resources that other work holds, under Ray's names.
    """
    left = list(nodes)
    for placement in sorted(running, key=lambda placement: -placement.cpus):
        for _ in range(workers):
            number = next((i for i, node in enumerate(left) if capacity([node], placement)), None)
            if number is None:
                return False
            node = left[number]
            left[number] = Node(node.cpus - placement.cpus, node.gpus - placement.use_gpu)
    free = {"CPU": sum(node.cpus for node in left), "GPU": sum(node.gpus for node in left)}
    enough = all(free[name] - occupied.get(name, 0) >= count * workers for name, count in wanted.resources.items())
    return enough and capacity(left, wanted) >= workers


@dataclass(frozen=True)
class Usage:
    """A cluster at some moment.

    Attributes:
        nodes: the living machines.
        used: resources in use, under Ray's names.
    """

    nodes: Sequence[Node]
    used: Mapping[str, float]


class Admission:
    """Decides when the next trial may begin; the first of them always may, and waits for what it needs.

    Args:
        workers: of each trial.
        usual: placement of the workers of a trial whose needs are not known yet.
        most: trials that may run at once; None: as many as fit.
        usage: looks at the cluster.
    """

    def __init__(self, workers: int, usual: Placement, most: int | None, usage: Callable[[], Usage]) -> None:
        self._workers, self._usual, self._most, self._usage = workers, usual, most, usage
        self._occupied: Mapping[str, float] = {}

    def admits(self, running: Sequence[Trial], trial: Trial | None = None, *, have_all_started: bool) -> bool:
        """Whether one more trial may begin now.

        Args:
            running: the trials in progress.
            trial: that is to begin; None: it is not proposed yet.
            have_all_started: whether every running trial holds its resources; one takes some ten seconds to get them.
        """
        usage = self._usage()
        placements = [placement_of(other, self._workers) for other in running]
        own = {
            name: sum(placement.resources.get(name, 0) for placement in placements) * self._workers
            for name in ("CPU", "GPU")
        }
        by_others = {name: max(usage.used.get(name, 0) - count, 0) for name, count in own.items()}
        if have_all_started:
            self._occupied = by_others
        else:
            # What a trial has not got yet looks free, and would hide what others hold.
            self._occupied = {name: max(self._occupied.get(name, 0), count) for name, count in by_others.items()}
        if not running:
            return True
        if self._most is not None and len(running) >= self._most:
            return False
        wanted = placement_of(trial, self._workers) if trial else self._usual
        return fits(usage.nodes, placements, wanted, self._workers, self._occupied)
