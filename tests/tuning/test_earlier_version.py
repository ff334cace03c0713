"""A study that the version before `study.json` wrote is read and resumed with the same results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.experiment import load
from pipelines.errors import UsageError
from pipelines.progress import Silent
from tests.tuning.conftest import BASE
from tuning import identity, study
from tuning.config import TuningConfig
from tuning.run import Clock
from tuning.search.proposals import make_proposals
from tuning.search.queue import TrialQueue
from tuning.search.trial_factory import DatasetRef, TrialFactory
from tuning.study import Study, tune
from tuning.trials.memory_check import Feasibility
from tuning.trials.store import TrialStore

WRITTEN = Path(__file__).parent / "earlier_version"
DATASET = "9078329e8ef4f5473c6cb74d9b632d22f298f38b130a3fced88b5199eb14d79d"
EXPERIMENT: dict[str, Any] = {
    "model": {"embedding": 8, "hidden": 8, "stem": 8},
    "training": {
        "epochs": 4,
        "global_batch_size": 8,
        "max_grad_norm": 0.5,
        "device": "cpu",
        "seed": 5,
        "learning_rate": 0.01,
    },
    "tuning": {
        "space": {"model.hidden": [8, 12], "training.global_batch_size": [8, 16]},
        "search": "grid",
        "scheduler": "none",
        "seeds": 2,
        "device_memory": "1GiB",
        "configurations": 4,
    },
}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN, tmp_path / "study"))


@pytest.fixture
def same(output: Path, tmp_path: Path) -> Study:
    """The same study as this version names it."""
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    experiment = load(path, {})
    base = {name: value for name, value in experiment.resolved().items() if name != "tuning"}
    return Study(experiment.tuning, base, None, output)


def test_its_identity_is_that_of_the_same_study_and_its_file_is_replaced(output: Path, same: Study) -> None:
    spent = study._begin_or_resume(output, same.identity([DATASET]))
    assert spent == 29.5
    assert not (output / "campaign.json").exists()
    assert identity.read(output) == (json.loads(json.dumps(same.identity([DATASET]))), 29.5)


def test_another_study_is_refused_in_the_current_names(output: Path, same: Study) -> None:
    other = same.identity([DATASET])
    other["training"] = {**other["training"], "global_batch_size": 32}
    difference = r"training.global_batch_size: 8 in the study, 32 requested"
    with pytest.raises(UsageError, match=rf"holds another study \({difference}\)"):
        study._begin_or_resume(output, other)
    assert (output / "campaign.json").exists()


def test_its_mark_of_a_finished_study_holds(output: Path, same: Study) -> None:
    limits = {"configurations": 4, "time_budget_s": None, "patience": 0, "rows": 8}
    assert identity.finished_by(output) == limits


def test_its_rows_have_the_current_names_and_the_files_of_ended_trials_stay_as_they_are(output: Path) -> None:
    files = {path: path.read_bytes() for path in output.glob("trials/*/trial.json")}
    trials = TrialStore(output).trials
    assert [trial.state for trial in trials] == ["finished"] * 3 + ["begun"] * 2
    assert all(trial.retain_memory for trial in trials)
    assert trials[0].parameters == {"model.hidden": 8, "training.global_batch_size": 8}
    assert {path: path.read_bytes() for path in output.glob("trials/*/trial.json")} == files


def test_its_trials_are_resumed_in_order_under_the_same_keys(output: Path, same: Study) -> None:
    store = TrialStore(output)
    recorded = store.trials
    factory = TrialFactory(
        same.config,
        same.base,
        lambda parameters: DatasetRef(Path("/data/dataset"), DATASET),
        lambda model, training, dataset: Feasibility(True, 10, 100, token_budget=training.token_budget),
    )
    proposals = make_proposals(same.config, same.base, 3)
    queue = TrialQueue(same.config, same.base, store, proposals, factory, Clock(0), lambda trial: None)
    resumed = []
    while (trial := queue.next()) is not None:
        resumed.append(trial)
    assert [(trial.configuration, trial.seed) for trial in resumed] == [(2, 6), (3, 5), (3, 6), (4, 5), (4, 6)]
    assert [trial.key for trial in resumed[:2]] == [trial.key for trial in recorded[3:]]
    for trial in recorded:
        remade = factory.trial(trial.parameters, trial.configuration, trial.seed, Feasibility(True, 1, 1))
        assert remade.key == trial.key


EARLIER_NAMES = {
    "global_batch_size": "batch",
    "training.global_batch_size": "training.batch",
    "retain_memory": "roomy",
    "grace_period": "grace",
    "reduction_factor": "reduction",
}


def with_earlier_names(value: Any) -> Any:
    """A document as the version before named its keys."""
    if not isinstance(value, dict):
        return value
    return {EARLIER_NAMES.get(name, name): with_earlier_names(inner) for name, inner in value.items()}


@pytest.mark.full
@pytest.mark.ray
def test_a_study_of_the_version_before_ends_with_the_results_of_an_undisturbed_one(
    dataset: Path, ray_session: Any, silent: Silent, tmp_path: Path
) -> None:
    config = TuningConfig.model_validate(
        {"space": {"training.global_batch_size": [16, 32]}, "search": "grid", "scheduler": "none"}
    )
    original = Study(config, BASE, dataset, tmp_path / "study")
    whole = tune(original, ray_session, silent)[0].trials
    (original.output / "finished.json").unlink()
    identity_file = original.output / "study.json"
    (original.output / "campaign.json").write_text(
        json.dumps(with_earlier_names(json.loads(identity_file.read_text())))
    )
    identity_file.unlink()
    folders = [original.output / "trials" / trial.key[:16] for trial in whole]
    for folder in folders:
        row = with_earlier_names(json.loads((folder / "trial.json").read_text()))
        if folder == folders[1]:
            row |= {"state": "begun", "ended": None, "epochs": 0, "validation_auroc": None}
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            (folder / "epochs.jsonl").unlink()
        (folder / "trial.json").write_text(json.dumps(row, indent=1) + "\n")
    ended = (folders[0] / "trial.json").read_bytes()
    resumed = tune(original, ray_session, silent)[0].trials
    assert (folders[0] / "trial.json").read_bytes() == ended
    assert not (original.output / "campaign.json").exists()
    for before, after in zip(whole, resumed, strict=True):
        assert after.state == "finished"
        assert (after.key, after.parameters, after.validation_auroc, after.train_mcc) == (
            before.key,
            before.parameters,
            before.validation_auroc,
            before.train_mcc,
        )
