from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.process.determinism import WORKSPACE, set_deterministic, set_tf32

CPU = torch.device("cpu")
POOLINGS = {"lstm": "mean+max", "gru": "last", "transformer": "attention", "cnn": "mean"}


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    torch.use_deterministic_algorithms(False)


def weights(train: TokenDataset, validation: TokenDataset, kind: str, precision: str) -> torch.Tensor:
    """All weights after an epoch with dropout."""
    model = ModelConfig.model_validate(
        {"kind": kind, "pooling": POOLINGS[kind], "embedding": 8, "hidden": 16, "stem": 8, "window": 16}
    )
    config = TrainingConfig.model_validate(
        {"epochs": 1, "global_batch_size": 8, "precision": precision, "deterministic": True}
    )
    state = loop.start(models.fresh(model, train.tokenizer, 0), config)
    loop.fit(state, train, validation, config, Alone(), CPU)
    return torch.cat([tensor.reshape(-1) for tensor in state.model.state_dict().values()])


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", list(POOLINGS))
def test_the_same_run_gives_the_same_bits_and_no_operation_is_refused(
    few: tuple[TokenDataset, TokenDataset], kind: str, precision: str
) -> None:
    set_deterministic(True)
    first, second = (weights(*few, kind, precision) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.usefixtures("_as_before")
def test_it_is_set_for_the_whole_process_only_when_enabled() -> None:
    set_deterministic(False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    set_deterministic(True)
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == WORKSPACE


@pytest.fixture
def _fp32_as_before() -> Iterator[None]:
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [backend.fp32_precision for backend in backends]
    yield
    for backend, precision in zip(backends, before, strict=True):
        backend.fp32_precision = precision


@pytest.mark.usefixtures("_fp32_as_before")
@pytest.mark.parametrize(("enabled", "expected"), [(True, "tf32"), (False, "ieee")])
def test_products_of_fp32_are_rounded_where_that_is_asked_for(enabled: bool, expected: str) -> None:
    set_tf32(enabled)
    assert torch.backends.cuda.matmul.fp32_precision == expected
    assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cudnn.rnn.fp32_precision == expected


def test_without_a_wish_pytorchs_own_choice_stays() -> None:
    before = torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision
    set_tf32(None)
    assert (torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision) == before


def test_tf32_is_no_part_of_a_configuration_that_leaves_it_out() -> None:
    assert "tf32" not in TrainingConfig().document()
    assert TrainingConfig(tf32=True).document()["tf32"] is True
