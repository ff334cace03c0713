"""How many tokens a GPU scores at once: as many as half of its memory holds by the formula, for a GPU needs many rows.

A recurrent layer takes its positions in turn, and only the rows of a batch keep the units of a GPU busy meanwhile.
"""

from __future__ import annotations

from training.config import ModelConfig, TrainingConfig
from training.memory.formula import Work, evaluation

SHARE = 0.5
MOST_TOKENS = 2**23
MOST_NUMBERS = 2**30
"""Numbers of the largest tensor; libraries count them in 32 bits with a sign."""
GATES = 4


def batch_tokens(model: ModelConfig, vocabulary_size: int, longest: int, memory: float, precision: str = "fp32") -> int:
    """Padded tokens in a batch that is scored on a GPU; at least one longest sequence.

    Args:
        model: the architecture.
        vocabulary_size: number of token ids.
        longest: tokens of the longest sequence.
        memory: free bytes of the GPU.
        precision: of the forward pass.
    """
    training = TrainingConfig.model_validate({"precision": precision})
    widest = max(GATES * model.hidden, model.stem, model.embedding)
    tokens = min(MOST_TOKENS, MOST_NUMBERS // widest)

    def needed(tokens: int) -> int:
        rows = max(1, tokens // longest)
        return evaluation(model, training, vocabulary_size, Work(rows, longest, "cuda"))

    while tokens > longest and needed(tokens) > SHARE * memory:
        tokens //= 2
    return max(tokens, longest)
