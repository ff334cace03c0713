from __future__ import annotations

import pytest
import torch

from training.engine.step_metrics import LAG, DeferredMetrics, StepMetrics, StepSums

CPU = torch.device("cpu")


def test_the_sums_of_a_step_add_up_losses_and_padded_tokens() -> None:
    sums = StepSums(CPU, should_stop=True)
    sums.add(torch.tensor(0.5), 10)
    sums.add(torch.tensor(0.25), 20)
    assert sums.vector().tolist() == [0.75, 30, 1]


def test_the_sums_of_a_worker_without_a_batch_are_zero() -> None:
    assert StepSums(CPU, should_stop=False).vector().tolist() == [0, 0, 0]


def test_on_a_cpu_the_figures_of_a_step_are_due_at_once() -> None:
    deferred = DeferredMetrics(CPU, 0)
    deferred.put(torch.tensor([1.5, 64, 0]), torch.tensor(2.0))
    assert deferred.take() == [StepMetrics(loss=1.5, padded=64, stop_requests=0, gradient_norm=2.0)]
    assert deferred.take() == []


def test_deferred_figures_are_due_in_order_after_the_lag_or_when_all_are_waited_for() -> None:
    deferred = DeferredMetrics(CPU, lag=2)
    due: list[float] = []
    for step in range(5):
        deferred.put(torch.tensor([float(step), 1, 0]), torch.tensor(1.0))
        due += [metrics.loss for metrics in deferred.take()]
    assert due == [0, 1, 2]
    assert [metrics.loss for metrics in deferred.take(wait_for_all=True)] == [3, 4]


@pytest.mark.gpu
def test_on_a_gpu_the_figures_of_steps_are_due_in_order_some_steps_late() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    device = torch.device("cuda")
    deferred, due = DeferredMetrics(device, LAG), []
    for step in range(LAG + 3):
        deferred.put(torch.tensor([step, 1, 0], device=device, dtype=torch.float32), torch.tensor(1.0, device=device))
        due += deferred.take()
    assert [metrics.loss for metrics in due] == [0, 1, 2]
    assert [metrics.loss for metrics in deferred.take(wait_for_all=True)] == list(range(3, LAG + 3))
