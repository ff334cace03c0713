from __future__ import annotations

import pytest
import torch

from training.engine.step_metrics import LAG, DeferredMetrics, StepSums

CPU = torch.device("cpu")


def test_a_tally_adds_up_losses_and_padded_tokens() -> None:
    tally = StepSums(CPU, stopping=True)
    tally.add(torch.tensor(0.5), 10)
    tally.add(torch.tensor(0.25), 20)
    assert tally.vector().tolist() == [0.75, 30, 1]


def test_a_tally_without_a_batch_is_nothing() -> None:
    assert StepSums(CPU, stopping=False).vector().tolist() == [0, 0, 0]


def test_on_a_cpu_a_step_is_told_at_once() -> None:
    ledger = DeferredMetrics(CPU, 0)
    ledger.put(torch.tensor([1.5, 64, 0]), torch.tensor(2.0))
    (told,) = ledger.take()
    assert (told.loss, told.padded, told.stopping, told.gradient_norm) == (1.5, 64, 0, 2.0)
    assert ledger.take() == []


@pytest.mark.gpu
def test_on_a_gpu_steps_are_told_in_order_a_few_steps_late() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    device = torch.device("cuda")
    ledger, told = DeferredMetrics(device, LAG), []
    for step in range(LAG + 3):
        ledger.put(torch.tensor([step, 1, 0], device=device, dtype=torch.float32), torch.tensor(1.0, device=device))
        told += ledger.take()
    assert [one.loss for one in told] == [0, 1, 2]
    assert [one.loss for one in ledger.take(all_of_them=True)] == list(range(3, LAG + 3))
