from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.build import manifest, place_negatives
from pipelines.build.pipeline import prepare
from pipelines.config import DatasetConfig, validate
from pipelines.genome.source import Source
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import make_genome

SOFTWARE = {"bedtools": "2.30.0", "numpy": "2.0.0"}
CONTENTS = {"g": {"fasta": "f" * 64, "annotation": "a" * 64}}


def config(**sections: Any) -> DatasetConfig:
    sources = [{"genome": "g", "fasta": "g.fa", "annotation": "g.gff3"}]
    return validate(DatasetConfig, {"sources": sources, "tokenizer": {"k": 3}, **sections}, "test")


def fingerprint(
    experiment: DatasetConfig | None = None,
    contents: dict[str, dict[str, str]] = CONTENTS,
    tokenizer: Tokenizer | None = None,
    software: dict[str, str] = SOFTWARE,
    reading_rules: dict[str, list[str]] | None = None,
) -> str:
    return manifest.dataset_fingerprint(
        experiment or config(), contents, tokenizer or Tokenizer(3, 1, "anchor"), software, reading_rules
    )


def test_the_fingerprint_does_not_depend_on_paths() -> None:
    moved = [{"genome": "g", "fasta": "/data/other.fa", "annotation": "/data/other.gff3"}]
    assert fingerprint(config(sources=moved)) == fingerprint()


@pytest.mark.parametrize(
    "changed",
    [
        {"experiment": config(negatives={"seed": 1})},
        {"experiment": config(crop={"length": 100})},
        {"experiment": config(crop={"length": 100, "per_gene": 2})},
        {"experiment": config(sources=[{"genome": "h", "fasta": "g.fa", "annotation": "g.gff3"}])},
        {"experiment": config(tokenizer={"k": 3, "vocabulary": "observed"})},
        {"contents": {"g": {"fasta": "e" * 64, "annotation": "a" * 64}}},
        {"tokenizer": Tokenizer(3, 2, "anchor")},
        {"software": SOFTWARE | {"bedtools": "2.31.0"}},
        {"reading_rules": {"g": ["genes without a row"]}},
    ],
)
def test_the_fingerprint_depends_on_everything_else(changed: dict[str, Any]) -> None:
    assert fingerprint(**changed) != fingerprint()


def test_keys_of_later_versions_change_no_fingerprint_by_their_defaults() -> None:
    # What the first version with these keys must not change.
    assert fingerprint() == "49dba17c6b3ffe32898cf0e539f25cfa24cb1b75e1fbeabc771cc884781466e6"
    assert fingerprint(config(crop={"length": 100, "per_gene": 1})) == fingerprint(config(crop={"length": 100}))
    assert fingerprint(config(crop={"length": 100, "per_gene": 2})) != fingerprint(config(crop={"length": 100}))


def test_only_the_fingerprint_of_a_split_by_family_depends_on_how_families_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_family = config(split={"by": "family", "validation": 0.1, "test": 0.1})
    before = fingerprint(), fingerprint(by_family)
    monkeypatch.setattr(manifest.families, "REVISION", manifest.families.REVISION + 1)
    assert fingerprint() == before[0]
    assert fingerprint(by_family) != before[1]


def test_limits_of_unknown_tokens_change_no_fingerprint() -> None:
    tokenizer = {"k": 3, "stride": 1}
    limited = tokenizer | {"warn_unknown": 0.2, "max_unknown": 1.0}
    assert fingerprint(config(tokenizer=tokenizer)) == fingerprint(config(tokenizer=limited))


def sources(tmp_path: Path) -> list[Source]:
    genomes = {name: make_genome(tmp_path / name, seed=seed, chromosomes=1) for seed, name in enumerate("ab")}
    values = {"sources": [genome.source(name) for name, genome in genomes.items()], "tokenizer": {"k": 3}}
    return prepare(validate(DatasetConfig, values, "test"), Silent()).sources


def placed(*rows: tuple[str, int, int, int, str]) -> pa.Table:
    """Rows of genome, label, length, requested length and reason."""
    return pa.Table.from_pylist(
        [
            {"genome": genome, "chromosome": "chr1", "start": 0, "end": length, "strand": "+", "label": label}
            | {"source": "gene", "split": "train", "requested_length": requested, "reason": reason, "gene": number}
            for number, (genome, label, length, requested, reason) in enumerate(rows)
        ],
        schema=place_negatives.PLACED,
    )


def describe(tmp_path: Path, rows: pa.Table) -> dict[str, Any]:
    is_kept = np.array(rows["reason"].to_pylist()) == ""
    table = with_ids(rows.filter(pa.array(is_kept)))
    genomes = [table.filter(pc.equal(table["genome"], name)) for name in "ab"]
    return manifest.describe_contents(sources(tmp_path), genomes, [rows.filter(pa.array(~is_kept))])


def with_ids(rows: pa.Table) -> pa.Table:
    return rows.append_column("interval_id", pa.array(np.arange(len(rows))))


def test_kept_shortened_and_dropped_genes_are_counted_by_genome(tmp_path: Path) -> None:
    described = describe(
        tmp_path,
        placed(
            ("a", 1, 100, 100, ""),
            ("a", 1, 85, 100, ""),
            ("a", 1, 90, 90, "no_match"),
            ("a", 0, 100, 100, ""),
            ("a", 0, -1, 100, "negative_without_room"),
            ("b", 1, 70, 80, ""),
            ("b", 1, 60, 80, "no_match"),
            ("b", 1, 60, 80, "no_match"),
        ),
    )
    assert described["dropped"] == {"a": {"negative_without_room": 1, "no_match": 1}, "b": {"no_match": 2}}
    genes = described["genes"]
    assert [(genes[name]["kept"], genes[name]["shortened"], genes[name]["negatives"]) for name in "ab"] == [
        (2, 1, 1),
        (1, 1, 0),
    ]
    assert genes["a"]["length_after"]["0%"] == 85
    assert genes["a"]["length_after"]["100%"] == 100


def test_windows_are_counted_beside_the_genes_that_they_are_of(tmp_path: Path) -> None:
    rows = placed(("a", 1, 100, 100, ""), ("a", 1, 100, 100, ""), ("a", 1, 90, 90, "no_match"))
    rows = rows.set_column(rows.column_names.index("gene"), "gene", pa.array([5, 5, 6]))
    described = manifest.describe_contents(sources(tmp_path), [with_ids(rows[:2])], [rows[2:]], has_several=True)
    assert (described["genes"]["a"]["kept"], described["genes"]["a"]["windows"]) == (1, 2)


def test_the_longest_row_is_named_with_its_position(tmp_path: Path) -> None:
    described = describe(tmp_path, placed(("a", 1, 100, 100, ""), ("b", 1, 120, 120, ""), ("b", 0, 120, 120, "")))
    assert described["longest"] == {
        "bases": 120, "genome": "b", "chromosome": "chr1", "start": 0, "end": 120, "strand": "+", "interval_id": 1
    }  # fmt: skip


def test_a_genome_without_a_kept_gene_has_no_lengths_after(tmp_path: Path) -> None:
    described = describe(tmp_path, placed(("a", 1, 100, 100, ""), ("b", 1, 90, 90, "no_match")))
    assert described["genes"]["b"]["length_after"] == {}
    assert described["genes"]["b"]["usable"] == described["genes"]["b"]["annotated"] > 0
