from __future__ import annotations

from typing import Any

import pytest
import torch

from training import eager_optimizers


@pytest.mark.parametrize(
    ("name", "keys"),
    [("AdamW", {"weight_decay": 0.1}), ("Adam", {"weight_decay": 0.1}), ("SGD", {"momentum": 0.9})],
)
@pytest.mark.parametrize("fused", [False, True])
def test_weights_and_state_are_the_bytes_of_pytorchs_own(name: str, keys: dict[str, Any], fused: bool) -> None:
    runs = []
    for module in (torch.optim, eager_optimizers):
        torch.manual_seed(0)
        model = torch.nn.Linear(6, 3)
        optimizer = getattr(module, name)(model.parameters(), lr=0.1, fused=fused, **keys)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(4, 6)).square().sum().backward()
            optimizer.step()
        runs.append((model.state_dict(), optimizer.state_dict()))
    torch.testing.assert_close(runs[1], runs[0], rtol=0, atol=0)
