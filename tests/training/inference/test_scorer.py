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
