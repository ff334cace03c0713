from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torch.distributed as dist

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.engine.fitting import Threads
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.loading import collate_rows
from training.data.step_plan import plan_epoch
from training.engine.collective import Alone, Distributed
from training.engine.layout import agreed_layout, faster_layout, set_layout, typical_batch
from training.engine.precision import Precision
from training.models.ensemble import members_of
from training.models.recogniser import Recogniser
from training.models.recurrent import Layout, Recurrent

SMALL = {"embedding": 8, "hidden": 8, "stem": 8}


def model_of(kind: str = "lstm") -> Recogniser:
    torch.manual_seed(0)
    return models.make(ModelConfig.model_validate({"kind": kind, **SMALL}), 67)


def batch_of(dataset: TokenDataset):  # type: ignore[no-untyped-def]
    return collate_rows([dataset[row] for row in range(8)])


@pytest.mark.parametrize("slow", ["masked", "packed"])
def test_the_faster_of_the_two_layouts_is_chosen(train_split: TokenDataset, slow: str) -> None:
    model, ticks = model_of(), [0]
    body = model.body
    assert isinstance(body, Recurrent)

    def move_the_clock(*_: object) -> None:
        ticks[0] += 2 if body.layout == slow else 1

    body.register_forward_pre_hook(move_the_clock)
    assert faster_layout(model, batch_of(train_split), clock=lambda: ticks[0]) != slow


def test_layouts_are_timed_in_the_precision_of_training(train_split: TokenDataset) -> None:
    model, autocast_states = model_of(), set()
    model.body.register_forward_pre_hook(lambda *_: autocast_states.add(torch.is_autocast_enabled("cpu")))
    faster_layout(model, batch_of(train_split), Precision("bf16", torch.device("cpu")).autocast)
    assert autocast_states == {True}


def test_measuring_leaves_model_gradients_and_random_numbers_as_they_were(train_split: TokenDataset) -> None:
    model = model_of().eval()
    batch = batch_of(train_split)
    model(batch).sum().backward()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    state = torch.get_rng_state()
    assert faster_layout(model, batch) in {"masked", "packed"}
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(
        torch.equal(gradients[name], value.grad) for name, value in model.named_parameters() if name in gradients
    )
    assert not model.training
    assert isinstance(model.body, Recurrent)
    assert model.body.layout == "masked"


@pytest.mark.parametrize(("configured", "expected"), [("masked", "masked"), ("packed", "packed"), ("auto", "masked")])
def test_a_configured_layout_is_set_and_a_cpu_uses_masked(
    train_split: TokenDataset, configured: str, expected: str
) -> None:
    model = model_of("gru")
    assert set_layout(model, TrainingConfig.model_validate({"layout": configured}), train_split) == expected
    assert isinstance(model.body, Recurrent)
    assert model.body.layout == expected


def test_all_members_of_an_ensemble_have_one_layout(train_split: TokenDataset) -> None:
    model = models.make(ModelConfig.model_validate({"ensemble": 3, **SMALL}), 67)
    assert set_layout(model, TrainingConfig(layout="packed"), train_split) == "packed"
    assert [member.body.layout for member in members_of(model)] == ["packed"] * 3
    assert faster_layout(model, batch_of(train_split)) in {"masked", "packed"}
    assert [member.body.layout for member in members_of(model)] == ["packed"] * 3


def test_a_transformer_has_no_layout_to_choose(train_split: TokenDataset) -> None:
    assert set_layout(model_of("transformer"), TrainingConfig(layout="packed"), train_split) is None


def test_no_batch_is_made_where_nothing_is_measured(train_split: TokenDataset) -> None:
    empty = replace(train_split, labels=train_split.labels[:0], offsets=train_split.offsets[:1])
    assert set_layout(model_of(), TrainingConfig(), empty) == "masked"


def test_a_typical_batch_is_of_the_median_step(train_split: TokenDataset) -> None:
    batch = typical_batch(train_split, TrainingConfig(global_batch_size=16))
    steps = plan_epoch(train_split.lengths, 16, seed=0, epoch=0)
    longest = sorted(int(train_split.lengths[rows].max()) for rows in steps)
    assert batch.longest == longest[len(longest) // 2]
    assert len(batch.counts) == 16


def chosen_in_group(rank: int, meeting: str, answers: Any) -> None:
    """What one of two processes gets, of which the first chooses packed and the second must not choose."""
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)

    def choose() -> Layout:
        assert rank == 0
        return "packed"

    answers.put((rank, agreed_layout(choose, Distributed(), torch.device("cpu"))))
    dist.destroy_process_group()


@pytest.mark.full
def test_all_processes_take_the_layout_that_the_first_has_measured(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    group = [
        context.Process(target=chosen_in_group, args=(rank, f"file://{tmp_path / 'meeting'}", answers))
        for rank in range(2)
    ]
    for process in group:
        process.start()
    assert sorted(answers.get(timeout=120) for _ in group) == [(0, "packed"), (1, "packed")]
    for process in group:
        process.join(timeout=60)
        assert process.exitcode == 0


@pytest.mark.parametrize("layout", get_args(Layout))
def test_the_first_of_two_workers_chooses_for_both(layout: Layout) -> None:
    board: list[Any] = [None, None]
    barrier = threading.Barrier(2)

    def never() -> Layout:
        raise AssertionError

    def agreed(rank: int) -> Layout:
        choose = never if rank else lambda: layout
        return agreed_layout(choose, Threads(rank, 2, board, barrier), torch.device("cpu"))

    with ThreadPoolExecutor(2) as workers:
        assert list(workers.map(agreed, range(2))) == [layout, layout]


@pytest.mark.parametrize("layout", get_args(Layout))
def test_one_worker_takes_its_own_layout(layout: Layout) -> None:
    assert agreed_layout(lambda: layout, Alone(), torch.device("cpu")) == layout
