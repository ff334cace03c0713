from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.engine.fitting import Threads
from training.engine.collective import Alone, Collective, sum_gradients


def model_with_gradients(*gradients: Sequence[float] | None) -> nn.ParameterList:
    """A model with a parameter of two numbers for each gradient; None leaves a parameter without one."""
    model = nn.ParameterList(nn.Parameter(torch.zeros(2)) for _ in gradients)
    for parameter, gradient in zip(model, gradients, strict=True):
        parameter.grad = None if gradient is None else torch.tensor(gradient, dtype=torch.float32)
    return model


def in_a_group(models: Sequence[nn.Module], figures: Sequence[Tensor]) -> list[Tensor]:
    """The sums that each worker of a group receives."""
    board: list[Any] = [None] * len(models)
    barrier, sums = threading.Barrier(len(models)), list(figures)

    def work(rank: int) -> None:
        group: Collective = Threads(rank, len(models), board, barrier)
        sums[rank] = sum_gradients(models[rank], group, figures[rank])

    workers = [threading.Thread(target=work, args=(rank,)) for rank in range(len(models))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    return sums


def test_gradients_and_figures_are_summed_over_the_workers() -> None:
    models = [model_with_gradients([1, 2], [3, 4]), model_with_gradients([10, 20], [30, 40])]
    sums = in_a_group(models, [torch.tensor([1.0, 5]), torch.tensor([2.0, 6])])
    for of_worker, model in zip(sums, models, strict=True):
        assert of_worker.tolist() == [3, 11]
        assert [parameter.grad.tolist() for parameter in model] == [[11, 22], [33, 44]]


def test_a_worker_without_rows_contributes_zeros_and_receives_the_sums() -> None:
    models = [model_with_gradients([1, 2], [3, 4]), model_with_gradients(None, None)]
    in_a_group(models, [torch.ones(1), torch.zeros(1)])
    assert [parameter.grad.tolist() for parameter in models[1]] == [[1, 2], [3, 4]]


def test_a_frozen_parameter_is_left_out_of_the_sum() -> None:
    models = [model_with_gradients(None, [1, 1]), model_with_gradients(None, [2, 2])]
    for model in models:
        model[0].requires_grad_(False)
    in_a_group(models, [torch.zeros(1), torch.zeros(1)])
    assert [model[0].grad for model in models] == [None, None]
    assert models[0][1].grad.tolist() == [3, 3]


@pytest.mark.parametrize("figures", [[0.5, 3.0], [0.0]])
def test_alone_nothing_changes(figures: list[float]) -> None:
    model = model_with_gradients([1, 2], None)
    assert sum_gradients(model, Alone(), torch.tensor(figures)).tolist() == figures
    assert model[0].grad.tolist() == [1, 2]
    assert model[1].grad is None
