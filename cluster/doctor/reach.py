"""Whether every machine reads the inputs and writes the outputs, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.doctor.lines import Line
from cluster.doctor.seen import NodeReport, where


def inputs(machines: Sequence[NodeReport], names: Mapping[str, str]) -> list[Line]:
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
                where(one, machines),
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


def outputs(machines: Sequence[NodeReport], places: Sequence[str]) -> list[Line]:
    """Whether every machine writes every output, and sees what the driver wrote there."""
    lines = []
    for one in machines:
        name = where(one, machines)
        for place, reason in one.facts.unwritten.items():
            mend = "mend its permissions, or choose another place"
            lines.append(Line("failure", "storage", f"{place}: {reason}", mend, name))
        for place in one.facts.unseen:
            told = f"{place}: a file written by this command is not seen there"
            lines.append(Line("failure", "storage", told, "choose storage that all nodes share (NFS, Lustre, …)", name))
    if not places:
        return []
    return lines or [Line("ok", "storage", f"{', '.join(places)}: can be written{_shared(machines)}")]


def _shared(machines: Sequence[NodeReport]) -> str:
    return ", and is shared by every node" if len(machines) > 1 else ""
