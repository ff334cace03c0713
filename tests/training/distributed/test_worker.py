from __future__ import annotations

import pytest
import torch

from pipelines.errors import DatasetError, ResourceError, TrainingError
from training.distributed.worker import explained

CPU = torch.device("cpu")


def test_an_error_of_the_family_is_reported_as_it_is() -> None:
    error = DatasetError("rows: none", "build again")
    assert explained(error) is error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_device_without_memory_is_an_error_with_the_key_to_lower(error: Exception) -> None:
    found = explained(error)
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


def test_an_operation_without_a_deterministic_form_is_an_error_that_names_the_key() -> None:
    found = explained(RuntimeError("cumsum_cuda does not have a deterministic implementation"))
    assert isinstance(found, TrainingError)
    assert str(found).startswith("training.deterministic: ")
