from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.build.pipeline import build
from pipelines.dataset import split_regions
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome.region import Region
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from tests.conftest import GenomeFiles, make_genome
from tests.pipelines.build.builds import connects_never, dataset_config, mutated_genome


def test_every_annotated_gene_is_in_the_dataset_or_counted(genome: GenomeFiles, tmp_path: Path) -> None:
    rows = [
        "chr1\tt\tgene\t11990\t12100\t.\t+\t.\tID=past",
        "chr1\tt\tgene\t300\t340\t.\t.\t.\tID=unstranded",
        "chrX\tt\tgene\t1\t90\t.\t+\t.\tID=elsewhere",
        "chr1\tt\tintron\t300\t340\t.\t+\t.\tID=intron",
    ]
    first = genome.annotation.read_text().splitlines()[1]
    annotation = tmp_path / "more.gff3"
    annotation.write_text(genome.annotation.read_text() + "\n".join([*rows, first, ""]))
    source = genome.source("g") | {"annotation": str(annotation)}
    manifest = build(dataset_config(genome, sources=[source]), tmp_path / "out", in_this_process, Silent())
    assert manifest["dropped"]["g"] == {"duplicate": 1, "past_the_end": 1, "unknown_sequence": 1, "unknown_strand": 1}
    assert manifest["genes"]["g"]["annotated"] == manifest["genes"]["g"]["kept"] + 4
    assert manifest["genes"]["g"]["kept"] == len(genome.genes)
    assert manifest["unused_rows"] == {"g": {"other_type": 1}}
    assert manifest["reading_rules"] == {"g": ["ends of linear sequences"]}


def test_every_row_is_in_one_split_and_rows_are_in_a_fixed_order(genome: GenomeFiles, tmp_path: Path) -> None:
    manifest = build(dataset_config(genome), tmp_path / "out", in_this_process, Silent())
    ids: list[int] = []
    for split in ("train", "validation", "test"):
        opened = TokenDataset.open(tmp_path / "out", split)
        row_ids = opened.table["interval_id"].to_pylist()
        assert row_ids == sorted(row_ids)
        ids += row_ids
        assert set(opened.labels.tolist()) == {0, 1}
    assert sorted(ids) == list(range(sum(count["rows"] for count in manifest["counts"])))


def test_other_readers_see_the_split_as_a_partition(genome: GenomeFiles, tmp_path: Path) -> None:
    manifest = build(dataset_config(genome), tmp_path / "out", in_this_process, Silent())
    paths = [str(tmp_path / "out" / file["path"]) for file in manifest["files"]]
    table = ds.dataset(paths, partitioning="hive", partition_base_dir=str(tmp_path / "out")).to_table()
    assert len(table) == sum(file["rows"] for file in manifest["files"])
    assert set(table["split"].to_pylist()) == {"train", "validation", "test"}
    assert len(pq.read_table(tmp_path / "out" / "split=train")) == len(TokenDataset.open(tmp_path / "out", "train"))


def test_genomes_of_one_sequence_all_have_rows_in_train(tmp_path: Path) -> None:
    genomes = [make_genome(tmp_path / str(seed), seed=seed, chromosomes=1, bases=40_000) for seed in range(3)]
    build(dataset_config(*genomes, split={}), tmp_path / "out", in_this_process, Silent())
    assert set(TokenDataset.open(tmp_path / "out", "train").table["genome"].to_pylist()) == {"g0", "g1", "g2"}


