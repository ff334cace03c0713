from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tuning.config import TuningConfig
from tuning.results import best
from tuning.trial import Trial
from tuning.trials.store import CHECKPOINTS, TrialStore

ROW = Trial(number=1, configuration=1, key="", seed=0, parameters={"model.hidden": 8}, state="finished")


def write_rows_with_checkpoints(store: TrialStore, *rows: tuple[int, int, float | None]) -> None:
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
        store.write(row)
        (store.folder(row) / CHECKPOINTS).mkdir()


def obsolete(store: TrialStore, seeds: int) -> set[str]:
    directories = best.obsolete_checkpoints(store, TuningConfig(seeds=seeds))
    return {path.parent.name[:2] for path in directories}


def test_checkpoints_of_all_but_the_best_configuration_are_obsolete(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    write_rows_with_checkpoints(store, (1, 0, 0.9), (2, 0, 0.8), (3, 0, None))
    assert obsolete(store, 1) == {"20"}


def test_a_configuration_with_a_missing_seed_does_not_make_others_obsolete(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    write_rows_with_checkpoints(store, (1, 0, 0.9), (1, 1, 0.9), (2, 0, 0.95))
    assert obsolete(store, 2) == set()
