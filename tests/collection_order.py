"""The order in which processes of a test run import files of tests: a plugin, registered by `conftest.py`.

In a clean checkout nothing is compiled. Processes that collect the same files in the same order would all compile every
module, each at the same time as the others; two that start at opposite ends compile half of them each.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest


def _comes_from_the_end(config: pytest.Config) -> bool:
    worker: str = getattr(config, "workerinput", {}).get("workerid", "gw0")
    # Names that `--tx` gives need no number.
    number = worker.removeprefix("gw")
    return number.isdecimal() and int(number) % 2 == 1


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Go through folders from their end in every second process."""
    report = yield
    if isinstance(collector, pytest.Directory) and _comes_from_the_end(collector.config):
        report.result.reverse()
    return report


# First: what looks at fixtures next depends on the order.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have all processes agree on the order of tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.parts)
