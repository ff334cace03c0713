from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipelines.errors import UsageError
from pipelines.tokens.tokenizer import Tokenizer
from tests.hypothesis_profiles import examples
from tests.training.data.test_strands import batch_of, opposite
from training import models, networks
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.memory.formula import Work, estimate
from training.models.paired.equivariant import EquivariantRecogniser
from training.tasks import Task

SMALL = ModelConfig(embedding=8, hidden=8, stem=8, layers=2, heads=2, dropout=0.1, strands="equivariant")
KINDS = ["lstm", "gru", "transformer", "cnn"]
POOLINGS = ["mean", "max", "last", "mean+max", "attention"]
SEQUENCES = st.lists(st.text("ACGTN", min_size=1, max_size=60), min_size=1, max_size=5)
LETTERS = ["ACGTTGCAAGGTC" * 4, "GGGTTACA", "AC", "ACGTNNNACGATCGATCGAGGGATA"]

configurations = st.builds(
    lambda **keys: SMALL.model_copy(update=keys),
    kind=st.sampled_from(KINDS),
    pooling=st.sampled_from(POOLINGS),
    stem=st.sampled_from([0, 8]),
    stem_stride=st.integers(1, 5),
    stem_width=st.sampled_from([1, 3, 9]),
    frames=st.sampled_from([1, 2, 3]),
    window=st.sampled_from([0, 3]),
    outputs=st.sampled_from([None, 3]),
)


def logits_of(model: nn.Module, batch: TokenBatch) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = model.eval()(batch)
    return logits


@examples(60)
@given(configurations, SEQUENCES, st.integers(1, 6))
def test_a_sequence_and_its_reverse_complement_have_the_same_logits_alone_and_in_a_batch(
    config: ModelConfig, sequences: list[str], k: int
) -> None:
    tokenizer = Tokenizer(k, 1, "anchor")
    model = models.fresh(config, tokenizer, 0)
    logits = logits_of(model, batch_of(tokenizer, sequences))
    turned = logits_of(model, batch_of(tokenizer, [opposite(letters) for letters in sequences]))
    torch.testing.assert_close(turned, logits, rtol=1e-5, atol=1e-5)
    alone = torch.cat([logits_of(model, batch_of(tokenizer, [letters])) for letters in sequences])
    torch.testing.assert_close(alone, logits, rtol=1e-5, atol=1e-5)


def test_the_reversed_sequence_and_the_complement_alone_have_other_logits() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    model = models.fresh(SMALL, tokenizer, 0)
    logits = logits_of(model, batch_of(tokenizer, LETTERS[:1]))
    for other in (LETTERS[0][::-1], opposite(LETTERS[0])[::-1]):
        assert (logits_of(model, batch_of(tokenizer, [other])) - logits).abs() > 1e-4


def read_by_torch(model: EquivariantRecogniser, tokenizer: Tokenizer, letters: str) -> Tensor:
    """The logit of one sequence by LSTMs of torch on both strands, all with the weights of the model."""
    config, complements = model.config, tokenizer.reverse_complements.astype(np.int64)
    ids = {
        False: tokenizer.encode(letters).astype(np.int64),
        True: tokenizer.encode(opposite(letters)).astype(np.int64),
    }
    table = model.embedding.weight
    reading = {
        turned: torch.cat([table[torch.from_numpy(own)], table[torch.from_numpy(complements[own])]], 1)
        for turned, own in ids.items()
    }
    for cell in model.body.layers:
        # A direction reads a strand from its start; the other direction of the strand is that of its complement.
        tied = nn.LSTM(cell.input_size, config.hidden)
        tied.load_state_dict(cell.state_dict())
        states = {turned: tied(vectors.unsqueeze(1))[0].squeeze(1) for turned, vectors in reading.items()}
        reading = {turned: torch.cat([states[turned], states[not turned].flip(0)], 1) for turned in states}
    pooled = []
    for strand in (False, True):
        own = reading[strand][:, : config.hidden]
        pooled.append(torch.cat([own.mean(0), own.amax(0)]))
    both = torch.stack(pooled)
    return model.head(torch.cat([both.mean(0), both.amax(0)]))


