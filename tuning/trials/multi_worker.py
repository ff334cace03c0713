"""One trial on several workers: a run of Ray Train within a trial of Ray Tune, watched epoch by epoch.

Ray Train takes some ten seconds to reach the first step, so a trial has one worker unless more are requested.
"""

from __future__ import annotations

import threading
from pathlib import Path

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import binary_metrics
from pipelines.progress import Silent
from training.bundle import bundle
from training.distributed.train import train
from training.engine.scoring import probabilities
from training.engine.state import Record
from training.observability import journal
from training.observability.runlog import METRICS
from tuning.trials import worker
from tuning.trials.reports import Report
from tuning.trials.store import EPOCHS
from tuning.trials.trial_spec import TrialSpec

POLL_S = 0.5
RUN = "run"


def run(spec: TrialSpec, report: Report) -> None:
    """Train a trial with the function behind `raygene train`.

    Args:
        spec: of the trial.
        report: called with each epoch.
    """
    errors: list[BaseException] = []

    def work() -> None:
        try:
            resolved = {
                "model": spec.model.model_dump(mode="json"),
                "training": spec.training.model_dump(mode="json"),
            }
            train(spec.model, spec.training, spec.dataset, spec.folder / RUN, Silent(), resolved)
        except BaseException as error:
            errors.append(error)

    replayed = len(journal.read(spec.folder / EPOCHS))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    reported = 0
    while thread.is_alive():
        thread.join(timeout=POLL_S)
        records = _copy_epochs(spec.folder)
        for number, record in enumerate(records[reported:], start=reported):
            report(worker.epoch_report(records, record["epoch"], is_replay=number < replayed))
        reported = len(records)
    if errors:
        raise errors[0]
    records = _with_train_metrics(_copy_epochs(spec.folder), spec)
    journal.write(spec.folder / EPOCHS, records)
    report(worker.epoch_report(records, records[-1]["epoch"], is_last=True))


def _copy_epochs(folder: Path) -> list[Record]:
    """Write the epochs of the run so far as those of the trial, and return them."""
    records = [record | {"trial_seconds": record["seconds"]} for record in journal.read(folder / RUN / METRICS)]
    if records:
        journal.write(folder / EPOCHS, records)
    return records


def _with_train_metrics(records: list[Record], spec: TrialSpec) -> list[Record]:
    """Records of which that of the best epoch has the metrics on train, measured with the bundle."""
    trained = bundle.load(spec.folder / RUN / "bundle")
    split = TokenDataset.open(spec.dataset, "train", spec.fingerprint)
    rows = worker.sample_rows(len(split), spec.gap_rows)
    scores = probabilities(trained.model, split.tokens, split.lengths, spec.training.budget, None, rows)
    metrics = binary_metrics(split.labels[rows], scores, threshold=0.5)
    best = trained.config["metrics"]["epoch"]
    found = {"train_auroc": metrics["auroc"], "train_mcc": metrics["mcc"]}
    return [record | found if record["epoch"] == best else record for record in records]
