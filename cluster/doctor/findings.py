"""What doctor reports: a finding for each check, with a fix where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        level: failure if work would fail.
        check: what was checked, such as `bedtools`.
        message: what was found.
        fix: what to do about it; empty if all is well.
        node: which node it is about; empty if it holds for all.
    """

    level: Level
    check: str
    message: str
    fix: str = ""
    node: str = ""

    def __str__(self) -> str:
        message = f"{self.node}: {self.message}" if self.node else self.message
        return f"{self.level:9}{self.check:15}{message}" + (f": {self.fix}" if self.fix else "")


def worst(findings: Sequence[Finding]) -> Level:
    """The most serious level of all findings; ok if there are none."""
    order: tuple[Level, ...] = ("ok", "warning", "failure")
    return max((finding.level for finding in findings), key=order.index, default="ok")
