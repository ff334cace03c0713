"""What doctor says: one line for each check, with a mend where there is something to mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Line:
    """The outcome of a check.

    Attributes:
        level: failure if work would fail.
        check: what was looked at.
        told: what was found.
        mend: what to do about it.
        node: where; empty if it holds for all.
    """

    level: Level
    check: str
    told: str
    mend: str = ""
    node: str = ""

    def __str__(self) -> str:
        told = f"{self.node}: {self.told}" if self.node else self.told
        return f"{self.level:9}{self.check:15}{told}" + (f": {self.mend}" if self.mend else "")


def worst(lines: Sequence[Line]) -> Level:
    """The gravest level of all lines."""
    order: tuple[Level, ...] = ("ok", "warning", "failure")
    return max((line.level for line in lines), key=order.index, default="ok")
