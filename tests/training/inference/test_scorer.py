from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.genome.sequence import base_codes
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig
from training.engine import scoring
from training.inference import scorer
from training.inference.scorer import ModelScorer, to_assigned_gpu


@pytest.fixture(scope="module")
def model_scorer() -> ModelScorer:
    torch.manual_seed(0)
    tokenizer = Tokenizer(3, 1, "anchor")
    model = models.make(ModelConfig(embedding=8, hidden=8, stem=8), tokenizer.vocabulary_size).eval()
    return ModelScorer(model, tokenizer)


def codes_of(*sequences: str) -> tuple[np.ndarray, np.ndarray]:
    codes = base_codes(np.frombuffer("".join(sequences).encode(), np.uint8))
    return codes, np.array([len(sequence) for sequence in sequences])


def test_each_sequence_has_the_probability_that_it_has_alone(model_scorer: ModelScorer) -> None:
    sequences = ["ACGTACGTAC", "GGGTTTNNACG", "TTT"]
    together = model_scorer(*codes_of(*sequences))
    alone = [model_scorer(*codes_of(text))[0] for text in sequences]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert ((together > 0) & (together < 1)).all()


def test_the_token_budget_changes_no_probability(model_scorer: ModelScorer) -> None:
    arguments = codes_of(*["ACGTTGCA" * count for count in range(1, 9)])
    small = replace(model_scorer, token_budget=70)(*arguments)
    np.testing.assert_allclose(small, model_scorer(*arguments), atol=1e-6)


def test_the_default_token_budget_is_that_of_the_device(
    model_scorer: ModelScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = []

    def record(model: object, tokens: object, counts: np.ndarray, budget: int, device: torch.device) -> np.ndarray:
        budgets.append(budget)
        return np.zeros(len(counts))

    monkeypatch.setattr(scorer, "probabilities", record)
    for configured in (
        model_scorer,
        replace(model_scorer, device=torch.device("cuda")),
        replace(model_scorer, token_budget=9),
    ):
        configured(*codes_of("ACGT"))
    assert budgets == [scoring.CPU_TOKENS, scoring.GPU_TOKENS, 9]


def test_without_an_assigned_gpu_a_scorer_stays_where_it_is(model_scorer: ModelScorer) -> None:
    assert to_assigned_gpu(model_scorer, use_gpu=False) is model_scorer
    assert model_scorer.to(torch.device("cpu")).device == torch.device("cpu")


def test_a_gpu_scores_as_many_tokens_at_once_as_its_memory_holds(
    model_scorer: ModelScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = []

    def recorded(model, tokens, counts, budget, device):  # type: ignore[no-untyped-def]
        budgets.append(budget)
        return np.zeros(len(counts))

    monkeypatch.setattr(scorer, "probabilities", recorded)
    for memory in (None, 2**28, 2**37):
        replace(model_scorer, memory=memory)(*codes_of("ACGT" * 100))
    assert budgets[0] == scoring.CPU_TOKENS
    assert budgets[1] < budgets[2]
    replace(model_scorer, memory=2**37, token_budget=77)(*codes_of("ACGT"))
    assert budgets[-1] == 77


@pytest.mark.parametrize("chunk", [1, 12, 10_000])
def test_sequences_that_are_encoded_in_turn_have_the_same_probabilities(model_scorer: ModelScorer, chunk: int) -> None:
    arguments = codes_of("ACGTACGTAC", "GGGTTTNNACG", "TTT", "ACGT" * 9)
    np.testing.assert_allclose(
        model_scorer._score_in_chunks(*arguments, chunk), model_scorer(*arguments), rtol=1e-5, atol=1e-6
    )


def test_chunks_hold_every_sequence_once_and_in_order() -> None:
    codes, lengths = np.arange(100, dtype=np.uint8), np.array([30, 1, 9, 25, 5, 30])
    parts = list(scorer.chunks(codes, lengths, 20))
    assert np.concatenate([part for part, _ in parts]).tolist() == codes.tolist()
    assert [of_part.tolist() for _, of_part in parts] == [[30], [1, 9], [25], [5, 30]]
    assert not list(scorer.chunks(codes[:0], lengths[:0], 20))
