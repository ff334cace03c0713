from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.errors import ResourceError
from training.engine.precision import Precision, require_device

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_forward_passes_compute_in_the_type_and_weights_stay_single(name: str, dtype: torch.dtype) -> None:
    model, precision = nn.Linear(4, 4), Precision(name, CPU)
    with precision.autocast():
        out = model(torch.randn(2, 4))
    assert out.dtype == dtype
    precision.backward(out.float().sum())
    assert model.weight.grad is not None
    assert model.weight.dtype == model.weight.grad.dtype == torch.float32


def test_an_overflow_in_half_precision_skips_the_step_and_lowers_the_scale() -> None:
    model, precision = nn.Linear(2, 1), Precision("fp16", CPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    precision.backward(model(torch.ones(1, 2)).sum())
    scale = precision.state_dict()["scale"]
    before = model.weight.detach().clone()
    assert model.weight.grad is not None
    model.weight.grad.fill_(float("inf"))
    precision.step(optimizer, model, 1.0)
    assert torch.equal(model.weight, before)
    assert precision.state_dict()["scale"] < scale


def test_the_gradient_is_clipped_at_its_true_size() -> None:
    for name in ("fp32", "fp16"):
        model, precision = nn.Linear(2, 1, bias=False), Precision(name, CPU)
        nn.init.zeros_(model.weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        precision.backward((model(torch.tensor([[3.0, 4.0]])) * 10).sum())
        precision.step(optimizer, model, 0.5)
        assert model.weight.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_a_scale_is_restored() -> None:
    precision, restored = Precision("fp16", CPU), Precision("fp16", CPU)
    state = precision.state_dict() | {"scale": 8.0}
    restored.load_state_dict(state)
    assert restored.state_dict()["scale"] == 8.0


def test_fp16_on_cpus_is_refused_with_what_to_take_instead() -> None:
    with pytest.raises(ResourceError, match=r"training\.precision fp16.*set it to bf16 or fp32"):
        require_device("fp16", use_gpu=False)
    require_device("fp16", use_gpu=True)
    require_device("bf16", use_gpu=False)
