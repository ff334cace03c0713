"""Ray's refusal of a driver or node of another version, told in one line: its own spreads over eight."""

from __future__ import annotations

import re

_VERSIONS = re.compile(r"Ray:\s*(\S+).*?Python:\s*(\S+).*?Ray:\s*(\S+).*?Python:\s*(\S+)", re.DOTALL)


def told(text: str) -> str | None:
    """What differs, from the text of Ray's error; None if it is about something else."""
    if "ersion mismatch" not in text:
        return None
    match = _VERSIONS.search(text)
    if match is None:
        return "the cluster has another version of Ray or Python than this process"
    ray, python, here_ray, here_python = match.groups()
    return f"the cluster has Ray {ray} with Python {python}, this process Ray {here_ray} with Python {here_python}"
