from __future__ import annotations

import pytest
import torch

from pipelines.errors import DatasetError, ResourceError, TrainingError
from training.distributed.worker import explain

CPU = torch.device("cpu")


def test_an_error_of_the_family_is_reported_as_it_is() -> None:
    error = DatasetError("rows: none", "build again")
    assert explain(error) is error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_device_without_memory_is_an_error_with_the_key_to_lower(error: Exception) -> None:
    worker_error = explain(error)
    assert isinstance(worker_error, ResourceError)
    assert "training.token_budget" in str(worker_error)


@pytest.mark.parametrize("error", [RuntimeError("connection closed by peer"), OSError("stale file handle")])
def test_an_error_that_may_pass_is_left_to_ray(error: Exception) -> None:
    assert explain(error) is None


def test_a_defect_is_an_error_of_one_line_that_is_not_retried() -> None:
    worker_error = explain(KeyError("rows"))
    assert isinstance(worker_error, TrainingError)
    assert "KeyError" in str(worker_error)
    assert "\n" not in str(worker_error)


def test_an_operation_without_a_deterministic_form_is_an_error_that_names_the_key() -> None:
    worker_error = explain(RuntimeError("cumsum_cuda does not have a deterministic implementation"))
    assert isinstance(worker_error, TrainingError)
    assert str(worker_error).startswith("training.deterministic: ")
