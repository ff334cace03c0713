from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.audit.inspection import Inspection, inspect
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset import split_regions
from pipelines.errors import DatasetError
from pipelines.genome.region import Region
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles


@pytest.fixture(scope="module")
def inspection(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    values = {
        "sources": [genome.source()],
        "crop": {"length": 100},
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
    }
    output = tmp_path_factory.mktemp("inspect") / "data"
    build(validate(DatasetConfig, values, "test"), output, in_this_process, Silent())
    return inspect(output)


def test_figures_add_up_to_the_manifest(inspection: Inspection, genome: GenomeFiles) -> None:
    figures = inspection.to_json()
    assert figures["rows"] == 2 * len(genome.genes)
    assert sum(entry["genes"] for entry in figures["splits"].values()) == len(genome.genes)
    assert figures["longest_bases"] == 100
    assert figures["vocabulary_size"] == 67
    assert figures["audited_split"] == "test"


def test_figures_have_the_warnings_of_the_screen(inspection: Inspection) -> None:
    genes = {"length_before": {"50%": 1_070}, "length_after": {"50%": 283}}
    shortened = replace(inspection, manifest=inspection.manifest | {"config": {}, "genes": {"toy": genes}})
    assert "toy: genes were shortened" in shortened.to_json()["warnings"][0]
    assert shortened.to_json()["warnings"] == shortened.warnings()
    assert inspection.to_json()["warnings"] == []


def test_gc_is_the_shortcut_of_a_genome_whose_genes_are_richer_in_it(inspection: Inspection) -> None:
    shortcuts = inspection.to_json()["shortcuts"]
    assert shortcuts["gc"] == max(shortcuts.values()) > 0.9


def test_the_kmer_regression_is_among_the_rules(inspection: Inspection) -> None:
    assert inspection.to_json()["shortcuts"]["kmers"] > 0.8
    assert ("kmers", "5-mer logistic regression") in {row[:2] for row in inspection.tables()[-1].rows}


def test_labelled_sequences_have_no_table_of_genes(inspection: Inspection) -> None:
    assert "Every gene accounted for" in {table.caption for table in inspection.tables()}
    labelled = replace(inspection, manifest=inspection.manifest | {"genes": {}})
    assert "Every gene accounted for" not in {table.caption for table in labelled.tables()}


def test_the_regions_of_a_split_by_region_are_listed(inspection: Inspection) -> None:
    assert "Regions" not in {table.caption for table in inspection.tables()}
    regions = {"train": [Region("g", "chr1", 0, 90)], "test": [Region("g", "chr1", 90, 120)]}
    manifest = dict(inspection.manifest, config={"split": {"by": "region"}})
    by_region = replace(inspection, manifest=manifest | {split_regions.KEY: split_regions.describe(regions)})
    table = next(table for table in by_region.tables() if table.caption == "Regions")
    assert table.rows == [("train", "g:chr1:1-90", 90), ("test", "g:chr1:91-120", 30)]


def vocabulary(inspection: Inspection) -> dict[object, object]:
    return dict(next(table for table in inspection.tables() if table.caption == "Vocabulary").rows)


def test_observed_and_partial_vocabularies_have_lines_of_their_own(inspection: Inspection) -> None:
    assert not {"observed k-mers", "partial k-mers in train"} & set(vocabulary(inspection))
    whole = Tokenizer(3, 3, "partial")
    counts = np.zeros(whole.vocabulary_size, np.int64)
    counts[[1, 3, 4, 70, 84]] = [1, 40, 3, 4, 2]
    observed = whole.restrict_to_observed(counts, 3)
    observing = replace(inspection, tokenizer=observed, token_counts=np.array([0, 3, 0, 40, 0, 4]))
    lines = vocabulary(observing)
    assert lines["tokens in the vocabulary"] == 6
    assert lines["observed k-mers"] == "3.1% of all 64"
    assert lines["k-mers seen in train"] == "50.0%"
    assert lines["partial k-mers in train"] == f"{4 / 47:.3%}"
    assert [row[0] for row in observing.tables()[-2].rows] == ["AAA", "AAC"]
    assert observing.to_json()["kmers_seen_in_train"] == 0.5


def test_leakage_is_shown_where_the_manifest_has_it(inspection: Inspection) -> None:
    without = {key: value for key, value in inspection.manifest.items() if key != "leakage"}
    assert "leakage" not in replace(inspection, manifest=without).to_json()
    leakage = {
        "split": "test", "intervals": 81, "evaluated": 80, "near_duplicates": 10, "share": 0.125, "k": 21,
        "threshold": 0.5
    }  # fmt: skip
    leaking = replace(inspection, manifest=inspection.manifest | {"leakage": leakage})
    assert leaking.to_json()["leakage"] == leakage
    assert next(table for table in leaking.tables() if "near-duplicate" in table.caption).rows == [
        (81, 80, 10, "12.50%", 0.5, 21)
    ]
    leakage |= {"similar": 20, "similar_share": 0.25, "similar_identity": 0.9}
    leaking = replace(inspection, manifest=inspection.manifest | {"leakage": leakage})
    assert next(table for table in leaking.tables() if "near-duplicate" in table.caption).rows == [
        (81, 80, 10, "12.50%", 0.5, 21, 20, "25.00%", 0.9)
    ]


def test_the_page_holds_every_table_and_plot(inspection: Inspection, tmp_path: Path) -> None:
    text = inspection.page().html()
    assert all(table.caption in text for table in inspection.tables())
    assert text.count("<figure") == 3
    assert "http" not in text.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_an_unfinished_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no finished dataset there"):
        inspect(tmp_path)
