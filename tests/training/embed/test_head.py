from __future__ import annotations

import numpy as np
import torch

from training.embed import head


def test_vectors_without_information_leave_the_most_frequent_kmer() -> None:
    generator = np.random.default_rng(6)
    contexts, hidden = generator.integers(3, 19, (3_000, 4)), generator.choice([3, 4], 3_000, p=[0.2, 0.8])
    fitted = head.fit(torch.ones(19, 4), contexts, hidden, 0, lambda: None)
    assert (fitted.predict(contexts) == 4).all()


def test_a_head_on_distinct_vectors_learns_which_kmer_follows() -> None:
    vectors = torch.randn(19, 8, generator=torch.Generator().manual_seed(0))
    contexts = np.random.default_rng(0).integers(3, 19, (20_000, 1))
    following = 3 + (contexts[:, 0] + 1) % 16
    fitted = head.fit(vectors, contexts, following, 0, lambda: None)
    assert (fitted.predict(contexts) == following).mean() > 0.5


def test_no_positions_have_no_predictions() -> None:
    fitted = head.fit(torch.ones(19, 4), np.array([[3, 4]]), np.array([5]), 0, lambda: None)
    assert fitted.predict(np.empty((0, 2), np.int64)).shape == (0,)


def test_standardised_vectors_are_centred_and_specials_are_zero() -> None:
    vectors = torch.randn(19, 4, generator=torch.Generator().manual_seed(1)) * 5 + 2
    standardised = head.standardise(vectors)
    torch.testing.assert_close(standardised[3:].mean(dim=0), torch.zeros(4), rtol=0, atol=1e-5)
    assert (standardised[:3] == 0).all()
