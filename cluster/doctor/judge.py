"""From facts to lines: pure comparisons, so that every trouble can be tried without having it.

A check that all machines pass is one line; otherwise there is a line for each machine that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cluster.doctor.facts import Facts
from cluster.doctor.lines import Line
from pipelines.errors import ResourceError
from training import devices, survey
from training.hardware import visible
from training.memory.capacity import shown

LEAST_MEMORY = 2 << 30
LEAST_SHARED = 1 << 30
LEAST_DISK = 10 << 30
FULLEST = 0.95
"""From this share on Ray takes no more objects to disk."""
SKEW_S = 2.0
MOST_SKEW_S = 300.0
SELF_GOVERNED = ("intel_pstate", "amd-pstate-epp", "amd-pstate")
BEDTOOLS_MEND = (
    "install it with 'apt-get install bedtools', 'conda install -c bioconda bedtools' or 'brew install bedtools'"
)


@dataclass(frozen=True)
class Seen:
    """A machine as doctor saw it.

    Attributes:
        name: how it is called in lines.
        facts: what it told.
        gpus: as Ray counts them; None without Ray.
        skew: seconds by which its clock is off at least.
    """

    name: str
    facts: Facts
    gpus: int | None = None
    skew: float = 0.0


Judge = Callable[[Seen], Line | None]


def each(machines: Sequence[Seen], check: str, well: str, judged: Judge) -> list[Line]:
    """A line for each machine in trouble, or one that all is well."""
    return [line for one in machines if (line := judged(one)) is not None] or [Line("ok", check, well)]


def _where(one: Seen, machines: Sequence[Seen]) -> str:
    return one.name if len(machines) > 1 else ""


def _on(machines: Sequence[Seen], told: str) -> str:
    return f"{told} on {len(machines)} nodes" if len(machines) > 1 else told


def _values(values: Sequence[str]) -> str:
    return ", ".join(sorted(set(values)))


def versions(driver: Facts, machines: Sequence[Seen]) -> list[Line]:
    """Python and Ray of the driver and of every machine: Ray refuses a driver that differs in either."""
    lines = []
    for check, mine in (("Python", driver.python), ("Ray", driver.ray)):
        lines += each(
            machines,
            check,
            _on(machines, mine),
            lambda one, check=check, mine=mine: (  # type: ignore[misc]
                None
                if (theirs := getattr(one.facts, check.lower())) == mine
                else Line(
                    "failure",
                    check,
                    f"{theirs or 'none'}, and here {mine}",
                    f"install the same {check} on both; Ray takes no driver of another",
                    one.name,
                )
            ),
        )
    return lines


def bedtools(machines: Sequence[Seen]) -> list[Line]:
    """bedtools on every machine, of one version: it belongs to a dataset's fingerprint."""
    lines = each(
        machines,
        "bedtools",
        _on(machines, _values([one.facts.bedtools for one in machines])),
        lambda one: (
            Line("failure", "bedtools", one.facts.bedtools_trouble, BEDTOOLS_MEND, _where(one, machines))
            if not one.facts.bedtools
            else None
        ),
    )
    found = {one.facts.bedtools for one in machines} - {""}
    if len(found) > 1:
        lines.append(
            Line("warning", "bedtools", f"versions differ: {_values([*found])}", "install one version on every node")
        )
    return [line for line in lines if not (line.level == "ok" and len(found) > 1)]


def torch(machines: Sequence[Seen]) -> list[Line]:
    """The build of torch against the machine's GPUs and their driver."""

    def judged(one: Seen) -> Line | None:
        facts, where = one.facts, _where(one, machines)
        if facts.torch is None:
            return Line(
                "failure", "torch", facts.torch_trouble or "missing", "install the packages of pyproject.toml", where
            )
        try:
            devices.choose("auto", facts.found, facts.torch, facts.environment)
        except ResourceError as error:
            return Line("failure", "torch", error.problem.removeprefix("training.device: "), error.remedy, where)
        return None

    told = _values([f"{one.facts.torch.version}" for one in machines if one.facts.torch])
    lines = each(machines, "torch", _on(machines, told), judged)
    if "," in told:
        lines = [line for line in lines if line.level != "ok"]
        lines.append(Line("warning", "torch", f"versions differ: {told}", "install one version on every node"))
    return lines


def gpus(machines: Sequence[Seen], asked: int) -> list[Line]:
    """GPUs that Ray counts, or without Ray those of this machine, against those asked for."""
    counts = [
        one.gpus if one.gpus is not None else (one.facts.torch.usable if one.facts.torch else 0) for one in machines
    ]
    total = sum(counts)
    told = f"{total} of {asked} asked for" if asked else f"{total}"
    lines = []
    if total < asked:
        there = _values([str(visible(one.facts.found, one.facts.environment)) for one in machines])
        lines.append(
            Line(
                "failure",
                "GPUs",
                f"{told}; the device files show {there}",
                "add nodes with GPUs, ask for fewer workers, or set training.device to cpu",
            )
        )
    for one in machines:
        if one.gpus is None or one.facts.torch is None:
            continue
        try:
            sight = survey.Sight(one.name, one.gpus, one.facts.found, one.facts.torch, one.facts.environment)
            survey.judge([sight], "auto")
        except ResourceError as error:
            if "torch" not in error.problem:
                problem = error.problem.removeprefix("training.device: ").removeprefix("training.device auto: ")
                lines.append(Line("failure", "GPUs", problem, error.remedy, _where(one, machines)))
        if one.facts.found.amd and not one.facts.amdsmi and not one.gpus:
            lines.append(
                Line(
                    "failure",
                    "GPUs",
                    "Ray counts AMD's through amdsmi, which is missing",
                    "pip install amdsmi",
                    one.name,
                )
            )
    return lines or [Line("ok", "GPUs", told)]


