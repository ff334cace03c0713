from __future__ import annotations

from pathlib import Path

from pipelines.progress import Silent
from training.distributed.run_progress import ProgressReporter, RunLogger
from training.observability.mlflow import Tracker

LINE = {
    "epoch": 1,
    "step": 40,
    "loss": 0.25,
    "tokens_per_second": 412_300,
    "padding_share": 0.013,
    "wait_share": 0.002,
    "peak_memory_bytes": 2**29,
}


class Stage:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.done, self.text = 0.0, ""

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def describe(self, text: str) -> None:
        self.text = text


def following(folder: Path) -> tuple[ProgressReporter, Stage, Silent]:
    stage, progress = Stage(), Silent()
    tracker = Tracker(None, progress.warn)
    return ProgressReporter(100, RunLogger(folder / "train.log", progress), stage, tracker), stage, progress


def test_progress_tells_loss_speed_padding_waiting_and_memory(tmp_path: Path) -> None:
    follow, stage, progress = following(tmp_path)
    follow({"began": {"at": (0, 0), "record": [], "workers": 2}})
    follow({"line": LINE})
    assert stage.done == 40
    assert stage.text == "epoch 1  loss 0.250  412k tokens/s  padding 1.3%  waiting 0.2%  0.50 GiB"
    follow({"record": {"validation_auroc": 0.91}, "at": (1, 0)})
    assert stage.done == 100
    assert "epoch 2  loss 0.250  validation AUROC 0.910" in stage.text
    assert progress.notes == progress.warnings == []


def test_a_run_that_goes_on_says_from_where(tmp_path: Path) -> None:
    follow, stage, progress = following(tmp_path)
    follow({"began": {"at": (2, 50), "record": [{"validation_auroc": 0.9}], "workers": 1}})
    assert progress.notes == ["going on from the checkpoint at epoch 3, step 50 of 100 with 1 worker"]
    assert stage.done == 250


def test_a_lost_worker_is_told_with_the_steps_that_are_done_again(tmp_path: Path) -> None:
    follow, stage, progress = following(tmp_path)
    follow({"began": {"at": (0, 0), "record": [], "workers": 2}})
    follow({"at": (1, 30)})
    follow({"began": {"at": (1, 0), "record": [], "workers": 1}})
    (warning,) = progress.warnings
    assert warning == (
        "a worker was lost; going on from the checkpoint at epoch 2, step 0 of 100 with 1 worker: 30 steps are done again"
    )
    assert warning in (tmp_path / "train.log").read_text()
    follow({"at": (1, 20)})
    assert stage.done == 130


def test_the_log_tells_which_machines_the_workers_were_on(tmp_path: Path) -> None:
    follow, _, progress = following(tmp_path)
    follow({"worker": {"rank": 0, "workers": 2, "pid": 12, "host": "node7", "device": "CPU"}})
    assert "worker 0 of 2: process 12 on node7, CPU" in (tmp_path / "train.log").read_text()
    assert not progress.notes


def test_what_several_workers_warn_of_is_told_once(tmp_path: Path) -> None:
    follow, _, progress = following(tmp_path)
    follow({"warning": "the cache is full"})
    follow({"warning": "the cache is full"})
    assert progress.warnings == ["the cache is full"]
