"""Settings of the decoder to and from JSON."""

from __future__ import annotations

import json

import pytest

from pipelines.errors import BundleError
from training.decoding.settings import Settings, Weights


def test_settings_survive_json() -> None:
    settings = Settings(starts=("ATG", "CTG"), pairs={"GT-AG": 1.0}, weights=Weights(gene=-2.5))
    assert Settings.from_document(json.loads(json.dumps(settings.model_dump(mode="json")))) == settings


def test_a_key_of_another_version_is_refused_by_name() -> None:
    document = Settings().model_dump(mode="json")
    document["weights"]["promoter"] = 1.0
    with pytest.raises(BundleError, match=r"decoding\.weights\.promoter"):
        Settings.from_document(document)


def test_kinds_of_introns_follow_from_their_pairs() -> None:
    assert Settings(pairs={"GC-AG": 1.0}).kinds == ("GT-AG",)
    assert Settings().kinds == ("GT-AG", "AT-AC")
