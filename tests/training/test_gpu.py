"""Tests that need a GPU, NVIDIA or AMD. `python benchmarks/gpu.py` runs them and prints a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch, collate
from training.data.feed import feed
from training.data.step_plan import plan_epoch
from training.distributed.train import train
from training.engine import loop
from training.engine.collective import Alone
from training.engine.observer import Observer, Phase
from training.engine.precision import TYPES
from training.engine.process.determinism import set_deterministic
from training.engine.scoring import probabilities
from training.hardware import devices
from training.hardware.gpus import build, hardware
from training.models.attention import Packed, Padded
from training.models.positions import Positions
from training.models.recurrent import Layout, Recurrent, cells
from training.models.recurrent.cells import CELLS
from training.models.transformer import Transformer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that this torch can use"),
]
SMALL = {"embedding": 8, "hidden": 16, "stem": 8, "dropout": 0.0}
KINDS = ("lstm", "gru", "transformer")
HALF = ("bf16", "fp16")


@pytest.fixture
def gpu() -> torch.device:
    return torch.device("cuda", 0)


def positions(device: torch.device, lengths: list[int], width: int = 16) -> Positions:
    lengths_tensor = torch.tensor(lengths)
    mask = torch.arange(max(lengths)) < lengths_tensor[:, None]
    states = torch.randn(*mask.shape, width, generator=torch.Generator().manual_seed(1)) * mask[..., None]
    return Positions(states.to(device), mask.to(device), lengths_tensor.to(device), np.array(lengths))


def batch_of(split: TokenDataset, rows: int = 24) -> TokenBatch:
    order = np.argsort(-split.lengths, kind="stable")[:rows]
    return collate(split.tokens, split.offsets, split.labels, order)


def curve(
    split: TokenDataset,
    scored: TokenDataset,
    device: torch.device,
    model: dict[str, object],
    observer: Observer | None = None,
    **keys: object,
) -> list[float]:
    """Losses of three epochs, on train and validation by turns."""
    config = TrainingConfig.model_validate({"epochs": 3, "global_batch_size": 16, **keys})
    network = models.fresh(ModelConfig.model_validate({**SMALL, **model}), split.tokenizer, 0).to(device)
    state = loop.start(network, config, device)
    loop.fit(state, split, scored, config, Alone(), device, observer)
    return [record[name] for record in state.records for name in ("loss", "validation_loss")]


@pytest.fixture
def deterministic() -> Iterator[None]:
    set_deterministic(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_the_drivers_files_and_torch_agree_that_there_is_a_gpu(gpu: torch.device) -> None:
    assert hardware()
    assert build().usable
    assert devices.require("auto") == "cuda"
    devices.check_computes(gpu)


@pytest.mark.parametrize("window", [0, 7])
@pytest.mark.parametrize("half", HALF)
def test_attention_without_padding_equals_the_padded_one(gpu: torch.device, half: str, window: int) -> None:
    sequences = positions(gpu, [70, 33, 1])
    packed, padded = Packed(sequences, window), Padded(sequences, window)
    queries_keys_values = [torch.randn(*sequences.mask.shape, 4, 16, device=gpu, dtype=TYPES[half]) for _ in range(3)]
    if not Packed.is_available(queries_keys_values[0], 16):
        pytest.skip("this GPU has no attention without padding in half precision: the padded one is used")
    in_half = [tensor.clone().requires_grad_() for tensor in queries_keys_values]
    in_fp32 = [tensor.float().requires_grad_() for tensor in queries_keys_values]
    flat = [tensor.flatten(0, 1)[sequences.mask.flatten()] for tensor in in_half]
    attended, expected = packed.attend(*flat), padded.attend(*in_fp32)[sequences.mask]
    torch.testing.assert_close(attended.float(), expected, rtol=0.02, atol=0.02)
    weights = torch.randn_like(expected)
    (attended.float() * weights).sum().backward()
    (expected * weights).sum().backward()
    for tensor, oracle in zip(in_half, in_fp32, strict=True):
        gradient, oracle_gradient = tensor.grad[sequences.mask].float(), oracle.grad[sequences.mask]
        torch.testing.assert_close(gradient, oracle_gradient, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("hidden", [64, 24])
@pytest.mark.parametrize("half", HALF)
def test_the_transformer_gives_the_same_with_and_without_padding(gpu: torch.device, half: str, hidden: int) -> None:
    torch.manual_seed(0)
    model = Transformer(ModelConfig(kind="transformer", hidden=hidden), 16).to(gpu).eval()
    sequences = positions(gpu, [70, 33, 1])
    with torch.inference_mode():
        expected = model(sequences).states * sequences.mask[..., None]
        with torch.autocast("cuda", TYPES[half]):
            states = model(sequences).states * sequences.mask[..., None]
    torch.testing.assert_close(states.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_either_layout_equals_a_bidirectional_network_on_packed_sequences(
    gpu: torch.device, kind: str, layout: Layout
) -> None:
    torch.manual_seed(0)
    body = Recurrent(ModelConfig.model_validate({"kind": kind, "hidden": 8}), 16).to(gpu)
    body.layout = layout
    oracle = CELLS[kind](16, 8, bidirectional=True, batch_first=True).to(gpu)
    for name, value in body.named_parameters():
        _, _, direction, own = name.split(".")
        getattr(oracle, own if direction == "ahead" else f"{own}_reverse").data.copy_(value.data)
    sequences = positions(gpu, [70, 33, 1])
    packed, _ = oracle(pack_padded_sequence(sequences.states, sequences.lengths.cpu(), batch_first=True))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    states = body(sequences).states * sequences.mask[..., None]
    torch.testing.assert_close(states, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_gets_the_same_logit_on_gpu_and_cpu(gpu: torch.device, train_split: TokenDataset, kind: str) -> None:
    model = models.fresh(ModelConfig.model_validate({**SMALL, "kind": kind}), train_split.tokenizer, 0).eval()
    batch = batch_of(train_split)
    with torch.inference_mode():
        expected = model(batch)
        torch.testing.assert_close(model.to(gpu)(batch.to(gpu)).cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_is_that_of_the_cpu(
    gpu: torch.device, train_split: TokenDataset, validation_split: TokenDataset, kind: str
) -> None:
    on_gpu = curve(train_split, validation_split, gpu, {"kind": kind})
    np.testing.assert_allclose(
        on_gpu, curve(train_split, validation_split, torch.device("cpu"), {"kind": kind}), rtol=5e-3
    )


@pytest.mark.parametrize(("kind", "half"), itertools.product(KINDS, HALF))
def test_half_precision_gives_nearly_the_curve_of_fp32(
    gpu: torch.device, train_split: TokenDataset, validation_split: TokenDataset, kind: str, half: str
) -> None:
    in_fp32 = curve(train_split, validation_split, gpu, {"kind": kind}, precision="fp32")
    in_half = curve(train_split, validation_split, gpu, {"kind": kind}, precision=half)
    np.testing.assert_allclose(in_half, in_fp32, rtol=0.05)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bf16_stays_bf16_in_recurrent_layers_or_becomes_fp32(gpu: torch.device, kind: str) -> None:
    cell = CELLS[kind](16, 16).to(gpu)
    with torch.no_grad():
        cell.bias_ih_l0.fill_(1e5)
    with torch.autocast("cuda", torch.bfloat16):
        output = cells.run(cell, torch.zeros(4, 3, 16, device=gpu))
    assert output.dtype == torch.bfloat16
    assert output.isfinite().all(), "1e5 is no number in fp16"


def test_probabilities_in_large_batches_are_those_of_small_ones(gpu: torch.device, train_split: TokenDataset) -> None:
    model = models.fresh(ModelConfig.model_validate(SMALL), train_split.tokenizer, 0).to(gpu)
    few, many = (
        probabilities(model, train_split.tokens, train_split.lengths, budget, gpu) for budget in (4_096, 1 << 20)
    )
    np.testing.assert_allclose(few, many, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("kind", KINDS)
def test_deterministic_training_gives_the_same_bits_again(
    gpu: torch.device, train_split: TokenDataset, validation_split: TokenDataset, kind: str
) -> None:
    first, second = (curve(train_split, validation_split, gpu, {"kind": kind}, deterministic=True) for _ in range(2))
    assert first == second


def test_batches_are_in_pinned_memory(gpu: torch.device, train_split: TokenDataset) -> None:
    steps = list(enumerate(plan_epoch(train_split.lengths, 16, 0, 0)))
    with feed(train_split, steps, 65_536, 1, 0, gpu) as batches:
        assert all(part.tokens.is_pinned() for step in batches for part in step.parts)


class ForbidsWaiting(Observer):
    """Makes it an error that the host waits for the GPU within the phases of a step; the first steps may."""

    def __init__(self) -> None:
        self.steps = 0

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        self.steps += name == "optimizer"
        torch.cuda.set_sync_debug_mode("error" if self.steps >= 3 else "default")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(("kind", "precision"), itertools.product(KINDS, ("fp32", "bf16")))
def test_nothing_of_a_step_waits_for_the_gpu(
    gpu: torch.device, train_split: TokenDataset, validation_split: TokenDataset, kind: str, precision: str
) -> None:
    observer = ForbidsWaiting()
    curve(train_split, validation_split, gpu, {"kind": kind}, observer, precision=precision)
    assert observer.steps > 3


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_follow_the_curve_of_one(dataset: Path, tmp_path: Path) -> None:
    model = ModelConfig.model_validate(SMALL)
    curves = []
    for workers in (1, 2):
        config = TrainingConfig(epochs=3, global_batch_size=16, workers=workers, device="cuda")
        bundle = train(model, config, dataset, tmp_path / str(workers), Silent(), {})
        curves.append([record["loss"] for record in bundle.config["records"]])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)
