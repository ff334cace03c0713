from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines.dataset import TokenDataset
from pipelines.errors import DatasetError, ResourceError, TrainingError
from training import loop, models
from training.collective import Alone
from training.config import ModelConfig, TrainingConfig
from training.worker import agree, explained

CPU = torch.device("cpu")


class Two:
    """Two workers, of which the other is at a place of its own."""

    rank, workers = 0, 2

    def __init__(self, other: torch.Tensor) -> None:
        self._other = other

    def sum_(self, tensor: torch.Tensor) -> None:
        tensor += self._other


def test_an_error_of_the_family_is_told_as_it_is() -> None:
    error = DatasetError("rows: none", "build again")
    assert explained(error) is error


def test_a_device_without_memory_is_an_error_with_the_key_to_lower() -> None:
    found = explained(torch.OutOfMemoryError("tried to allocate 2 GiB"))
    assert isinstance(found, ResourceError)
    assert "training.token_budget" in str(found)


@pytest.mark.parametrize("error", [RuntimeError("connection closed by peer"), OSError("stale file handle")])
def test_what_may_not_come_again_is_left_to_ray(error: Exception) -> None:
    assert explained(error) is None


def test_a_defect_is_one_line_and_not_tried_again() -> None:
    found = explained(KeyError("rows"))
    assert isinstance(found, TrainingError)
    assert "KeyError" in str(found)
    assert "\n" not in str(found)


def state_at(dataset: Path, epoch: int, step: int) -> loop.State:
    split = TokenDataset.open(dataset, "train")
    state = loop.start(models.fresh(ModelConfig(embedding=8, hidden=8), split.tokenizer, 0), TrainingConfig())
    state.epoch, state.step = epoch, step
    return state


def test_workers_that_read_the_same_checkpoint_agree(dataset: Path) -> None:
    agree(Two(torch.tensor([3, 7, 9, 49], dtype=torch.float64)), state_at(dataset, 3, 7), CPU)
    agree(Alone(), state_at(dataset, 3, 7), CPU)


@pytest.mark.parametrize("other", [(3, 8), (2, 7), (0, 0)])
def test_workers_that_read_different_checkpoints_are_refused(dataset: Path, other: tuple[int, int]) -> None:
    epoch, step = other
    theirs = torch.tensor([epoch, step, epoch**2, step**2], dtype=torch.float64)
    with pytest.raises(TrainingError, match="different checkpoints"):
        agree(Two(theirs), state_at(dataset, 3, 7), CPU)
