from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig, TrainingConfig
from training.memory.plan import DeviceMemory, MemoryPlanner
from training.memory.work import filling_batch, operations_per_token, peak_of

GIB = 2**30


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer"])
def test_every_weight_but_those_of_token_vectors_is_used_once_at_each_position(kind: str) -> None:
    model = ModelConfig.model_validate({"kind": kind, "hidden": 256, "stem_stride": 2})
    network = models.make(model, Tokenizer(3, 1, "anchor").vocabulary_size)
    weights = sum(weight.numel() for weight in network.parameters()) - network.embedding.weight.numel()
    assert operations_per_token(model, TrainingConfig(), 1000) == pytest.approx(6 * weights / 2, rel=0.03)


def test_weights_shared_between_the_strands_are_used_for_both() -> None:
    shared = ModelConfig(hidden=256, strands="equivariant")
    once = sum(weight.numel() for name, weight in models.make(shared, 67).named_parameters() if "embedding" not in name)
    assert operations_per_token(shared, TrainingConfig(), 1000) == pytest.approx(2 * 6 * once / 2, rel=0.03)


def test_gene_structure_is_not_counted() -> None:
    assert operations_per_token(ModelConfig(), TrainingConfig(), 1000, "structure") is None


@pytest.mark.parametrize(
    ("precision", "tf32", "expected"),
    [("bf16", None, 989e12), ("fp32", None, 494e12), ("fp32", False, 67e12), ("fp32", True, 494e12)],
)
def test_the_peak_of_a_known_gpu_is_that_of_its_precision(precision: str, tf32: bool | None, expected: float) -> None:
    assert peak_of("NVIDIA H200", precision, tf32) == expected
    assert peak_of("NVIDIA GeForce 256", precision, tf32) is None


def test_the_batch_that_fills_a_gpu_fits_and_twice_of_it_does_not() -> None:
    lengths = np.full(1000, 512, dtype=np.int64)
    device = DeviceMemory("cuda", 8 * GIB, is_local=False, workers=1)
    planner = MemoryPlanner(ModelConfig(), TrainingConfig(), lengths, 67, device)
    rows = filling_batch(planner)
    assert rows > 64
    for factor, fits in ((1, True), (2, False)):
        training = TrainingConfig(global_batch_size=factor * rows)
        assert (replace(planner, training=training).plan().token_budget >= factor * rows * 512) is fits
    larger = replace(planner, device=replace(planner.device, size=32 * GIB))
    assert filling_batch(larger) > rows