@pytest.mark.parametrize("letters", LETTERS)
def test_recurrent_layers_are_those_of_torch_with_tied_weights_on_both_strands(letters: str) -> None:
    tokenizer = Tokenizer(4, 1, "anchor")
    model = models.fresh(SMALL.model_copy(update={"stem": 0}), tokenizer, 3).eval()
    assert isinstance(model, EquivariantRecogniser)
    with torch.inference_mode():
        expected = read_by_torch(model, tokenizer, letters)
    torch.testing.assert_close(logits_of(model, batch_of(tokenizer, [letters])), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_depend_neither_on_the_strand_nor_on_how_rows_are_batched(kind: str) -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    model = models.fresh(SMALL.model_copy(update={"kind": kind}), tokenizer, 0).eval()

    def gradient(batches: list[list[str]]) -> Tensor:
        model.zero_grad()
        for sequences in batches:
            model(batch_of(tokenizer, sequences)).sum().backward()
        return torch.cat([weight.grad.reshape(-1) for weight in model.parameters() if weight.grad is not None])

    whole = gradient([LETTERS])
    torch.testing.assert_close(gradient([[letters] for letters in LETTERS]), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient([[opposite(letters) for letters in LETTERS]]), whole, rtol=1e-4, atol=1e-5)
    assert model.embedding.weight.grad[0].abs().sum() == 0


def test_it_keeps_the_table_of_its_tokenizer() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    loaded, trained = models.make(SMALL, tokenizer.vocabulary_size), models.fresh(SMALL, tokenizer, 0)
    loaded.load_state_dict(trained.state_dict())
    batch = batch_of(tokenizer, LETTERS)
    assert torch.equal(logits_of(loaded, batch), logits_of(trained, batch))


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"absolute_positions": True}, "absolute_positions"),
        ({"bidirectional": False}, "bidirectional"),
        ({"stem_width": 4}, "stem_width"),
        ({"stem": 7}, "stem"),
        ({"hidden": 9, "kind": "cnn"}, "hidden"),
    ],
)
def test_keys_that_tell_the_strands_apart_are_refused_by_name(changed: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"model.{key} .*: ") as caught:
        networks.check(Task(), SMALL.model_copy(update=changed))
    assert caught.value.key == f"model.{key}"
    networks.check(Task(), SMALL)


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "transformer", "bidirectional": False},
        {"kind": "cnn", "bidirectional": False},
        {"kind": "lstm", "hidden": 9},
        {"kind": "gru", "hidden": 9},
        {"kind": "lstm", "stem": 0, "stem_width": 4},
    ],
    ids=str,
)
def test_keys_that_the_kind_does_not_read_may_be_anything(keys: dict[str, Any]) -> None:
    config, tokenizer = SMALL.model_copy(update=keys), Tokenizer(3, 1, "anchor")
    networks.check(Task(), config)
    model = models.fresh(config, tokenizer, 0)
    turned = logits_of(model, batch_of(tokenizer, [opposite(letters) for letters in LETTERS]))
    torch.testing.assert_close(turned, logits_of(model, batch_of(tokenizer, LETTERS)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "stem", "pooling"), itertools.product(KINDS, [0, 24], ["mean+max", "attention"]))
def test_weights_are_planned_as_they_are(kind: str, stem: int, pooling: str) -> None:
    config = ModelConfig(
        kind=kind, embedding=12, hidden=16, layers=2, heads=2, stem=stem, pooling=pooling, strands="equivariant"
    )
    weights = sum(parameter.numel() for parameter in models.make(config, 70).parameters())
    assert estimate(config, TrainingConfig(), 70, Work(32, 1000)).parameters == 4 * weights
