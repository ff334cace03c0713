from __future__ import annotations

from typing import Any

import pytest

from pipelines.audit import shortened
from pipelines.config import DatasetConfig, validate
from pipelines.genome.source import read_source
from pipelines.progress import Silent
from tests.conftest import GenomeFiles


def manifest(before: float, after: float, length: int | None = None) -> dict[str, Any]:
    genes = {"length_before": {"50%": before}, "length_after": {"50%": after}}
    return {"config": {"crop": {"length": length}}, "genes": {"toy": genes}}


def test_genes_whose_median_lost_more_than_half_are_a_warning_with_both_lengths() -> None:
    (text,) = shortened.warnings(manifest(1_070, 283))
    assert "toy: genes were shortened" in text
    assert "283 bases of 1,070" in text
    assert "crop.length" in text


@pytest.mark.parametrize("of_dataset", [manifest(1_000, 600), manifest(1_000, 240, 240), {"genes": {}}])
def test_genes_that_keep_half_and_windows_of_genes_are_none(of_dataset: dict[str, Any]) -> None:
    assert shortened.warnings(of_dataset) == []


@pytest.mark.parametrize(
    ("sections", "is_warned"),
    [
        ({"negatives": {"ratio": 10.0}}, True),
        ({"negatives": {"ratio": 10.0, "unplaced": "keep"}}, False),
        ({"negatives": {"ratio": 10.0, "kinds": ["dinucleotide"]}}, False),
        ({"negatives": {"ratio": 10.0}, "crop": {"length": 60}}, False),
        ({"negatives": {"ratio": 0.1}}, False),
    ],
)
def test_too_little_between_genes_is_said_before_anything_is_placed(
    genome: GenomeFiles, sections: dict[str, Any], is_warned: bool
) -> None:
    config = validate(DatasetConfig, {"sources": [genome.source()], **sections}, "test")
    source = read_source(config.sources[0], config.negatives, Silent())
    assert bool(shortened.expected_warnings(config, [source])) == is_warned
