from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from pipelines.genome import sequence
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch, collate
from training.data.strands import RandomStrands, require_symmetric
from training.engine.objectives.recognition import Recognition

SEQUENCES = st.lists(st.text("ACGTN", min_size=1, max_size=40), min_size=1, max_size=6)
SMALL = ModelConfig(embedding=8, hidden=8, stem=8, dropout=0.0, strands="averaged")


def opposite(letters: str) -> str:
    return sequence.reverse_complement(np.frombuffer(letters.encode(), np.uint8)).tobytes().decode()


def batch_of(tokenizer: Tokenizer, sequences: list[str], turned: list[bool] | None = None) -> TokenBatch:
    tokens = [tokenizer.encode(letters) for letters in sequences]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in tokens])])
    labels, rows = np.arange(len(sequences)) % 2, np.arange(len(sequences))
    choice = None if turned is None else np.array(turned)
    return collate(np.concatenate(tokens), offsets, labels, rows, choice, tokenizer.reverse_complements)


@given(SEQUENCES, st.integers(1, 6), st.data())
def test_a_turned_row_has_the_tokens_of_its_reverse_complement(sequences: list[str], k: int, data: Any) -> None:
    tokenizer = Tokenizer(k, 1, "anchor")
    turned = data.draw(st.lists(st.booleans(), min_size=len(sequences), max_size=len(sequences)))
    read = [opposite(letters) if turn else letters for letters, turn in zip(sequences, turned, strict=True)]
    batch, expected = batch_of(tokenizer, sequences, turned), batch_of(tokenizer, read)
    assert torch.equal(batch.tokens, expected.tokens)
    assert torch.equal(batch.labels, expected.labels)


@given(SEQUENCES, st.integers(1, 6))
def test_the_reverse_complement_of_a_batch_is_that_of_each_row(sequences: list[str], k: int) -> None:
    tokenizer = Tokenizer(k, 1, "anchor")
    complements = torch.from_numpy(tokenizer.reverse_complements.astype(np.int64))
    turned = batch_of(tokenizer, sequences).reverse_complement(complements)
    expected = batch_of(tokenizer, [opposite(letters) for letters in sequences])
    assert torch.equal(turned.padded(), expected.padded())
    assert turned.counts.tolist() == expected.counts.tolist()


def test_what_a_row_is_depends_on_seed_and_epoch_alone() -> None:
    complements = Tokenizer(3, 1, "anchor").reverse_complements
    drawn = RandomStrands(1000, 7, complements)
    first, second = drawn.turned(0), drawn.turned(1)
    assert 400 < first.sum() < 600
    assert (first != second).any()
    assert np.array_equal(RandomStrands(1000, 7, complements).turned(1), second)
    assert np.array_equal(drawn.turned(0), first)
    assert (RandomStrands(1000, 8, complements).turned(0) != first).any()


def test_training_reads_half_of_the_rows_on_their_other_strand(train_split: TokenDataset) -> None:
    objective = Recognition(TrainingConfig(reverse_complement=True), train_split)
    rows = np.arange(len(train_split))
    stored = collate(train_split.tokens, train_split.offsets, train_split.labels, rows).padded()
    differs = (objective.collate(train_split, 0, rows).padded() != stored).any(1).float().mean()
    assert 0.3 < differs < 0.7
    apart = [objective.collate(train_split, 0, rows[:50]), objective.collate(train_split, 0, rows[50:])]
    assert torch.equal(torch.cat([part.tokens for part in apart]), objective.collate(train_split, 0, rows).tokens)


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer", "cnn"])
def test_a_model_of_both_strands_gives_a_sequence_and_its_reverse_complement_the_same_logit(kind: str) -> None:
    tokenizer, letters = Tokenizer(4, 1, "anchor"), ["ACGTTGCAAGGTC" * 4, "GGGTTACA", "AC"]
    model = models.fresh(SMALL.model_copy(update={"kind": kind}), tokenizer, 0).eval()
    with torch.inference_mode():
        logits = model(batch_of(tokenizer, letters))
        torch.testing.assert_close(model(batch_of(tokenizer, [*map(opposite, letters)])), logits)
        one = models.fresh(SMALL.model_copy(update={"kind": kind, "strands": "single"}), tokenizer, 0).eval()
        both = one(batch_of(tokenizer, letters)) + one(batch_of(tokenizer, [*map(opposite, letters)]))
    torch.testing.assert_close(logits, both / 2)


def test_a_row_whose_strand_was_drawn_is_read_on_that_alone() -> None:
    tokenizer, letters = Tokenizer(3, 1, "anchor"), ["ACGTTGCAAGGTC", "GGGTTACA"]
    both = models.fresh(SMALL, tokenizer, 0).eval()
    one = models.fresh(replace_strands(SMALL), tokenizer, 0).eval()
    drawn = batch_of(tokenizer, letters, [True, False])
    with torch.inference_mode():
        assert torch.equal(both(drawn), one(batch_of(tokenizer, [opposite(letters[0]), letters[1]])))
        assert not torch.equal(both(drawn), both(batch_of(tokenizer, letters)))


def test_a_model_of_both_strands_keeps_the_table_of_its_tokenizer() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    loaded = models.make(SMALL, tokenizer.vocabulary_size)
    loaded.load_state_dict(models.fresh(SMALL, tokenizer, 0).state_dict())
    assert loaded.reverse_complements.tolist() == tokenizer.reverse_complements.tolist()


@pytest.mark.parametrize(
    ("stride", "kinds", "reason"),
    [(2, ["shuffle"], "tokens every 2 bases"), (1, ["shuffle", "antisense"], "antisense negatives")],
)
@pytest.mark.parametrize("key", ["training.reverse_complement", "model.strands"])
def test_where_strands_cannot_be_alike_the_key_is_refused(
    train_split: TokenDataset, stride: int, kinds: list[str], reason: str, key: str
) -> None:
    config: Any = train_split.manifest["config"] | {"negatives": {"kinds": kinds}}
    split: Any = SimpleNamespace(
        tokenizer=Tokenizer(3, stride, "anchor"), manifest=train_split.manifest | {"config": config}
    )
    of_key = {"model.strands": ["averaged", "equivariant"], "training.reverse_complement": ["single"]}[key]
    training = TrainingConfig(reverse_complement=key.startswith("training") or None)
    for strands in of_key:
        with pytest.raises(UsageError, match=reason) as caught:
            require_symmetric(SMALL.model_copy(update={"strands": strands}), training, split)
        assert caught.value.key == key
    require_symmetric(replace_strands(SMALL), TrainingConfig(), split)


def replace_strands(config: ModelConfig) -> ModelConfig:
    return config.model_copy(update={"strands": "single"})
