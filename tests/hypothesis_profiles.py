"""How many examples hypothesis draws: a quarter by default, other ones in each run, and all in the full tests.

`--hypothesis-profile=full` draws all.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings

ALL = 100
FEWEST = 5


def register() -> None:
    """Make the profiles known, and load that of the default run."""
    # A busy machine takes longer for an example now and then, which is no failure.
    settings.register_profile("full", deadline=None, max_examples=ALL)
    settings.register_profile("raygene", deadline=None, max_examples=ALL // 4)
    settings.load_profile("raygene")


def examples(count: int, **others: Any) -> settings:
    """The settings of a test that draws so many examples in the full tests, where others draw 100."""
    share = settings().max_examples / ALL
    return settings(max_examples=max(round(count * share), FEWEST), **others)
