from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipelines.errors import BundleError
from tests.training import small_structure
from training import models
from training.bundle import weights
from training.config import ModelConfig

ROOT = Path(__file__).parents[3]
CONFIG = ModelConfig(embedding=8, hidden=8, stem=8)
Tensors = dict[str, Tensor]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(models.make(CONFIG, 67).state_dict(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        weights.read(path, CONFIG, 67, "model.safetensors")
    assert "\n" not in str(caught.value)
    assert "model.safetensors: " in str(caught.value)
    return str(caught.value)


def put(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: value(tensors[name])}


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer", "cnn"])
@pytest.mark.parametrize("options", [{}, {"frames": 3, "absolute_positions": True, "pooling": "attention", "stem": 0}])
def test_every_kind_of_model_is_read_back(kind: str, options: dict[str, object], tmp_path: Path) -> None:
    config = ModelConfig.model_validate({"kind": kind, "embedding": 8, "hidden": 8, **options})
    state = models.make(config, 67).state_dict()
    save_file(state, tmp_path / "w")
    loaded = weights.read(tmp_path / "w", config, 67, "w").state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert not any(buffer.is_meta for buffer in weights.read(tmp_path / "w", config, 67, "w").buffers())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: {name: tensors[name] for name in tensors if name != "head.bias"}, "head.bias is missing"),
        (lambda tensors: tensors | {"more": torch.zeros(2)}, "more is not a weight of the model"),
        (put("head.bias", Tensor.half), "head.bias is F16 of shape (1,), not F32 of shape (1,)"),
        (put("head.bias", Tensor.long), "head.bias is I64 of shape (1,)"),
        (
            put("head.weight", lambda weight: weight.T.contiguous()),
            "head.weight is F32 of shape (32, 1), not F32 of shape (1, 32)",
        ),
        (put("head.bias", lambda weight: weight * torch.nan), "head.bias holds values that are no numbers"),
        (put("embedding.weight", lambda weight: weight / 0), "embedding.weight holds values that are no numbers"),
    ],
)
def test_weights_that_are_not_the_models_are_refused_by_name(
    path: Path, change: Callable[[Tensors], Tensors], message: str
) -> None:
    save_file(change(load_file(path)), path)
    assert message in refusal(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:7],
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: struct.pack("<Q", 1 << 60) + content[8:],
        lambda content: struct.pack("<Q", 100_000_001) + content[8:],
        lambda content: struct.pack("<Q", 20) + content[8:],
        lambda content: b"\x02\0\0\0\0\0\0\0{}",
    ],
)
def test_a_file_that_is_not_whole_is_refused(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path.write_bytes(spoil(path.read_bytes()))
    refusal(path)


def test_a_missing_file_is_refused(path: Path) -> None:
    path.unlink()
    assert "cannot be loaded" in refusal(path)


def test_a_model_too_large_for_memory_is_not_allocated(path: Path) -> None:
    """Its 48 layers of 4096 in two directions would take 38 GiB."""
    config = ModelConfig(embedding=1024, hidden=4096, stem=1024, layers=48)
    with pytest.raises(BundleError, match="is missing"):
        weights.read(path, config, 67, "model.safetensors")
    with pytest.raises(BundleError, match="of shape"):
        weights.read(path, ModelConfig(embedding=8, hidden=4096, stem=8), 67, "model.safetensors")


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer", "cnn"])
def test_parameters_are_counted_without_allocating_the_model(kind: str) -> None:
    config = CONFIG.model_copy(update={"kind": kind, "layers": 2, "pooling": "attention", "absolute_positions": True})
    state = torch.get_rng_state()
    expected = sum(parameter.numel() for parameter in models.make(config, 67).parameters())
    assert weights.count_parameters(config, 67) == expected
    torch.set_rng_state(state)
    weights.count_parameters(config, 67)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.full
def test_loading_a_bundle_leaves_the_compiler_of_torch_alone(tmp_path: Path) -> None:
    folder = small_structure.saved(tmp_path / "bundle")
    program = f"import sys; from training import load; load({str(folder)!r}); print('torch._dynamo' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "False"
