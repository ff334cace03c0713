from __future__ import annotations

import time

import pytest
import torch

from pipelines.dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.layout import faster_layout, settle, typical
from training.loading import collate_rows
from training.models.recogniser import Recogniser
from training.models.recurrent import Recurrent
from training.steps import plan_epoch

SMALL = {"embedding": 8, "hidden": 8, "stem": 8}


def model_of(kind: str = "lstm") -> Recogniser:
    torch.manual_seed(0)
    return models.make(ModelConfig.model_validate({"kind": kind, **SMALL}), 67)


def batch_of(dataset: TokenDataset):  # type: ignore[no-untyped-def]
    return collate_rows([dataset[row] for row in range(8)])


def test_the_faster_of_the_two_layouts_is_chosen(train_split: TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of()
    assert isinstance(model.body, Recurrent)
    for slow in ("masked", "packed"):
        honest = Recurrent.forward

        def slowed(body: Recurrent, found, honest=honest, slow=slow):  # type: ignore[no-untyped-def]
            time.sleep(0.1 * (body.layout == slow))
            return honest(body, found)

        with monkeypatch.context() as patched:
            patched.setattr(Recurrent, "forward", slowed)
            assert faster_layout(model, batch_of(train_split)) != slow


def test_measuring_leaves_model_gradients_and_random_numbers_as_they_were(train_split: TokenDataset) -> None:
    model = model_of().eval()
    batch = batch_of(train_split)
    model(batch).sum().backward()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    state = torch.get_rng_state()
    assert faster_layout(model, batch) in {"masked", "packed"}
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(
        torch.equal(gradients[name], value.grad) for name, value in model.named_parameters() if name in gradients
    )
    assert not model.training
    assert isinstance(model.body, Recurrent)
    assert model.body.layout == "masked"


@pytest.mark.parametrize(("wanted", "found"), [("masked", "masked"), ("packed", "packed"), ("auto", "masked")])
def test_a_layout_asked_for_is_set_and_a_cpu_takes_masked(train_split: TokenDataset, wanted: str, found: str) -> None:
    model = model_of("gru")
    assert settle(model, wanted, batch_of(train_split)) == found  # type: ignore[arg-type]
    assert isinstance(model.body, Recurrent)
    assert model.body.layout == found


def test_a_transformer_has_no_layout_to_choose(train_split: TokenDataset) -> None:
    assert settle(model_of("transformer"), "packed", batch_of(train_split)) is None


def test_a_typical_batch_is_of_the_median_step(train_split: TokenDataset) -> None:
    batch = typical(train_split, TrainingConfig(batch=16))
    steps = plan_epoch(train_split.lengths, 16, seed=0, epoch=0)
    longest = sorted(int(train_split.lengths[rows].max()) for rows in steps)
    assert batch.longest == longest[len(longest) // 2]
    assert len(batch.counts) == 16
