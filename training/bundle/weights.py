"""Reads a model from a file of weights, whose names, types and shapes are first compared with the architecture.

The file is safetensors, which holds numbers and no code. Reading takes twice the memory of the weights for a moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pipelines.errors import BundleError
from training import networks
from training.bundle.description import parameters
from training.bundle.digests import RESTORE
from training.config import ModelConfig
from training.model_registry import MODULES_VARIABLE, UNKNOWN_KIND
from training.tasks import Task

DTYPE = "F32"
RECOGNITION = Task()


def architecture(described: object, shown: str) -> ModelConfig:
    """The validated architecture of a model.

    Args:
        described: `model` of a bundle's configuration.
        shown: the file's name in errors.

    Raises:
        BundleError: an unknown key, or a value out of range.
    """
    try:
        return ModelConfig.model_validate(described)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("model", *first["loc"])))
        if first["type"] == "extra_forbidden":
            raise BundleError(f"{shown}: {key}: unknown key", "update raygene", code="newer") from error
        if first["type"] == UNKNOWN_KIND:
            # A bundle's text never decides what is imported: that would execute code.
            fix = f"update raygene, or name the module that registers it in {MODULES_VARIABLE}"
            raise BundleError(f"{shown}: {key}: {first['msg']}", fix) from error
        raise BundleError(f"{shown}: {key}: {first['msg']}", RESTORE) from error


def count_parameters(config: ModelConfig, vocabulary_size: int, task: Task = RECOGNITION) -> int:
    """Number of parameters of a model. Nothing is allocated; it costs a few milliseconds.

    Args:
        config: the architecture.
        vocabulary_size: number of token ids.
        task: of the model.
    """
    with torch.device("meta"), _Undrawn():
        return parameters(networks.make(task, config, vocabulary_size))


def read(path: Path, config: ModelConfig, vocabulary_size: int, shown: str, task: Task = RECOGNITION) -> nn.Module:
    """Read the model whose weights a file holds, to the CPU. PyTorch's random state stays as it was.

    Args:
        path: the file.
        config: the architecture.
        vocabulary_size: number of token ids.
        shown: the file's name in errors.
        task: of the model.

    Raises:
        BundleError: not safetensors, or a weight that is missing, not of the model, of another type or shape, or not a
            number.
    """
    with torch.device("meta"), _Undrawn():
        expected = networks.make(task, config, vocabulary_size).state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            stored = {name: _type_and_shape(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118
            _require_same(stored, expected, shown)
            tensors = {name: file.get_tensor(name) for name in expected}
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BundleError(f"{shown}: cannot be loaded ({reason})", RESTORE) from error
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise BundleError(f"{shown}: {name} holds values that are no numbers", RESTORE)
    with torch.random.fork_rng(devices=[]):
        model = networks.make(task, config, vocabulary_size)
    model.load_state_dict(tensors)
    return model


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of weights that hold no numbers, for which torch would import its compiler: 1.5 s."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


def _type_and_shape(part: object) -> tuple[str, tuple[int, ...]]:
    return part.get_dtype(), tuple(part.get_shape())  # type: ignore[attr-defined]


def _require_same(stored: dict[str, tuple[str, tuple[int, ...]]], expected: dict[str, Tensor], shown: str) -> None:
    if missing := expected.keys() - stored.keys():
        raise BundleError(f"{shown}: {min(missing)} is missing", RESTORE)
    if extra := stored.keys() - expected.keys():
        raise BundleError(f"{shown}: {min(extra)[:80]} is not a weight of the model", RESTORE)
    for name, tensor in expected.items():
        dtype, shape = stored[name]
        if (dtype, shape) != (DTYPE, tuple(tensor.shape)):
            raise BundleError(
                f"{shown}: {name} is {dtype} of shape {shape}, not {DTYPE} of shape {tuple(tensor.shape)}", RESTORE
            )
