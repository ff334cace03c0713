"""One trial on several workers: Ray Train within a trial of Ray Tune, watched epoch by epoch.

Reaching the first step takes Ray Train some ten seconds, so one worker is the rule and this the exception.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import binary_metrics
from pipelines.progress import Silent
from training.bundle import bundle
from training.config import ModelConfig, TrainingConfig
from training.distributed.train import train
from training.engine.scoring import probabilities
from training.engine.state import Record
from training.observability import journal
from training.observability.runlog import METRICS
from tuning.trials import worker
from tuning.trials.store import EPOCHS
from tuning.trials.worker import Report

POLL_S = 0.5
RUN = "run"


def run(given: dict[str, Any], report: Report) -> None:
    """Train a trial with `raygene train`'s own function.

    Args:
        given: as for a worker of its own.
        report: told of every epoch.
    """
    folder = Path(given["folder"])
    model, config = ModelConfig.model_validate(given["model"]), TrainingConfig.model_validate(given["training"])
    errors: list[BaseException] = []

    def work() -> None:
        try:
            resolved = {"model": given["model"], "training": given["training"]}
            train(model, config, Path(given["dataset"]), folder / RUN, Silent(), resolved)
        except BaseException as error:
            errors.append(error)

    before = len(journal.read(folder / EPOCHS))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    told = 0
    while thread.is_alive():
        thread.join(timeout=POLL_S)
        found = _kept(folder)
        for number, record in enumerate(found[told:], start=told):
            report({"before": number < before, "over": False, **worker.standing(found, record["epoch"])})
        told = len(found)
    if errors:
        raise errors[0]
    found = _with_gap(_kept(folder), folder, given)
    journal.write(folder / EPOCHS, found)
    report({"before": False, "over": True, **worker.standing(found, found[-1]["epoch"])})


def _kept(folder: Path) -> list[Record]:
    """The epochs of the run so far, as those of a trial, written for whoever asks."""
    found = [record | {"trial_seconds": record["seconds"]} for record in journal.read(folder / RUN / METRICS)]
    if found:
        journal.write(folder / EPOCHS, found)
    return found


def _with_gap(records: list[Record], folder: Path, given: dict[str, Any]) -> list[Record]:
    """With the figures on train of the epoch that is kept, by its bundle."""
    trained = bundle.load(folder / RUN / "bundle")
    split = TokenDataset.open(Path(given["dataset"]), "train", given["fingerprint"])
    rows = worker.sample(len(split), given["gap_rows"])
    scores = probabilities(trained.model, split.tokens, split.lengths, given["training"]["token_budget"], None, rows)
    found = binary_metrics(split.labels[rows], scores, threshold=0.5)
    figures = {"train_auroc": found["auroc"], "train_mcc": found["mcc"]}
    best = trained.config["metrics"]["epoch"]
    return [record | figures if record["epoch"] == best else record for record in records]