def memory(machines: Sequence[Seen]) -> list[Line]:
    """Memory, and the shared memory in which Ray keeps objects."""

    def main(one: Seen) -> Line | None:
        if not one.facts.memory or one.facts.available >= LEAST_MEMORY:
            return None
        told = f"{shown(one.facts.available)} of {shown(one.facts.memory)} free"
        return Line("warning", "memory", told, "end what else runs there, or use fewer workers", _where(one, machines))

    def shared(one: Seen) -> Line | None:
        if one.facts.shared is None or one.facts.shared.size >= LEAST_SHARED:
            return None
        told = f"{shown(one.facts.shared.size)} in /dev/shm, and Ray goes to disk beyond it"
        return Line(
            "warning",
            "shared memory",
            told,
            "start the container with --shm-size=8g (a third of memory)",
            _where(one, machines),
        )

    least = min(machines, key=lambda one: one.facts.available).facts
    smallest = min((one.facts.shared.size for one in machines if one.facts.shared), default=0)
    return [
        *each(machines, "memory", f"{shown(least.available)} of {shown(least.memory)} free{_least(machines)}", main),
        *each(machines, "shared memory", f"{shown(smallest)}{_least(machines)}", shared),
    ]


def _least(machines: Sequence[Seen]) -> str:
    return f" at least, on {len(machines)} nodes" if len(machines) > 1 else ""


def disks(machines: Sequence[Seen]) -> list[Line]:
    """Disks of the cache and of Ray's temporary files."""
    lines = []
    for one in machines:
        for disk in one.facts.disks:
            told = f"{shown(disk.free)} of {shown(disk.size)} free at {disk.path}"
            if disk.free < (1 - FULLEST) * disk.size:
                mend = "free space: Ray ends tasks whose objects do not fit from 95 % on"
                lines.append(Line("failure", "disk", told, mend, _where(one, machines)))
            elif disk.free < LEAST_DISK:
                mend = "free space, or set RAYGENE_CACHE and RAY_TMPDIR to a larger disk"
                lines.append(Line("warning", "disk", told, mend, _where(one, machines)))
    free = min((disk.free for one in machines for disk in one.facts.disks), default=0)
    return lines or [Line("ok", "disk", f"{shown(free)} free{_least(machines)}")]


def clocks(machines: Sequence[Seen]) -> list[Line]:
    """Clocks of the machines against the driver's."""

    def judged(one: Seen) -> Line | None:
        if one.skew <= SKEW_S:
            return None
        level = "failure" if one.skew > MOST_SKEW_S else "warning"
        told = f"off by {one.skew:,.0f} s or more"
        return Line(level, "clock", told, "run an NTP service on every node (chrony, systemd-timesyncd)", one.name)  # type: ignore[arg-type]

    return each(machines, "clock", f"within {SKEW_S:.0f} s of this machine's", judged) if len(machines) > 1 else []


def governor(machines: Sequence[Seen]) -> list[Line]:
    """CPU frequency governors that hold back."""

    def judged(one: Seen) -> Line | None:
        slow = [name for name in one.facts.governors if name.startswith("powersave") and not name.endswith(_SELF)]
        if not slow:
            return None
        mend = "set it to performance or schedutil (cpupower frequency-set -g performance)"
        return Line("warning", "CPU frequency", f"governor {', '.join(slow)}", mend, _where(one, machines))

    told = _values([name for one in machines for name in one.facts.governors]) or "not told by this machine"
    return each(machines, "CPU frequency", told, judged)


_SELF = tuple(f"({name})" for name in SELF_GOVERNED)


def inputs(machines: Sequence[Seen], names: Mapping[str, str]) -> list[Line]:
    """Whether every machine reads every input, and the same.

    Args:
        machines: what they told.
        names: path or address to the key or flag that names it.
    """
    lines = []
    for place, name in names.items():
        troubles = [
            Line(
                "failure",
                "inputs",
                f"{name} {place}: {one.facts.unread[place]}",
                "put it on storage that every node mounts at that path, or mend its permissions",
                _where(one, machines),
            )
            for one in machines
            if place in one.facts.unread
        ]
        sizes = {one.facts.read[place] for one in machines if place in one.facts.read}
        if len(sizes) > 1:
            told = f"{name} {place}: {' and '.join(f'{size:,}' for size in sorted(sizes))} bytes on different nodes"
            troubles.append(Line("failure", "inputs", told, "put one copy on storage that every node mounts"))
        lines += troubles
    if not names:
        return []
    return lines or [Line("ok", "inputs", f"{len(names)} readable{' from every node' if len(machines) > 1 else ''}")]


def outputs(machines: Sequence[Seen], places: Sequence[str]) -> list[Line]:
    """Whether every machine writes every output, and sees what the driver wrote there."""
    lines = []
    for one in machines:
        where = _where(one, machines)
        for place, reason in one.facts.unwritten.items():
            mend = "mend its permissions, or choose another place"
            lines.append(Line("failure", "storage", f"{place}: {reason}", mend, where))
        for place in one.facts.unseen:
            told = f"{place}: a file written by this command is not seen there"
            lines.append(
                Line("failure", "storage", told, "choose storage that all nodes share (NFS, Lustre, s3://…)", where)
            )
    if not places:
        return []
    return lines or [Line("ok", "storage", f"{', '.join(places)}: can be written{_shared(machines)}")]


def _shared(machines: Sequence[Seen]) -> str:
    return ", and is shared by every node" if len(machines) > 1 else ""
