from __future__ import annotations

import pytest

from pipelines.errors import BundleError, UsageError
from tests.training.small_structure import WINDOW, small_structure_bundle
from training.annotate import suitability
from training.annotate.tiles import Tiling
from training.decoding.settings import Settings


def test_a_bundle_says_how_long_tiles_are_and_how_genes_are_decoded() -> None:
    settings = Settings(starts=("ATG", "CTG"))
    suitable = suitability.of_bundle(small_structure_bundle(settings), "run/bundle", None)
    assert suitable.tiling == Tiling.of(WINDOW, 9)
    assert suitable.settings == settings


def test_another_genetic_code_takes_the_place_of_that_of_training() -> None:
    suitable = suitability.of_bundle(small_structure_bundle(), "run/bundle", 12)
    assert suitable.settings == Settings(genetic_code=12)
    with pytest.raises(UsageError, match="genetic code 7: not a table of NCBI"):
        suitability.of_bundle(small_structure_bundle(), "run/bundle", 7)


def test_a_model_of_genomes_of_several_genetic_codes_asks_for_that_of_the_genome() -> None:
    bundle = small_structure_bundle(genetic_codes={"paramecium": 6, "yeast": 1, "stentor": 1})
    with pytest.raises(
        UsageError, match=r"codes \(1 of yeast, stentor; 6 of paramecium\): say .* --genetic-code NUMBER"
    ):
        suitability.of_bundle(bundle, "run/bundle", None)
    assert suitability.of_bundle(bundle, "run/bundle", 6).settings.genetic_code == 6
    alike = small_structure_bundle(Settings(genetic_code=6), genetic_codes={"paramecium": 6, "tetrahymena": 6})
    assert suitability.of_bundle(alike, "run/bundle", None).settings.genetic_code == 6


@pytest.mark.parametrize("key", ["window", "decoding"])
def test_a_bundle_without_what_is_needed_is_refused(key: str) -> None:
    bundle = small_structure_bundle()
    del bundle.config[key]
    with pytest.raises(BundleError, match=f"run/bundle/config.json: {key}"):
        suitability.of_bundle(bundle, "run/bundle", None)


def test_a_model_that_recognises_genes_is_for_other_verbs() -> None:
    bundle = small_structure_bundle()
    del bundle.config["task"]
    with pytest.raises(BundleError, match="use it with raygene scan"):
        suitability.of_bundle(bundle, "run/bundle", None)
