"""A search campaign on Ray Tune: datasets, judged trials, records that outlive any kill, and the report.

Starting a trial costs a process once for each slot, and then little. The same command goes on after a kill: what ended keeps
its row, what was interrupted goes on from its checkpoint, and a finished campaign is told as finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.build.pipeline import Connect
from pipelines.errors import BusyError, ResourceError, UsageError
from pipelines.progress import Progress
from training.distributed.run_key import NOT_CONTENT
from tuning import identity
from tuning.config import TuningConfig
from tuning.results.study_report import Report, close
from tuning.run import Run
from tuning.search import dataset_registry, space
from tuning.search.dataset_registry import DatasetRegistry
from tuning.trial import Trial
from tuning.trials.store import TrialStore


@dataclass(frozen=True)
class Study:
    """A campaign before it has begun.

    Attributes:
        config: the search.
        base: the experiment's sections, resolved.
        dataset: of all trials; None: built from the experiment.
        output: the campaign's directory.
    """

    config: TuningConfig
    base: Mapping[str, Any]
    dataset: Path | None
    output: Path

    def identity(self, datasets: list[str]) -> dict[str, Any]:
        """What is tried, and on which data."""
        training = {key: value for key, value in self.base["training"].items() if key not in NOT_CONTENT}
        return {
            "tuning": self.config.model_dump(mode="json", by_alias=True, exclude=identity.FREE),
            "space": {key: domain.model_dump(mode="json") for key, domain in self.config.searched.items()},
            "datasets": datasets,
            "model": self.base["model"],
            "training": training,
        }


def tune(campaign: Study, connect: Connect, progress: Progress) -> tuple[TrialStore, Report]:
    """Run a campaign to its end.

    Args:
        campaign: what is tried.
        connect: opens Ray; called only when there is work.
        progress: told of every trial.

    Returns:
        The rows, and what was made of them, with the error to end with if trials are left to a later run.

    Raises:
        UsageError: the space is wrong, or `output` holds another campaign.
        DatasetError: no finished dataset.
        ResourceError: the cluster lacks what is asked for, or the place cannot be written, or another process does.
        TrainingError: Ray Tune failed.
        KeyboardInterrupt: interrupted; everything up to the last epochs is kept.
    """
    space.ordered(campaign.config.searched)
    storage.make_directory(campaign.output)
    with storage.only_writer(campaign.output):
        storage.remove_partial(campaign.output)
        found = _stock(campaign, connect, progress)
        spent = _begin(campaign, found)
        ledger = TrialStore(campaign.output)
        if identity.ended(campaign.output) == _limits(campaign, ledger) and all(one.over for one in ledger.trials):
            progress.note(f"{campaign.output}: the campaign is finished; nothing to do")
            return ledger, close(ledger, campaign.config, campaign.base, spent)
        identity.ends(campaign.output, None)
        with connect():
            about = campaign.identity(found.fingerprints)
            run = Run(campaign.config, campaign.base, ledger, found, about, spent, progress)
            spent = run.to_the_end()
        if not run.held:
            identity.ends(campaign.output, _limits(campaign, ledger))
        with progress.stage("report"):
            made = close(ledger, campaign.config, campaign.base, spent)
        return ledger, replace(made, owed=_owed(run.held))


def _owed(held: Sequence[tuple[Trial, str]]) -> ResourceError | None:
    """What a campaign ends with that leaves trials to a later run."""
    if not held:
        return None
    trial, reason = held[0]
    which = f"trial {trial.number}" if trial.number else f"seed {trial.seed} of configuration {trial.configuration}"
    return ResourceError(
        f"trials that were begun or are still owed do not fit the memory that is free now: {len(held)}, the first {which} ({reason})",
        "run the same command when more is free, or state the memory with tuning.device_memory",
    )


def so_far(campaign: Study, progress: Progress) -> tuple[TrialStore, Report]:
    """The report of what there is, also while the campaign runs elsewhere, and then without the best bundle; trains nothing.

    Raises:
        UsageError: no campaign there, or another.
    """
    found = identity.read(campaign.output)
    if found is None:
        raise UsageError(f"{campaign.output}: no campaign there", "name the --output of raygene tune")
    before, seconds = found
    identity.require_same(campaign.output, before, campaign.identity(before["datasets"]))
    ledger = TrialStore(campaign.output, reading=True)
    try:
        with storage.only_writer(campaign.output):
            return ledger, close(ledger, campaign.config, campaign.base, seconds)
    except BusyError:
        progress.note(f"{campaign.output}: the campaign is running; its best configuration is written at its end")
        return ledger, close(ledger, campaign.config, campaign.base, seconds, with_best=False)


def _limits(campaign: Study, ledger: TrialStore) -> dict[str, Any]:
    """What a campaign ends by: the same command finds it finished; one that allows more goes on, or after a row was deleted."""
    limits = {name: getattr(campaign.config, name) for name in ("configurations", "time_budget_s", "patience")}
    return limits | {"rows": len(ledger.trials)}


def _stock(campaign: Study, connect: Connect, progress: Progress) -> DatasetRegistry:
    if campaign.dataset is not None:
        return dataset_registry.given(campaign.dataset, campaign.config.searched)
    return dataset_registry.made(campaign.base, campaign.config.searched, campaign.output, connect, progress)


def _begin(campaign: Study, found: DatasetRegistry) -> float:
    """Write or compare what the directory holds; seconds spent by earlier runs."""
    now, before = campaign.identity(found.fingerprints), identity.read(campaign.output)
    if before is None:
        identity.write(campaign.output, now, 0.0)
        return 0.0
    identity.require_same(campaign.output, before[0], now)
    return before[1]
