"""What a study shows while it runs, with Ray Tune's part replaced by a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pipelines.progress import Silent
from training.observability import journal
from tuning import identity
from tuning.run import Run
from tuning.search import dataset_registry
from tuning.study import Study
from tuning.trials import heartbeat, machines, tuner
from tuning.trials.memory_check import Machine
from tuning.trials.reports import EpochReport, to_result
from tuning.trials.store import EPOCHS, TrialStore
from tuning.trials.tuner import SPEC

pytestmark = pytest.mark.ray
SPACE = {"space": {"model.hidden": [8, 12]}, "search": "grid", "configurations": 2, "scheduler": "none"}


class Shown(Silent):
    """Collects what a bar shows too."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: list[tuple[str, float | None, str]] = []
        self.done, self.details = 0.0, list[str]()

    @contextmanager
    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Any]:
        self.bars.append((title, total, unit))
        yield self

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def describe(self, text: str) -> None:
        self.details.append(text)


def fit(searcher: Any, scheduler: Any, stopper: Any, *others: Any) -> None:
    """Run all trials one after the other, as far as the study sees."""
    number = 0
    while isinstance(suggested := searcher.suggest(f"trial-{number}"), dict):
        spec = suggested[SPEC]
        records = [
            {"epoch": epoch, "validation_auroc": 0.6, "validation_mcc": 0.1, "trial_seconds": 30.0} for epoch in (1, 2)
        ]
        journal.write(spec.folder / EPOCHS, records[:1])
        stopper.stop_all()
        journal.write(spec.folder / EPOCHS, records)
        searcher.on_trial_complete(f"trial-{number}", to_result(EpochReport(2, 0.6, 0.1, is_last=True)))
        number += 1


@pytest.fixture
def run_study(
    make_study: Callable[..., Study], ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Shown]:
    monkeypatch.setattr(machines, "smallest_machine", lambda *arguments: Machine("cpu", 8 << 30, 2, 0, is_local=False))
    monkeypatch.setattr(tuner, "fit", fit)
    monkeypatch.setattr(heartbeat, "INTERVAL_S", 0.0)

    def run(dataset: str | None = None, **tuning: Any) -> Shown:
        study, shown = make_study(**SPACE, **tuning), Shown()
        study = replace(study, dataset=dataset or study.dataset)
        assert study.dataset is not None
        study.output.mkdir()
        datasets = dataset_registry.use_existing(study.dataset, study.config.search_space)
        requested = study.identity(datasets.fingerprints)
        identity.write(study.output, requested, 0.0)
        Run(study.config, study.base, TrialStore(study.output), datasets, requested, 0.0, shown).run()
        return shown

    return run


def test_a_bar_counts_trials_and_describes_those_that_run(run_study: Callable[..., Shown]) -> None:
    shown = run_study()
    assert shown.bars == [("tuning", 2, "trials")]
    assert shown.done == 2
    assert shown.details[0] == "trial 1: epoch 2 of 2, 30 s each; about 2 min left"
    assert shown.details[1] == "trial 2: epoch 2 of 2, 30 s each; best AUROC 0.6000 (trial 1); about 30 s left"
    assert shown.warnings == []


def test_the_trials_of_a_dataset_at_an_address_are_given_the_address(
    run_study: Callable[..., Shown], make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = []
    monkeypatch.setattr(tuner, "fit", lambda searcher, *_: specs.append(searcher.suggest("trial-0")[SPEC]))
    directory = make_study().dataset
    run_study(dataset=f"local://{directory}")
    assert specs[0].dataset == f"local://{directory}"
    (trial,) = TrialStore(make_study().output).trials
    assert trial.dataset == f"local://{directory}"


def test_a_trial_that_takes_hours_on_cpus_is_announced_before_it_begins(
    run_study: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.trials.cost_estimate.FLOPS_PER_CPU", 10.0)
    shown = run_study()
    (warning,) = shown.warnings
    assert warning.startswith("trial 1 (hidden ")
    assert "weights and may take" in warning
    assert warning.endswith("or set tuning.trial_time_limit")


def test_a_trial_that_is_limited_to_less_is_not_announced(
    run_study: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.trials.cost_estimate.FLOPS_PER_CPU", 10.0)
    assert run_study(trial_time_limit=600).warnings == []
