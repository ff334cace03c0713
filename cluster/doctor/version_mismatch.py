"""Ray's refusal of a driver or node of another version, in one line: Ray's own message has eight."""

from __future__ import annotations

import re

_VERSIONS = re.compile(r"Ray:\s*(\S+).*?Python:\s*(\S+).*?Ray:\s*(\S+).*?Python:\s*(\S+)", re.DOTALL)


def version_difference(text: str) -> str | None:
    """What differs, read from the text of Ray's error; None if the error is about something else.

    Ray raises a plain RuntimeError here, so that only its text says what is wrong.
    """
    if "ersion mismatch" not in text:
        return None
    match = _VERSIONS.search(text)
    if match is None:
        return "the cluster has another version of Ray or Python than this process"
    ray, python, own_ray, own_python = match.groups()
    return f"the cluster has Ray {ray} with Python {python}, this process Ray {own_ray} with Python {own_python}"
