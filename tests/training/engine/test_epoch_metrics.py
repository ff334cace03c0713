"""Figures of steps that are read late, as on a GPU, and gradients and losses that are no numbers."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from tests.training.engine.fitting import CPU, Threads, Watcher, fit_together, start
from training.config import TrainingConfig
from training.engine import epoch_metrics, loop
from training.engine.collective import Alone


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the loop read the figures of a step eight steps late, as it does on a GPU."""
    monkeypatch.setattr(epoch_metrics, "lag_of", lambda device: 8)


def test_a_gradient_that_is_not_a_number_ends_training_before_it_is_saved(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=1, global_batch_size=16, checkpoint_steps=1)
    state, saved_steps = start(train_split, config), []
    state.model.head.bias.register_hook(lambda gradient: gradient * float("nan") if state.step == 4 else gradient)

    class Keeper(Watcher):
        def checkpoint_due(self, state: loop.State) -> bool:
            return True

        def checkpoint(self, state: loop.State) -> None:
            saved_steps.append(state.step)

    with pytest.raises(TrainingError, match="epoch 1, step 5: the gradient is no longer a number"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU, Keeper())
    assert saved_steps == [1, 2, 3, 4]


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(
    ("last", "stopped"),
    [
        (3, (0, 11)),
        pytest.param(11, (0, 19), marks=pytest.mark.full),
        (24, (1, 12)),
        pytest.param(25, (1, 13), marks=pytest.mark.full),
        (38, (1, 20)),
    ],
)
def test_with_late_figures_all_workers_stop_after_the_same_step_though_one_saves_checkpoints(
    few: tuple[TokenDataset, TokenDataset], last: int, stopped: tuple[int, int]
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=2)
    watchers = [Watcher(checkpoint_steps=2), Watcher(last), Watcher()]
    states = fit_together(*few, config, 3, observers=watchers, finish=False)
    assert {(state.epoch, state.step) for state in states} == {stopped}
    assert len({len(watcher.figures) for watcher in watchers}) == 1


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("step", [3, 9, pytest.param(15, marks=pytest.mark.full)])
def test_with_late_figures_a_loss_that_is_not_a_number_is_never_saved_and_no_worker_is_left_waiting(
    few: tuple[TokenDataset, TokenDataset], step: int
) -> None:
    config = TrainingConfig(epochs=1, global_batch_size=2)
    watchers = [Watcher(checkpoint_steps=2), Watcher()]
    errors: list[TrainingError] = []

    class Spoiling(Watcher):
        def should_stop(self) -> bool:
            super().should_stop()
            if self._calls == step:
                states[1].model.head.bias.data.fill_(float("nan"))
            return False

    watchers[1] = Spoiling()
    board: list[Any] = [None] * 2
    barrier = threading.Barrier(2)
    states = [start(few[0], config) for _ in range(2)]

    def work(rank: int) -> None:
        try:
            loop.fit(
                states[rank],
                *few,
                config,
                Threads(rank, 2, board, barrier),
                CPU,
                watchers[rank],
            )
        except TrainingError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(errors) == 2
    assert all(f"epoch 1, step {step}: " in str(error) for error in errors)
    assert [position for position in watchers[0].saved if position[1] >= step] == []


@pytest.mark.usefixtures("late")
def test_late_figures_give_the_same_records(train_split: TokenDataset, validation_split: TokenDataset) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=16)
    watcher, state = Watcher(checkpoint_steps=3), start(train_split, config)
    loop.fit(state, train_split, validation_split, config, Alone(), CPU, watcher)
    assert [(figures.epoch, figures.step) for figures in watcher.figures] == [
        (e, s) for e in (1, 2) for s in range(1, 11)
    ]
    assert sum(figures.loss for figures in watcher.figures[:10]) / 10 == pytest.approx(state.records[0]["loss"])


def test_fp16_may_skip_steps_but_not_for_ever(
    train_split: TokenDataset, validation_split: TokenDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch_metrics, "MAX_SKIPPED", 4)
    config = TrainingConfig(epochs=1, global_batch_size=8, precision="fp16")
    state = start(train_split, config)
    state.model.head.bias.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(TrainingError, match="step 5: the gradient is no longer a number"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU)
