from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.audit.inspection import Inspection, inspect
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.errors import DatasetError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
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


def test_the_kmer_regression_is_among_the_rules(found: Inspection) -> None:
    assert found.to_json()["shortcuts"]["kmers"] > 0.8
    assert ("kmers", "5-mer logistic regression") in {row[:2] for row in found.tables()[-1].rows}


def vocabulary(found: Inspection) -> dict[object, object]:
    return dict(next(table for table in found.tables() if table.caption == "Vocabulary").rows)


def test_observed_and_partial_vocabularies_are_summed_up_as_what_they_are(found: Inspection) -> None:
    assert not {"observed k-mers", "partial k-mers in train"} & set(vocabulary(found))
    whole = Tokenizer(3, 3, "partial")
    counts = np.zeros(whole.vocabulary_size, np.int64)
    counts[[1, 3, 4, 70, 84]] = [1, 40, 3, 4, 2]
    observed = whole.restrict_to_observed(counts, 3)
    seen = replace(found, tokenizer=observed, token_counts=np.array([0, 3, 0, 40, 0, 4]))
    told = vocabulary(seen)
    assert told["tokens in the vocabulary"] == 6
    assert told["observed k-mers"] == "3.1% of all 64"
    assert told["k-mers seen in train"] == "50.0%"
    assert told["partial k-mers in train"] == f"{4 / 47:.3%}"
    assert [row[0] for row in seen.tables()[-2].rows] == ["AAA", "AAC"]
    assert seen.to_json()["kmers_seen_in_train"] == 0.5


def test_leakage_is_told_where_the_manifest_knows_it(found: Inspection) -> None:
    without = {key: value for key, value in found.manifest.items() if key != "leakage"}
    assert "leakage" not in replace(found, manifest=without).to_json()
    leakage = {
        "split": "test", "intervals": 81, "evaluated": 80, "near_duplicates": 10, "share": 0.125, "k": 21, "threshold": 0.5
    }  # fmt: skip
    leaking = replace(found, manifest=found.manifest | {"leakage": leakage})
    assert leaking.to_json()["leakage"] == leakage
    assert next(table for table in leaking.tables() if "near-duplicate" in table.caption).rows == [
        (81, 80, 10, "12.50%", 0.5, 21)
    ]


def test_the_page_holds_every_table_and_plot(found: Inspection, tmp_path: Path) -> None:
    text = found.page().html()
    assert all(table.caption in text for table in found.tables())
    assert text.count("<figure") == 3
    assert "http" not in text.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_an_unfinished_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no finished dataset there"):
        inspect(tmp_path)
