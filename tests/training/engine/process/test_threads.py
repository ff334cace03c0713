from __future__ import annotations

import pytest
import torch
from torch import nn

from training import models
from training.config import ModelConfig
from training.engine.process import threads


@pytest.mark.parametrize(("kind", "expected"), [("lstm", 1), ("gru", 1), ("transformer", 2)])
def test_recurrent_models_take_one_thread_and_give_the_others_back(kind: str, expected: int) -> None:
    model = models.make(ModelConfig(kind=kind), 67)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads.limited_for(model):
            assert torch.get_num_threads() == expected
        with threads.limited_for(nn.Linear(1, 1)):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
