from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tuning.config import TuningConfig
from tuning.results import best
from tuning.trial import Trial
from tuning.trials.store import CHECKPOINTS, TrialStore

ROW = Trial(number=1, configuration=1, key="", seed=0, parameters={"model.hidden": 8}, state="finished")


def with_checkpoints(ledger: TrialStore, *rows: tuple[int, int, float | None]) -> None:
    for number, (configuration, seed, auroc) in enumerate(rows, start=1):
        state = ROW.state if auroc is not None else "begun"
        row = replace(
            ROW,
            number=number,
            configuration=configuration,
            seed=seed,
            key=f"{configuration}{seed}" * 32,
            state=state,
            validation_auroc=auroc,
        )
        ledger.keep(row)
        (ledger.folder(row) / CHECKPOINTS).mkdir()


def spared(ledger: TrialStore, seeds: int) -> set[str]:
    found = best.spare(ledger, TuningConfig(seeds=seeds))
    return {path.parent.name[:2] for path in found}


def test_checkpoints_of_all_but_the_best_configuration_are_spare(tmp_path: Path) -> None:
    ledger = TrialStore(tmp_path)
    with_checkpoints(ledger, (1, 0, 0.9), (2, 0, 0.8), (3, 0, None))
    assert spared(ledger, 1) == {"20"}


def test_a_configuration_short_of_a_seed_takes_nothing_from_the_best(tmp_path: Path) -> None:
    ledger = TrialStore(tmp_path)
    with_checkpoints(ledger, (1, 0, 0.9), (1, 1, 0.9), (2, 0, 0.95))
    assert spared(ledger, 2) == set()
