from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.tokens.vocabulary import PAD
from training.structure.token_convolution import LARGEST_TABLE, TokenConvolution, uses_table


def embedding(ids: int) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(ids, 6, padding_idx=PAD)


@pytest.mark.parametrize(("kernel", "bases"), [(1, 5), (9, 40), (9, 3), (15, 20)])
def test_the_table_gives_what_the_convolution_gives_and_the_same_gradients(kernel: int, bases: int) -> None:
    vectors = embedding(67)
    convolution = TokenConvolution(6, 4, kernel)
    with torch.no_grad():
        convolution.convolution.bias.normal_()
    tokens = torch.from_numpy(np.random.default_rng(1).integers(PAD, 67, (3, bases)))
    directions = torch.randn(3, bases, 4)

    def outcome(slow: bool) -> list[torch.Tensor]:
        convolution.zero_grad()
        vectors.zero_grad()
        out = convolution.convolution(vectors(tokens)) if slow else convolution(tokens, vectors(torch.arange(67)))
        (out * directions).sum().backward()
        gradients = [weight.grad for weight in (*convolution.parameters(), *vectors.parameters())]
        return [out, *(gradient.clone() for gradient in gradients if gradient is not None)]

    for fast, slow in zip(outcome(slow=False), outcome(slow=True), strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)


def test_a_large_vocabulary_is_multiplied() -> None:
    vectors = embedding(LARGEST_TABLE + 1)
    convolution = TokenConvolution(6, 4, 9)
    tokens = torch.randint(3, LARGEST_TABLE, (2, 30))
    assert not uses_table("cpu", LARGEST_TABLE + 1)
    torch.testing.assert_close(convolution(tokens, vectors.weight), convolution.convolution(vectors(tokens)))


def test_frozen_vectors_take_no_gradient() -> None:
    vectors = embedding(67)
    vectors.weight.requires_grad_(False)
    convolution = TokenConvolution(6, 4, 9)
    convolution(torch.randint(3, 67, (2, 30)), vectors.weight).sum().backward()
    assert vectors.weight.grad is None
    assert convolution.convolution.weight.grad is not None
