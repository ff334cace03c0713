from __future__ import annotations

from itertools import chain

import pytest

from training import models, structure
from training.config import ModelConfig
from training.engine.optimization import layers


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("embedding.weight", "embedding"),
        ("stem.convolution.bias", "stem"),
        ("body.layers.1.ahead.weight_ih_l0", "body.layers.1"),
        ("body.body.layers.0.feed.2.weight", "body.body.layers.0"),
        ("output.0.scale", "output.0"),
        ("head.weight", "head"),
    ],
)
def test_a_layer_is_a_part_or_a_member_of_a_list_of_parts(name: str, layer: str) -> None:
    assert layers.layer_of(name) == layer


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer", "cnn"])
def test_layers_are_all_weights_once_from_the_head_to_the_token_vectors(kind: str) -> None:
    config = ModelConfig(kind=kind, embedding=8, hidden=16, layers=2, stem=8, stem_stride=9, heads=2)
    for model in (models.make(config, 67), structure.make(config, 67)):
        found = layers.from_the_head(model)
        assert {id(weight) for weight in found[0]} == {id(weight) for weight in model.head.parameters()}
        assert [id(weight) for weight in found[-1]] == [id(model.embedding.weight)]
        counted = [id(weight) for weight in chain(*found)]
        assert sorted(counted) == sorted(id(weight) for weight in model.parameters())
        # Token vectors, stem, two layers of the body and the head at least.
        assert len(found) >= 5
