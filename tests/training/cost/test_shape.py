from __future__ import annotations

import pytest

from training.config import ModelConfig, TrainingConfig
from training.cost.amount import Amount
from training.cost.shape import MAPPED, Shape
from training.models.stem import Stem


@pytest.mark.parametrize("tokens", [1, 4, 5, 8, 9])
def test_a_stem_leaves_a_position_for_each_stride_begun(tokens: int) -> None:
    model = ModelConfig(stem=8, stem_stride=4)
    assert Stem(model).stride == 4
    assert Shape.of(model, TrainingConfig(), 2, tokens, "cpu").positions == -(-tokens // 4)
    assert Shape.of(ModelConfig(stem=0), TrainingConfig(), 2, tokens, "cpu").positions == tokens


def test_frames_are_more_rows_of_fewer_positions() -> None:
    shape = Shape("cpu", rows=2, tokens=10, positions=10, item=4, trains_embedding=True).in_frames(3)
    assert (shape.rows, shape.positions, shape.tokens) == (6, 4, 10)


def test_a_large_tensor_is_mapped_and_a_small_one_of_a_cpu_is_on_the_heap() -> None:
    cpu, gpu = (Shape(device, 1, 1, 1, 4, True) for device in ("cpu", "cuda"))
    assert cpu.tensor(MAPPED) == Amount(mapped=MAPPED)
    assert cpu.tensor(MAPPED - 1) == Amount(heap=MAPPED - 1)
    assert gpu.tensor(1) == Amount(mapped=1)


def test_a_number_has_two_bytes_in_half_precision() -> None:
    training = TrainingConfig(precision="bf16", freeze_embedding=-1)
    shape = Shape.of(ModelConfig(stem=0), training, 3, 5, "cuda")
    assert shape.states(7).total == 2 * 3 * 5 * 7
    assert not shape.trains_embedding
