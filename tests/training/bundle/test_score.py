from __future__ import annotations

import numpy as np
import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError, InputError, UsageError
from tests.training.small_bundle import small_bundle
from training.bundle.bundle import Bundle
from training.data.loading import collate_rows


@pytest.fixture(scope="module")
def bundle(train_split: TokenDataset) -> Bundle:
    return small_bundle(train_split)


def test_scores_are_the_models_probabilities_of_each_sequence_alone(bundle: Bundle) -> None:
    import torch

    sequences = ["ATGGCGTGCAAGTAA", "acgtnnacgt", "GGG" * 50, "AC"]
    scores = bundle.score(sequences)
    with torch.inference_mode():
        alone = [torch.sigmoid(bundle.model(collate_rows([(bundle.tokenizer.encode(s), 0)]))).item() for s in sequences]
    np.testing.assert_allclose(scores, alone, atol=1e-6)
    np.testing.assert_allclose(bundle.score(iter(sequences), token_budget=5), alone, atol=1e-6)


def test_no_sequence_has_no_score(bundle: Bundle) -> None:
    assert bundle.score([]).shape == (0,)


@pytest.mark.parametrize(
    ("sequence", "problem"),
    [("", "sequence 1: empty"), ("AC-T", "'-' at position 2"), ("ACGT\n", "at position 4"), ("ACé", "at position 2")],
)
def test_what_is_no_sequence_is_named_with_its_number(bundle: Bundle, sequence: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        bundle.score(["ACGT", sequence])


def test_one_text_is_not_taken_for_many_sequences_of_one_letter(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="give a list"):
        bundle.score("ACGT")


def test_a_model_of_gene_structure_has_no_score_of_a_sequence(bundle: Bundle) -> None:
    dataset = bundle.config["dataset"]
    config = bundle.config | {"task": "structure", "dataset": dataset | {"config": {"task": "structure"}}}
    with pytest.raises(BundleError):
        Bundle(bundle.model, bundle.tokenizer, config).score(["ACGT"])


def test_a_bundle_and_a_dataset_are_shown_in_one_line(bundle: Bundle, train_split: TokenDataset) -> None:
    assert repr(bundle).startswith("<Bundle: task recognise, ")
    assert "3-mers every" in repr(bundle)
    assert repr(train_split).startswith("<TokenDataset: split train")
    assert f"{len(train_split):,} rows" in repr(train_split)
    assert not any("\n" in repr(one) or len(repr(one)) > 250 for one in (bundle, train_split))