def test_families_of_several_genomes_leave_no_near_duplicate_of_test_in_train(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    """The second genome is the first with every fiftieth base changed; only the family split keeps pairs together."""
    twin = mutated_genome(genome, tmp_path / "twin", every=50)
    shares: dict[str, dict[str, Any]] = {}
    for by in ("random", "family"):
        progress = Silent()
        split = {"by": by, "validation": 0.2, "test": 0.2}
        manifest = build(dataset_config(genome, twin, split=split), tmp_path / by, in_this_process, progress)
        shares[by] = manifest["leakage"]
    assert shares["family"]["share"] == shares["family"]["similar_share"] == 0
    assert shares["random"]["share"] > 0.2
    assert any("families of similar sequences" in note for note in progress.notes)


def test_an_observed_vocabulary_holds_what_train_shows_often_enough(genome: GenomeFiles, tmp_path: Path) -> None:
    complete, observed = tmp_path / "complete", tmp_path / "observed"
    build(dataset_config(genome, tokenizer={"k": 5, "stride": 2}), complete, in_this_process, Silent())
    tokenizer = {"k": 5, "stride": 2, "vocabulary": "observed", "min_count": 3}
    manifest = build(dataset_config(genome, tokenizer=tokenizer), observed, in_this_process, Silent())
    complete_train, observed_train = TokenDataset.open(complete, "train"), TokenDataset.open(observed, "train")
    counts = np.bincount(complete_train.tokens, minlength=complete_train.tokenizer.vocabulary_size)
    frequent = [complete_train.tokenizer.vocabulary[token] for token in np.flatnonzero(counts >= 3) if token > 2]
    assert observed_train.tokenizer.vocabulary[3:] == frequent
    assert manifest["tokenizer"]["size"] == len(frequent) + 3
    words = [complete_train.tokenizer.vocabulary[token] for token in complete_train.tokens]
    assert observed_train.tokenizer.decode(observed_train.tokens) == [
        word if word in set(frequent) else "<unk>" for word in words
    ]
    build(dataset_config(genome, tokenizer=tokenizer), observed, connects_never, Silent())


def test_negatives_that_do_not_fit_are_counted(genome: GenomeFiles, tmp_path: Path) -> None:
    manifest = build(dataset_config(genome, negatives={"ratio": 10}), tmp_path / "out", in_this_process, Silent())
    requested = 10 * manifest["genes"]["g0"]["kept"]
    assert manifest["dropped"]["g0"]["negative_without_room"] == requested - manifest["genes"]["g0"]["negatives"] > 0


def test_a_dataset_by_region_lists_the_regions_and_holds_no_interval_across_a_border(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    split = {"by": "region", "validation": ["chr1:1-6000"], "test": ["chr1:6001-12000", "chr4"]}
    manifest = build(dataset_config(genome, split=split), tmp_path / "out", in_this_process, Silent())
    assert manifest["split_in_blocks"] == ["g0"]
    for name in ("train", "validation", "test"):
        found = split_regions.of(manifest, name)
        for row in TokenDataset.open(tmp_path / "out", name).table.to_pylist():
            assert any(one.chromosome == row["chromosome"] and one.holds(row["start"], row["end"]) for one in found)
    assert split_regions.of(manifest, "test") == [Region("g0", "chr1", 6000, 12_000), Region("g0", "chr4", 0, 12_000)]


@pytest.mark.parametrize("by", ["random", "family"])
def test_the_windows_of_a_gene_are_in_one_split_and_counted(genome: GenomeFiles, tmp_path: Path, by: str) -> None:
    crop, split = {"length": 40, "per_gene": 3}, {"by": by, "validation": 0.2, "test": 0.2}
    manifest = build(dataset_config(genome, crop=crop, split=split), tmp_path / "out", in_this_process, Silent())
    splits: dict[str, set[str]] = {}
    windows = 0
    for name in ("train", "validation", "test"):
        for row in TokenDataset.open(tmp_path / "out", name).table.to_pylist():
            if row["label"] == 1:
                splits.setdefault(row["gene_id"], set()).add(name)
                windows += 1
    assert all(len(found) == 1 for found in splits.values())
    expected = sum(min(3, max(1, (end - start - 12) // 40)) for _, start, end, _ in genome.genes)
    assert windows == expected == manifest["genes"]["g0"]["windows"] > len(genome.genes) == len(splits)
    assert manifest["config"]["crop"]["per_gene"] == 3
