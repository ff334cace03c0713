from __future__ import annotations

import pytest

from training.config import ModelConfig, TrainingConfig
from training.memory.formula import Work, evaluation
from training.memory.scoring import MOST_NUMBERS, MOST_TOKENS, batch_tokens

GIB = 2**30


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer"])
@pytest.mark.parametrize("memory", [1 * GIB, 24 * GIB, 139 * GIB])
def test_a_batch_takes_at_most_half_of_the_memory(kind: str, memory: int) -> None:
    model = ModelConfig.model_validate({"kind": kind, "hidden": 256})
    tokens = batch_tokens(model, 4099, 512, memory)
    assert evaluation(model, TrainingConfig(), 4099, Work(tokens // 512, 512, "cuda")) <= memory / 2
    assert tokens <= batch_tokens(model, 4099, 512, 2 * memory)


def test_the_default_model_fills_a_large_gpu_with_rows() -> None:
    assert batch_tokens(ModelConfig(), 67, 512, 139 * GIB) == MOST_TOKENS


def test_one_longest_sequence_is_always_a_batch() -> None:
    assert batch_tokens(ModelConfig(), 67, 5_000_000, 1e6) == 5_000_000


def test_no_tensor_has_more_numbers_than_libraries_count() -> None:
    assert batch_tokens(ModelConfig(hidden=4096), 67, 512, 1e15) * 4 * 4096 <= MOST_NUMBERS
