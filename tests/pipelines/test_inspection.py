from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.build import build
from pipelines.config import DatasetConfig, validate
from pipelines.errors import DatasetError
from pipelines.inspection import Inspection, inspect
from pipelines.progress import Silent
from tests.conftest import GenomeFiles

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def found(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory, ray_session: Any) -> Inspection:
    values = {
        "sources": [genome.source()],
        "crop": {"length": 100},
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
    }
    output = tmp_path_factory.mktemp("inspect") / "data"
    build(validate(DatasetConfig, values, "test"), output, ray_session, Silent())
    return inspect(output)


def test_figures_add_up_to_the_manifest(found: Inspection, genome: GenomeFiles) -> None:
    figures = found.to_json()
    assert figures["rows"] == 2 * len(genome.genes)
    assert sum(one["genes"] for one in figures["splits"].values()) == len(genome.genes)
    assert figures["longest_bases"] == 100
    assert figures["vocabulary_size"] == 67
    assert figures["audited_split"] == "test"


def test_gc_is_the_shortcut_of_a_genome_whose_genes_are_richer_in_it(found: Inspection) -> None:
    shortcuts = found.to_json()["shortcuts"]
    assert shortcuts["gc"] == max(shortcuts.values()) > 0.9


def test_the_page_holds_every_table_and_plot(found: Inspection, tmp_path: Path) -> None:
    text = found.page().html()
    assert all(table.caption in text for table in found.tables())
    assert text.count("<figure") == 3
    assert "http" not in text.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_an_unfinished_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no finished dataset there"):
        inspect(tmp_path)
