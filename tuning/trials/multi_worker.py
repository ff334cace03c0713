"""One trial on several workers: a run of Ray Train within a trial of Ray Tune, which reports each epoch as it finishes.

Ray Train takes some ten seconds to reach the first step, so a trial has one worker unless more are requested. The
process that starts them reserves nothing: Ray Train reserves for its workers, for all of them or for none.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from training.bundle import bundle
from training.distributed.nodes.placement import Placement
from training.distributed.train import Share, train
from training.engine.objectives.by_task import objective_of
from training.engine.state import CPU, Record
from training.observability import journal
from tuning.trials import worker
from tuning.trials.reports import Report
from tuning.trials.store import EPOCHS
from tuning.trials.trial_spec import TrialSpec

RUN = "run"


def run(spec: TrialSpec, report: Report) -> None:
    """Train a trial with the function behind `raygene train`.

    Training runs in a thread of its own: Ray Tune ends the thread that reports when it stops the trial.

    Args:
        spec: of the trial.
        report: called with each epoch.
    """
    finished: SimpleQueue[Record | None] = SimpleQueue()
    errors: list[BaseException] = []

    def train_in_thread() -> None:
        resolved = {"model": spec.model.model_dump(mode="json"), "training": spec.training.model_dump(mode="json")}
        placement = Placement(int(spec.cpus) // spec.training.workers, use_gpu=spec.gpus > 0)
        share = Share(placement, spec.retain_memory)
        try:
            train(
                *(spec.model, spec.training, spec.dataset, spec.folder / RUN, Silent(), resolved, finished.put),
                share=share,
            )
        except BaseException as error:
            errors.append(error)
        finally:
            finished.put(None)

    log = spec.folder / EPOCHS
    reported_before = len(journal.read(log))
    threading.Thread(target=train_in_thread, daemon=True).start()
    records: list[Record] = []
    spent = sum(record.get("trial_seconds", 0.0) for record in journal.read(log))
    ends_at = None if spec.time_limit is None else time.monotonic() + spec.time_limit - spent
    while (record := _next(finished, ends_at, len(records))) is not None:
        # Records that only a finished run's bundle still holds have no seconds.
        records.append(record | {"trial_seconds": record.get("seconds", 0.0)})
        is_replay = len(records) <= reported_before
        if not is_replay:
            # An epoch is on disk before it is reported, so whoever sees the report finds it.
            journal.write(log, records)
        report(worker.epoch_report(records, record["epoch"], is_replay=is_replay))
    if errors:
        raise errors[0]
    records = _with_train_metrics(records, spec)
    journal.write(log, records)
    report(worker.epoch_report(records, records[-1]["epoch"], is_last=True))


def _next(finished: SimpleQueue[Record | None], ends_at: float | None, epoch: int) -> Record | None:
    """The next epoch, or None after the last.

    Args:
        finished: gets each epoch as it ends.
        ends_at: when the trial has to end, by the monotonic clock; None: never.
        epoch: epochs so far.

    Raises:
        TrialTimeLimitError: there is none by then. The process that trains ends with this one.
    """
    try:
        return finished.get(timeout=None if ends_at is None else max(ends_at - time.monotonic(), 0.0))
    except Empty:
        raise worker.TrialTimeLimitError(epoch) from None


def _with_train_metrics(records: list[Record], spec: TrialSpec) -> list[Record]:
    """Records of which that of the best epoch has the metrics on train, measured with the bundle."""
    trained = bundle.load(spec.folder / RUN / "bundle")
    split = TokenDataset.open(spec.dataset, "train", spec.fingerprint)
    objective = objective_of(spec.training, split)
    columns = objective.train_figures(trained.model, split, spec.gap_rows, CPU)
    best = trained.config["metrics"]["epoch"]
    return [record | columns if record["epoch"] == best else record for record in records]
