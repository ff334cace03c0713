"""A search campaign on Ray Tune: datasets, judged trials, records that outlive any kill, and the report.

Starting a trial costs a process once for each slot, and then little. The same command goes on after a kill: what ended keeps
its row, what was interrupted goes on from its checkpoint, and a finished campaign is told as finished.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import storage
from pipelines.build import Connect
from pipelines.dataset import MANIFEST, TokenDataset
from pipelines.errors import ResourceError, UsageError
from pipelines.progress import Progress
from training.config import ModelConfig, TrainingConfig
from training.key import NOT_CONTENT
from training.memory.capacity import shown
from training.splits import open_splits
from tuning import best, identity, lines, machines, proposals, room, space, stock, worker
from tuning.agenda import REFUSED, Agenda, Data, configured
from tuning.closing import Report, close
from tuning.config import TuningConfig
from tuning.ledger import Ledger
from tuning.room import Verdict
from tuning.stock import Stock
from tuning.trial import Trial

FINISHED = "finished.json"
# Time spent is stored no more often.
TICK_S = 5.0
REMEDY = "search smaller sizes, shorter sequences (crop.length), or state a larger device with tuning.device_memory"


@dataclass(frozen=True)
class Campaign:
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


def tune(campaign: Campaign, connect: Connect, progress: Progress) -> tuple[Ledger, Report]:
    """Run a campaign to its end.

    Args:
        campaign: what is tried.
        connect: opens Ray; called only when there is work.
        progress: told of every trial.

    Returns:
        The rows, and what was made of them.

    Raises:
        UsageError: the space is wrong, or `output` holds another campaign.
        DatasetError: no finished dataset.
        ResourceError: the cluster lacks what is asked for, or another process writes to `output`.
        TrainingError: Ray Tune failed.
        KeyboardInterrupt: interrupted; everything up to the last epochs is kept.
    """
    space.ordered(campaign.config.searched)
    storage.make_directory(campaign.output)
    with storage.only_writer(campaign.output):
        storage.remove_partial(campaign.output)
        found = _stock(campaign, connect, progress)
        spent = _begin(campaign, found)
        ledger = Ledger(campaign.output)
        if _finished(campaign, ledger):
            progress.note(f"{campaign.output}: the campaign is finished; nothing to do")
            return ledger, close(ledger, campaign.config, campaign.base, spent)
        (campaign.output / FINISHED).unlink(missing_ok=True)
        with connect():
            run = _Run(campaign, ledger, found, spent, progress)
            spent = run.to_the_end()
        if not run.held:
            storage.write_text(campaign.output / FINISHED, json.dumps(_limits(campaign.config, ledger)) + "\n")
        with progress.stage("report"):
            made = close(ledger, campaign.config, campaign.base, spent)
        if run.held:
            trial, reason = run.held[0]
            raise ResourceError(
                f"{len(run.held)} trials were begun and do not fit the memory that is free now, trial {trial.number or 'of a further seed'} "
                f"among them ({reason})",
                "run the same command when more is free, or state the memory with tuning.device_memory",
            )
        return ledger, made


def so_far(campaign: Campaign, progress: Progress) -> tuple[Ledger, Report]:
    """The report of what there is, also while the campaign runs elsewhere, and then without the best bundle; trains nothing.

    Raises:
        UsageError: no campaign there, or another.
    """
    found = identity.read(campaign.output)
    if found is None:
        raise UsageError(f"{campaign.output}: no campaign there", "name the --output of raygene tune")
    before, seconds = found
    identity.require_same(campaign.output, before, campaign.identity(before["datasets"]))
    ledger = Ledger(campaign.output, reading=True)
    try:
        with storage.only_writer(campaign.output):
            return ledger, close(ledger, campaign.config, campaign.base, seconds)
    except ResourceError:
        if not _is_written(campaign.output):
            raise
        progress.note(f"{campaign.output}: the campaign is running; its best configuration is written at its end")
        return ledger, close(ledger, campaign.config, campaign.base, seconds, with_best=False)


def _is_written(output: Path) -> bool:
    """Whether another process holds the right to write a directory."""
    try:
        with storage.only_writer(output):
            return False
    except ResourceError:
        return True


def _limits(config: TuningConfig, ledger: Ledger) -> dict[str, Any]:
    """What a campaign has ended by: the same command finds it finished; one that allows more goes on, or after a row was deleted."""
    return {name: getattr(config, name) for name in ("trials", "seconds", "plateau")} | {"rows": len(ledger.trials)}


def _finished(campaign: Campaign, ledger: Ledger) -> bool:
    try:
        ended = json.loads((campaign.output / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return ended == _limits(campaign.config, ledger) and all(trial.over for trial in ledger.trials)


def _stock(campaign: Campaign, connect: Connect, progress: Progress) -> Stock:
    if campaign.dataset is not None:
        return stock.given(campaign.dataset, campaign.config.searched)
    return stock.made(campaign.base, campaign.config.searched, campaign.output, connect, progress)


def _begin(campaign: Campaign, found: Stock) -> float:
    """Write or compare what the directory holds; seconds spent by earlier runs."""
    now, before = campaign.identity(found.fingerprints), identity.read(campaign.output)
    if before is None:
        identity.write(campaign.output, now, 0.0)
        return 0.0
    identity.require_same(campaign.output, before[0], now)
    return before[1]


class _Run:
    """One run of a campaign: what its parts are told of each other.

    Args:
        campaign: what is tried.
        ledger: rows of earlier runs.
        found: the datasets.
        spent: seconds of earlier runs.
        progress: told of every trial.
    """

    def __init__(self, campaign: Campaign, ledger: Ledger, found: Stock, spent: float, progress: Progress) -> None:
        self._campaign, self._config, self._ledger, self._progress = campaign, campaign.config, ledger, progress
        self._clock, self._told = Clock(spent), spent
        self._identity = campaign.identity(found.fingerprints)
        self._training = TrainingConfig.model_validate(campaign.base["training"])
        files = [campaign.output / identity.CAMPAIGN, *(path / MANIFEST for path in found.paths)]
        self._machine = machines.of_cluster(self._config, self._training.device, campaign.output, files)
        self._splits: dict[Path, tuple[TokenDataset, TokenDataset]] = {}
        source = proposals.proposals(self._config, campaign.base, len({one.configuration for one in ledger.trials}))
        self._agenda = Agenda(self._config, campaign.base, ledger, source, found, self._judge, self._clock, self._tell)

    def to_the_end(self) -> float:
        """Everything that is still to do, on the Ray that is connected; seconds spent on the campaign."""
        from tuning import desk, tuner

        metric = desk.METRIC.format(self._config.metric)
        front = desk.Desk(self._agenda, self._ledger, self._given, metric, self._tick, self._progress.warn)
        past = [
            [worker.standing(records, record["epoch"]) for record in records]
            for trial in self._ledger.trials
            if trial.over and (records := self._ledger.epochs(trial))
        ]
        halving = desk.scheduler(self._config, metric, past)
        self._progress.note(self._plan())
        for path in self._ledger.aside:
            self._progress.note(f"{path}: no row of a trial that this version reads, moved here; the trial runs anew")

        def interrupt() -> None:
            front.closing = True

        stop = desk.Deadline(self._agenda, front)
        try:
            watch, output = desk.Watch(front), self._campaign.output
            tuner.fit(front, halving, stop, self._config, self._training, output, interrupt, watch)
        finally:
            # What still runs in Tune's thread is to write nothing.
            front.closing = True
            identity.write(self._campaign.output, self._identity, self._clock())
        if front.error is not None:
            raise front.error
        if self._agenda.out_of_time():
            self._agenda.close()
        if ending := self._agenda.ending():
            self._progress.note(f"no further configuration: {ending}")
        trials = self._ledger.trials
        if trials and all(trial.state in REFUSED for trial in trials):
            self._progress.note(f"nothing fits {shown(self._machine.memory)}: {REMEDY}")
        return self._clock()

    @property
    def held(self) -> list[tuple[Trial, str]]:
        """Trials that a later run has to try, with the reason."""
        return self._agenda.held

    def _tick(self) -> None:
        """Store the time spent, so that a kill loses little of it."""
        if (now := self._clock()) - self._told >= TICK_S:
            self._told = now
            identity.write(self._campaign.output, self._identity, now)

    def _plan(self) -> str:
        machine, done = self._machine, sum(trial.over for trial in self._ledger.trials)
        where = f"{machine.gpus} GPUs" if machine.gpus else f"{machine.cpus:g} CPUs"
        most = f"{self._config.most} configurations" if self._config.most else "every configuration"
        return f"tuning: {most} by {self._config.search}, on {where} with {shown(machine.memory)} to share" + (
            f"; {done} trials are done" if done else ""
        )

    def _tell(self, trial: Trial) -> None:
        done = len({row.configuration for row in self._ledger.trials if row.over})
        self._progress.note(lines.line(trial, self._config, done))
        self._tick()
        for path in best.spare(self._ledger, self._config):
            shutil.rmtree(path, ignore_errors=True)

    def _judge(self, model: ModelConfig, training: TrainingConfig, data: Data) -> Verdict:
        if data.path not in self._splits:
            self._splits[data.path] = open_splits(data.path, data.fingerprint)
        splits = self._splits[data.path]
        lengths = np.concatenate([split.lengths for split in splits])
        return room.judge(model, training, lengths, splits[0].tokenizer, self._machine)

    def _given(self, trial: Trial) -> dict[str, Any]:
        """What the process of a trial is given."""
        model, training = configured(self._campaign.base, trial.parameters, trial.seed, self._config.workers)
        return {
            "model": model.model_dump(mode="json"),
            "training": training.model_dump(mode="json") | {"token_budget": trial.token_budget},
            "dataset": trial.dataset,
            "fingerprint": trial.fingerprint,
            "folder": str(self._ledger.folder(trial)),
            "gap_rows": self._config.gap_rows,
            "roomy": trial.roomy,
            "cpus": trial.cpus,
            "gpus": trial.gpus,
            "until": None if self._config.seconds is None else time.time() + self._config.seconds - self._clock(),
        }


class Clock:
    """Seconds spent on a campaign, those of earlier runs included.

    Args:
        spent: by earlier runs.
    """

    def __init__(self, spent: float) -> None:
        self._began = time.monotonic() - spent

    def __call__(self) -> float:
        return time.monotonic() - self._began
