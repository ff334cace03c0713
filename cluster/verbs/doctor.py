"""`raygene doctor`."""

from __future__ import annotations

from cluster.context import Context
from cluster.flags import Parser

SUMMARY = "checks this machine or cluster and says what to mend"
SECTIONS = ("cluster",)
DESCRIPTION = ""
EXAMPLE = "raygene doctor"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""


def run(context: Context) -> int:
    """Check."""
    return 0
