from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.splits import stretches
from pipelines.splits.stretches import Stretch

LENGTHS = {"a": {"I": 500, "II": 300, "III": 200}, "b": {"I": 400, "X": 600}}
GENES = {
    genome: {
        name: np.array([[start, start + 8] for start in range(0, length - 10, 10)]) for name, length in own.items()
    }
    for genome, own in LENGTHS.items()
}


def cut(**split: object) -> list[Stretch]:
    return stretches.cut(LENGTHS, GENES, SplitConfig(**split))[0]


def named(found: list[Stretch], split: str) -> list[str]:
    return [f"{one.genome}:{one.chromosome}:{one.start}-{one.end}" for one in found if one.split == split]


def test_a_listed_chromosome_is_held_out_in_every_genome_that_has_it() -> None:
    found = cut(validation=["II"], test=["I"])
    assert named(found, "test") == ["a:I:0-500", "b:I:0-400"]
    assert named(found, "validation") == ["a:II:0-300"]
    assert named(found, "train") == ["a:III:0-200", "b:X:0-600"]


def test_a_chromosome_of_one_genome_is_named_with_it() -> None:
    assert named(cut(validation=["a:II"], test=["b:I"]), "test") == ["b:I:0-400"]


def test_whole_genomes_are_held_out_by_name_or_share() -> None:
    assert named(cut(by="genome", validation=["b"], test=0.0), "validation") == ["b:I:0-400", "b:X:0-600"]
    found = cut(by="genome", validation=0.0, test=0.5)
    assert len({one.genome for one in found if one.split == "test"}) == 1


def test_regions_and_whole_chromosomes_mix_and_the_rest_is_train() -> None:
    found = cut(by="region", validation=["a:I:101-200"], test=["II", "b:X:301-"])
    assert named(found, "validation") == ["a:I:100-200"]
    assert named(found, "test") == ["a:II:0-300", "b:X:300-600"]
    assert named(found, "train") == ["a:I:0-100", "a:I:200-500", "a:III:0-200", "b:I:0-400", "b:X:0-300"]


def test_regions_of_one_split_that_touch_are_one_stretch() -> None:
    found = cut(by="region", validation=["a:I:101-200", "a:I:201-300"], test=[])
    assert named(found, "validation") == ["a:I:100-300"]


def test_shares_are_of_bases() -> None:
    lengths = {"a": {f"c{number}": 100 for number in range(19)} | {"long": 8_100}}
    found, _ = stretches.cut(lengths, {"a": {}}, SplitConfig(validation=0.05, test=0.05))
    for split in ("validation", "test"):
        assert sum(one.bases for one in found if one.split == split) == 500


def test_a_genome_of_two_sequences_is_cut_between_its_genes() -> None:
    found, blocks = stretches.cut({"b": LENGTHS["b"]}, {"b": GENES["b"]}, SplitConfig(validation=0.2, test=0.2))
    assert set(blocks) == {("b", "I"), ("b", "X")}
    borders = {(one.chromosome, one.end) for one in found if one.end < LENGTHS["b"][one.chromosome]}
    assert borders
    assert all(8 <= end % 10 <= 10 or end % 10 == 0 for _, end in borders)


@given(by=st.sampled_from(["chromosome", "block", "genome"]), seed=st.integers(0, 50))
def test_every_base_is_in_one_stretch_and_neighbours_are_of_different_splits(by: str, seed: int) -> None:
    config = SplitConfig(by=by, validation=0.2, test=0.2 if by != "genome" else 0.0, seed=seed)
    found, _ = stretches.cut(LENGTHS, GENES, config)
    for genome, own in LENGTHS.items():
        for name, length in own.items():
            of_chromosome = [one for one in found if (one.genome, one.chromosome) == (genome, name)]
            assert [one.start for one in of_chromosome] == [0, *(one.end for one in of_chromosome[:-1])]
            assert of_chromosome[-1].end == length
            splits = [one.split for one in of_chromosome]
            assert all(one != other for one, other in itertools.pairwise(splits))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"validation": ["II"], "test": ["IV"]}, "split.test: no chromosome 'IV'"),
        ({"validation": ["II"], "test": ["II"]}, "split.test: II is listed twice"),
        ({"by": "genome", "validation": ["a"], "test": ["c"]}, "split.test: no genome 'c'"),
        ({"by": "genome", "validation": ["a"], "test": ["b"]}, "split: train has no base"),
        ({"by": "region", "validation": ["I:1-10"], "test": ["II"]}, "is in several genomes"),
        ({"by": "region", "validation": ["a:I:1-900"], "test": ["II"]}, "split.validation"),
    ],
)
def test_a_split_that_cannot_be_is_refused(split: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        cut(**split)
    assert message in str(caught.value)
