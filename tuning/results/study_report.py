"""The report of a campaign: tables, page, best configuration and bundle, from what is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ResourceError
from tuning import summary
from tuning.config import TuningConfig
from tuning.results import best, importance, page, tables
from tuning.summary import Size
from tuning.trials.store import TrialStore

PAGE = "report.html"


@dataclass(frozen=True)
class Report:
    """What was written, and what the terminal shows.

    Attributes:
        sizes: score and gap by size.
        shares: importance of each key.
        page: the HTML page.
        bundle: of the best trial; None: no trial has a figure.
        owed: what to end with, where trials are left to a later run.
    """

    sizes: list[Size]
    shares: dict[str, float]
    page: Path
    bundle: Path | None
    owed: ResourceError | None = None


def close(
    ledger: TrialStore, config: TuningConfig, base: Mapping[str, Any], seconds: float, *, with_best: bool = True
) -> Report:
    """Write everything that a campaign leaves behind.

    Args:
        ledger: of the campaign.
        config: the search.
        base: the experiment's sections.
        seconds: spent on it.
        with_best: whether the best configuration and its bundle are to be written, which another process may be doing.

    Raises:
        TrainingError: the checkpoint of the best trial is damaged or gone; tables and page are there.
        ResourceError: the place cannot be written.
    """
    trials, metric = ledger.trials, config.metric
    sizes = summary.sizes(trials, base, metric)
    shares = importance.importance(trials, config.searched, metric, config.seeds)
    tables.write(trials, ledger.output)
    about = page.about(trials, config.search, seconds)
    page.build_page(trials, metric, sizes, shares, about, config.seeds).write(ledger.output / PAGE)
    bundle = best.write(ledger, base, config) if with_best else None
    return Report(sizes, shares, ledger.output / PAGE, bundle)
