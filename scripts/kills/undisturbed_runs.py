"""What undisturbed runs of a verb write, and how files of another run differ from theirs."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from kills.verb_runs import Inputs, finish

CHANGING_NAMES = re.compile(r"\d{8}T\d{6}Z|(?<=-)[0-9a-f]{16}(?=\.pt)|(?<=tfevents\.).*")
MEASURED = {"seconds", "peak_memory_bytes", "memory_measured", "tokens_per_second", "wait_share", "calls", "ended"}
"""Figures of the machine, which two undisturbed runs may share by chance, and the order in which trials ended."""
LOGS = {"steps.jsonl"}
"""An interrupted run has a row more, of its last step, and the next row is the mean of fewer steps."""


def contents(folder: Path) -> dict[str, bytes]:
    """Name to content of all files, without what a name or a line of JSON has of the time."""
    return {
        CHANGING_NAMES.sub("*", str(path.relative_to(folder))): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"stderr.txt", "stdout.txt"}
    }


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Path to each value of a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {key: value}
    return {name: leaf for part, item in items for name, leaf in flat(item, f"{key}/{part}").items()}


def leaves(content: bytes) -> dict[str, Any]:
    """All values of JSON or of lines of JSON; none of another file."""
    with suppress(ValueError):
        return flat(json.loads(content))
    with suppress(ValueError):
        return flat([json.loads(line) for line in content.splitlines()])
    return {}


def same(value: Any, expected: Any) -> bool:
    """Whether two values of JSON are equal, numbers but for rounding: workers may add up in another order."""
    if isinstance(value, float) and isinstance(expected, float):
        return math.isclose(value, expected, rel_tol=1e-4, abs_tol=1e-6)
    return bool(value == expected)


class Reference:
    """What undisturbed runs of a verb write; what differs between two of them is not compared.

    Attributes:
        durations: seconds of each phase.
    """

    def __init__(self, verb: str, inputs: Inputs, folder: Path) -> None:
        runs = []
        for number in (1, 2):
            place = folder / f"undisturbed-{verb}-{number}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            runs.append(finish(inputs.command(verb, place), place, inputs.cache))
        first, second = (contents(folder / f"undisturbed-{verb}-{number}") for number in (1, 2))
        if first.keys() != second.keys():
            raise SystemExit(f"{verb}: two undisturbed runs differ in files: {first.keys() ^ second.keys()}")
        self.files = first
        self.changing = {name for name in first if first[name] != second[name]}
        self.values: dict[str, dict[str, Any]] = {}
        for name in self.changing:
            one, other = leaves(first[name]), leaves(second[name])
            if one and one.keys() == other.keys():
                self.values[name] = {
                    key: value
                    for key, value in one.items()
                    if other[key] == value and key.rpartition("/")[2] not in MEASURED
                }
        starts = [*runs[1].phases.items(), ("end", runs[1].seconds)]
        self.durations = {phase: later - at for (phase, at), (_, later) in itertools.pairwise(starts)}

    def differences(self, folder: Path) -> list[str]:
        """What a folder has otherwise than an undisturbed run."""
        files = contents(folder)
        found = [f"missing: {name}" for name in self.files.keys() - files.keys()]
        found += [f"left over: {name}" for name in files.keys() - self.files.keys()]
        for name in self.files.keys() & files.keys():
            if name.rpartition("/")[2] in LOGS:
                continue
            if name not in self.changing:
                found += [f"differs: {name}"] if files[name] != self.files[name] else []
            elif name in self.values:
                values = leaves(files[name])
                differing = [key for key, value in self.values[name].items() if not same(values.get(key), value)]
                found += [f"differs: {name} at {differing[0]}"] if differing else []
        return sorted(found)
