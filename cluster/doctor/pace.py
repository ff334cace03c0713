"""Clocks and CPU frequency, judged."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor.lines import Level, Line
from cluster.doctor.seen import NodeReport, each, values, where

SKEW_S = 2.0
MOST_SKEW_S = 300.0
SLOW = ("powersave", "userspace", "conservative")
"""Governors that keep a CPU below its speed, or are slow to leave it there."""
SELF_GOVERNED = ("intel_pstate", "amd-pstate-epp")
"""Drivers that choose by themselves under `powersave`; `amd-pstate` is the passive one, which obeys."""


def clocks(machines: Sequence[NodeReport]) -> list[Line]:
    """Clocks of a cluster's machines against the driver's, which may be another machine."""
    if not machines or machines[0].gpus is None:
        return []

    def judged(one: NodeReport) -> Line | None:
        if one.skew is None or one.skew <= SKEW_S:
            return None
        level: Level = "failure" if one.skew > MOST_SKEW_S else "warning"
        told = f"off by {one.skew:,.0f} s or more"
        return Line(level, "clock", told, "run an NTP service on every node (chrony, systemd-timesyncd)", one.name)

    heard = [one for one in machines if one.bound is not None]
    most = max((one.bound or 0 for one in heard), default=0.0)
    lines = each(heard, "clock", f"within {max(most, 0.01):.2f} s of this machine's", judged) if heard else []
    untold = ", ".join(one.name for one in machines if one.bound is None)
    return [*lines, *([Line("ok", "clock", f"not told by {untold}")] if untold else [])]


def governor(machines: Sequence[NodeReport]) -> list[Line]:
    """CPU frequency governors that hold back."""

    def judged(one: NodeReport) -> Line | None:
        slow = [name for name in one.facts.governors if _holds_back(name)]
        if not slow:
            return None
        mend = "set it to performance or schedutil (cpupower frequency-set -g performance)"
        return Line("warning", "CPU frequency", f"governor {', '.join(slow)}", mend, where(one, machines))

    told = values([name for one in machines for name in one.facts.governors]) or "not told by this machine"
    return each(machines, "CPU frequency", told, judged)


def _holds_back(name: str) -> bool:
    """Whether a governor, told with its driver as in `powersave (acpi-cpufreq)`, does."""
    kind, _, driver = name.partition(" ")
    return kind in SLOW and not (kind == "powersave" and driver.strip("()") in SELF_GOVERNED)
