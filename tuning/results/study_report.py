"""The report of a study: tables, page, best configuration and bundle, made from what is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.dataset.location import Location
from pipelines.errors import ResourceError
from tuning import summary
from tuning.config import TuningConfig
from tuning.results import best, importance, page, tables
from tuning.summary import Size
from tuning.trials.store import TrialStore

PAGE = "report.html"


@dataclass(frozen=True)
class StudyReport:
    """What was written, and what the terminal shows.

    Attributes:
        sizes: metrics by model size.
        shares: importance of each key.
        page: the HTML page.
        bundle: directory of the best trial's bundle; None: not written, or no trial has a metric.
        error: that the command ends with, where trials are left to a later run.
    """

    sizes: list[Size]
    shares: dict[str, float]
    page: Path
    bundle: Path | None
    error: ResourceError | None = None


def write_report(
    store: TrialStore,
    config: TuningConfig,
    base: Mapping[str, Any],
    seconds: float,
    *,
    dataset: Location | None = None,
    with_best: bool = True,
    command: str = "",
) -> StudyReport:
    """Write all the files that a study leaves, from its rows.

    Args:
        store: of the study.
        config: of the study.
        base: sections of the experiment.
        seconds: spent on it.
        dataset: of all trials, where one was named.
        with_best: whether to write the best configuration and its bundle, which a running study does itself.
        command: the command line, for the page.

    Raises:
        TrainingError: the checkpoint of the best trial is damaged or missing; tables and page are written.
        ResourceError: the directory cannot be written.
    """
    trials, metric = store.trials, config.metric
    sizes = summary.sizes(trials, base, metric)
    shares = importance.importance(trials, config.search_space, metric, config.seeds)
    tables.write(trials, store.output)
    subtitle = page.subtitle(trials, config.search, seconds)
    page.build_page(trials, metric, sizes, shares, subtitle, config.seeds, command).write(store.output / PAGE)
    bundle = best.write_best(store, base, config, dataset) if with_best else None
    return StudyReport(sizes, shares, store.output / PAGE, bundle)
