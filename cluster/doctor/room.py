"""Memory, shared memory and disks, judged."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor.lines import Line
from cluster.doctor.seen import NodeReport, each, least, where
from training.memory.capacity import shown

LEAST_MEMORY = 2 << 30
LEAST_SHARED = 1 << 30
LEAST_DISK = 10 << 30
FULLEST = 0.95
"""From this share on Ray takes no more objects to disk, however many bytes are free."""
UNTOLD = "not told by this machine"


def memory(machines: Sequence[NodeReport]) -> list[Line]:
    """Memory, and the shared memory in which Ray keeps objects."""

    def main(one: NodeReport) -> Line | None:
        if not one.facts.memory or one.facts.available >= LEAST_MEMORY:
            return None
        told = f"{shown(one.facts.available)} of {shown(one.facts.memory)} free"
        return Line("warning", "memory", told, "end what else runs there, or use fewer workers", where(one, machines))

    def shared(one: NodeReport) -> Line | None:
        if one.facts.shared is None or one.facts.shared.size >= LEAST_SHARED:
            return None
        told = f"{shown(one.facts.shared.size)} in /dev/shm, and Ray goes to disk beyond it"
        third = max(one.facts.memory // 3 >> 30, 1)
        mend = (
            f"start the container with --shm-size={third}g, a third of its memory"
            if one.facts.memory
            else ("start the container with --shm-size=8g or more")
        )
        return Line("warning", "shared memory", told, mend, where(one, machines))

    tell = [one.facts for one in machines if one.facts.memory]
    lowest = min(tell, key=lambda facts: facts.available, default=None)
    smallest = min((one.facts.shared.size for one in machines if one.facts.shared), default=None)
    well = f"{shown(lowest.available)} of {shown(lowest.memory)} free{least(machines)}" if lowest else UNTOLD
    return [
        *each(machines, "memory", well, main),
        *each(machines, "shared memory", UNTOLD if smallest is None else f"{shown(smallest)}{least(machines)}", shared),
    ]


def disks(machines: Sequence[NodeReport]) -> list[Line]:
    """Disks of the cache and of Ray's temporary files, by their share in use and by the bytes that are free."""
    lines = []
    for one in machines:
        for disk in one.facts.disks:
            told, place = f"{shown(disk.free)} of {shown(disk.size)} free at {disk.path}", where(one, machines)
            full, little = disk.free < (1 - FULLEST) * disk.size, disk.free < LEAST_DISK
            if full and little:
                mend = "free space: Ray ends tasks whose objects do not fit from 95 % on"
                lines.append(Line("failure", "disk", told, mend, place))
            elif full:
                mend = (
                    "from 95 % on Ray takes no objects to disk that do not fit into memory: free space, or start it with "
                    "RAY_local_fs_capacity_threshold=0.99"
                )
                lines.append(Line("warning", "disk", told, mend, place))
            elif little:
                mend = "free space, or set RAYGENE_CACHE and RAY_TMPDIR to a larger disk"
                lines.append(Line("warning", "disk", told, mend, place))
    free = min((disk.free for one in machines for disk in one.facts.disks), default=None)
    return lines or [Line("ok", "disk", UNTOLD if free is None else f"{shown(free)} free{least(machines)}")]
