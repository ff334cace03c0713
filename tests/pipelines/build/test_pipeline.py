from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines import storage
from pipelines.build import encode_tokens
from pipelines.build.pipeline import build, prepare
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.errors import DatasetError, InputError, RaygeneError, ResourceError, UsageError
from pipelines.progress import Silent
from pipelines.ray_map import map_tables
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles, make_genome

pytestmark = pytest.mark.ray


def config(*genomes: GenomeFiles, **sections: Any) -> DatasetConfig:
    sources = [genome.source(f"g{number}") for number, genome in enumerate(genomes)]
    values = {
        "sources": sources,
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        **sections,
    }
    return validate(DatasetConfig, values, "test")


def files_of(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {name: content for name, (content, _) in files_of(directory).items()}


# Leaves the shorter genes out, so that there are files of those as well.
EXACT = {"length": 150, "exact": True}


def never() -> Any:
    raise AssertionError("Ray was asked for though there is nothing to do")


def test_every_annotated_gene_is_in_the_dataset_or_counted(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    rows = [
        "chr1\tt\tgene\t11990\t12100\t.\t+\t.\tID=past",
        "chr1\tt\tgene\t300\t340\t.\t.\t.\tID=unstranded",
        "chrX\tt\tgene\t1\t90\t.\t+\t.\tID=elsewhere",
    ]
    first = genome.annotation.read_text().splitlines()[1]
    annotation = tmp_path / "more.gff3"
    annotation.write_text(genome.annotation.read_text() + "\n".join([*rows, first, ""]))
    source = genome.source("g") | {"annotation": str(annotation)}
    manifest = build(config(genome, sources=[source]), tmp_path / "out", ray_session, Silent())
    assert manifest["dropped"]["g"] == {"duplicate": 1, "past_the_end": 1, "unknown_sequence": 1, "unknown_strand": 1}
    assert manifest["genes"]["g"]["annotated"] == manifest["genes"]["g"]["kept"] + 4
    assert manifest["genes"]["g"]["kept"] == len(genome.genes)


def test_rows_lie_where_the_manifest_says_in_a_fixed_order(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    manifest = build(config(genome), tmp_path / "out", ray_session, Silent())
    ids: list[int] = []
    for split in ("train", "validation", "test"):
        opened = TokenDataset.open(tmp_path / "out", split)
        found = opened.table["interval_id"].to_pylist()
        assert found == sorted(found)
        ids += found
        assert set(opened.labels.tolist()) == {0, 1}
    assert sorted(ids) == list(range(sum(count["rows"] for count in manifest["counts"])))


def test_other_readers_see_the_split_as_a_partition(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    manifest = build(config(genome), tmp_path / "out", ray_session, Silent())
    paths = [str(tmp_path / "out" / file["path"]) for file in manifest["files"]]
    table = ds.dataset(paths, partitioning="hive", partition_base_dir=str(tmp_path / "out")).to_table()
    assert len(table) == sum(file["rows"] for file in manifest["files"])
    assert set(table["split"].to_pylist()) == {"train", "validation", "test"}
    assert len(pq.read_table(tmp_path / "out" / "split=train")) == len(TokenDataset.open(tmp_path / "out", "train"))


def test_a_second_build_touches_no_file_and_needs_no_ray(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    build(config(genome), tmp_path / "out", ray_session, Silent())
    before = files_of(tmp_path / "out")
    build(config(genome), tmp_path / "out", never, Silent())
    assert files_of(tmp_path / "out") == before


def test_moved_inputs_rebuild_nothing_but_another_k_does(tmp_path: Path, ray_session: Any) -> None:
    first, second = make_genome(tmp_path / "a"), make_genome(tmp_path / "b")
    before = build(config(first), tmp_path / "out", ray_session, Silent())
    assert build(config(second), tmp_path / "out", never, Silent()) == before
    after = build(config(first, tokenizer={"k": 4, "stride": 1}), tmp_path / "out", ray_session, Silent())
    assert after["fingerprint"] != before["fingerprint"]
    assert TokenDataset.open(tmp_path / "out", "train").tokenizer.k == 4


@pytest.mark.parametrize("damage", ["lost", "one byte changed", "another tokenizer"])
def test_a_damaged_dataset_is_built_again(genome: GenomeFiles, tmp_path: Path, ray_session: Any, damage: str) -> None:
    build(config(genome), tmp_path / "out", ray_session, Silent())
    before = bytes_of(tmp_path / "out")
    part = next((tmp_path / "out").rglob("*.parquet"))
    if damage == "lost":
        part.unlink()
    elif damage == "one byte changed":
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
    else:
        Tokenizer(4, 1, "anchor").save(tmp_path / "out")
    build(config(genome), tmp_path / "out", ray_session, Silent())
    assert bytes_of(tmp_path / "out") == before


def test_genomes_of_one_sequence_all_have_rows_in_train(tmp_path: Path, ray_session: Any) -> None:
    genomes = [make_genome(tmp_path / str(seed), seed=seed, chromosomes=1, bases=40_000) for seed in range(3)]
    build(config(*genomes, split={}), tmp_path / "out", ray_session, Silent())
    assert set(TokenDataset.open(tmp_path / "out", "train").table["genome"].to_pylist()) == {"g0", "g1", "g2"}


SCRIPT = """
    import sys, ray
    from contextlib import contextmanager
    from pathlib import Path
    from pipelines.build import task_plan
    from pipelines.build.pipeline import build
    from pipelines.config import DatasetConfig
    from pipelines.progress import Silent
    task_plan.TASK_BASES = 5_000
    @contextmanager
    def connect():
        ray.init(address="local", num_cpus=int(sys.argv[3]), include_dashboard=False, log_to_driver=False)
        yield
    build(DatasetConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]), connect, Silent())
"""


def start_build(wanted: DatasetConfig, output: Path, cpus: int) -> subprocess.Popen[bytes]:
    arguments = [wanted.model_dump_json(by_alias=True), str(output), str(cpus)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments], start_new_session=True, stderr=subprocess.DEVNULL
    )


def test_the_bytes_do_not_depend_on_the_number_of_cpus(genome: GenomeFiles, tmp_path: Path) -> None:
    wanted = config(genome, crop=EXACT)
    for cpus in (1, 2):
        assert start_build(wanted, tmp_path / str(cpus), cpus).wait(120) == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")
    parts = [name for name in bytes_of(tmp_path / "1") if name.endswith(".parquet")]
    assert len([name for name in parts if name.startswith("split=")]) > 6
    assert len([name for name in parts if name.startswith("_left_out/")]) > 2


def test_families_of_several_genomes_leave_no_near_duplicate_of_test_in_train(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    """The second genome is the first with every fiftieth base changed; only the family split keeps the pairs together."""
    twin = mutated(genome, tmp_path / "twin", every=50)
    shares: dict[str, dict[str, Any]] = {}
    for by in ("random", "family"):
        progress = Silent()
        split = {"by": by, "validation": 0.2, "test": 0.2}
        manifest = build(config(genome, twin, split=split), tmp_path / by, ray_session, progress)
        shares[by] = manifest["leakage"]
    assert shares["family"]["share"] == 0
    assert shares["random"]["share"] > 0.2
    assert any("families of similar sequences" in note for note in progress.notes)


def test_a_family_split_does_not_depend_on_the_number_of_cpus(genome: GenomeFiles, tmp_path: Path) -> None:
    twin = mutated(genome, tmp_path / "twin", every=50)
    wanted = config(genome, twin, split={"by": "family", "validation": 0.2, "test": 0.2})
    for cpus in (1, 2):
        assert start_build(wanted, tmp_path / str(cpus), cpus).wait(120) == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


def mutated(genome: GenomeFiles, folder: Path, every: int) -> GenomeFiles:
    """The same genome with one base in `every` exchanged for another, N left alone."""
    folder.mkdir()
    other = str.maketrans("ACGTacgt", "CATGcatg")
    sequences = {
        name: "".join(base.translate(other) if at % every == 0 else base for at, base in enumerate(text))
        for name, text in genome.sequences.items()
    }
    (folder / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    return GenomeFiles(folder / "genome.fa", genome.annotation, sequences, genome.genes)


def test_a_killed_build_goes_on_from_its_parts_to_the_same_bytes(tmp_path: Path) -> None:
    genome = make_genome(tmp_path / "large", chromosomes=6, bases=150_000)
    wanted = config(genome, crop=EXACT)
    assert start_build(wanted, tmp_path / "whole", 2).wait(120) == 0
    killed = start_build(wanted, tmp_path / "out", 2)
    records = _wait_for_records(tmp_path, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in records.parent.parent.rglob("*.parquet")}
    finished = [
        path for path in kept if f"{path.stem.removeprefix('part-')}.json" in {r.name for r in records.parent.iterdir()}
    ]
    assert finished
    assert start_build(wanted, tmp_path / "out", 2).wait(120) == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    moved = {tmp_path / "out" / path.relative_to(records.parent.parent): kept[path] for path in finished}
    assert all(path.stat().st_mtime_ns == when for path, when in moved.items())
    assert not list(tmp_path.glob(".out.building-*"))


def _wait_for_records(folder: Path, process: subprocess.Popen[bytes]) -> Path:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        found = list(folder.glob(f".out.building-*/{encode_tokens.RECORDS}/*.json"))
        if len(found) >= 3:
            return found[0]
        time.sleep(0.002)
    raise AssertionError("the build ended before it could be killed")


@pytest.mark.parametrize("damage", ["truncated gzip", "no shared name", "missing", "unknown split name"])
def test_an_error_leaves_no_half_written_dataset(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, damage: str
) -> None:
    source, split = genome.source("g"), {"test": ["chr4"], "validation": ["chr3"]}
    if damage == "truncated gzip":
        packed = gzip.compress(genome.fasta.read_bytes())
        (tmp_path / "cut.fa.gz").write_bytes(packed[: len(packed) * 2 // 3])
        source["fasta"] = str(tmp_path / "cut.fa.gz")
    elif damage == "no shared name":
        (tmp_path / "other.gff3").write_text(genome.annotation.read_text().replace("chr", "scaffold"))
        source["annotation"] = str(tmp_path / "other.gff3")
    elif damage == "missing":
        source["fasta"] = str(tmp_path / "none.fa")
    else:
        split["test"] = ["chr99"]
    output = tmp_path / "results" / "out"
    with pytest.raises(RaygeneError) as caught:
        build(config(genome, sources=[source], split=split), output, ray_session, Silent())
    assert "\n" not in str(caught.value)
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


def test_names_that_match_nothing_show_both_sides(genome: GenomeFiles, tmp_path: Path) -> None:
    other = tmp_path / "other.gff3"
    other.write_text(genome.annotation.read_text().replace("chr", "scaffold"))
    source = genome.source("g") | {"annotation": str(other)}
    with pytest.raises(InputError, match=r"the annotation has scaffold1.*the FASTA has chr1"):
        build(config(genome, sources=[source]), tmp_path / "out", never, Silent())


def test_an_error_keeps_the_earlier_dataset(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    build(config(genome), tmp_path / "out", ray_session, Silent())
    before = files_of(tmp_path / "out")
    with pytest.raises(UsageError, match="has no interval"):
        build(config(genome, split={"test": ["chr1", "chr2", "chr3", "chr4"]}), tmp_path / "out", ray_session, Silent())
    assert files_of(tmp_path / "out") == before


def test_an_observed_vocabulary_holds_what_train_shows_often_enough(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    complete, observed = tmp_path / "complete", tmp_path / "observed"
    build(config(genome, tokenizer={"k": 5, "stride": 2}), complete, ray_session, Silent())
    wanted = {"k": 5, "stride": 2, "vocabulary": "observed", "min_count": 3}
    manifest = build(config(genome, tokenizer=wanted), observed, ray_session, Silent())
    before, after = TokenDataset.open(complete, "train"), TokenDataset.open(observed, "train")
    counts = np.bincount(before.tokens, minlength=before.tokenizer.vocabulary_size)
    often = [before.tokenizer.vocabulary[token] for token in np.flatnonzero(counts >= 3) if token > 2]
    assert after.tokenizer.vocabulary[3:] == often
    assert manifest["tokenizer"]["size"] == len(often) + 3
    words = [before.tokenizer.vocabulary[token] for token in before.tokens]
    assert after.tokenizer.decode(after.tokens) == [word if word in set(often) else "<unk>" for word in words]
    build(config(genome, tokenizer=wanted), observed, never, Silent())


def test_a_linked_output_stays_a_link(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    (tmp_path / "scratch" / "out").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "scratch" / "out")
    build(config(genome), tmp_path / "out", ray_session, Silent())
    assert (tmp_path / "out").is_symlink()
    assert read_manifest(tmp_path / "scratch" / "out")


def test_a_place_that_cannot_be_written_keeps_what_is_finished(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    output = tmp_path / "out"
    staging = storage.staging_directory(output, prepare(config(genome), Silent()).fingerprint)
    staging.mkdir()
    (staging / "split=test").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be written"):
        build(config(genome), output, ray_session, Silent())
    assert not output.exists()
    (staging / "split=test").unlink()
    build(config(genome), output, ray_session, Silent())
    assert not list(tmp_path.glob(".out*"))


def test_negatives_that_find_no_room_are_in_the_account(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    found = build(config(genome, negatives={"ratio": 10}), tmp_path / "out", ray_session, Silent())
    asked = 10 * found["genes"]["g0"]["kept"]
    assert found["dropped"]["g0"]["negative_without_room"] == asked - found["genes"]["g0"]["negatives"] > 0


def test_a_folder_of_other_files_is_never_replaced(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("five years")
    with pytest.raises(DatasetError, match="not a raygene dataset"):
        build(config(genome), tmp_path / "out", never, Silent())


def test_a_missing_bedtools_is_told_with_the_remedy(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.negatives.bedtools.shutil.which", lambda *_, **__: None)
    with pytest.raises(RaygeneError, match="bedtools: program not found: install it with"):
        build(config(genome), tmp_path / "out", never, Silent())


def test_a_tampered_manifest_or_tokenizer_is_refused(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    build(config(genome), tmp_path / "out", ray_session, Silent())
    manifest = read_manifest(tmp_path / "out")
    manifest["tokenizer"]["fingerprint"] = "0" * 64
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="not the one the dataset was built with"):
        TokenDataset.open(tmp_path / "out", "train")


def dies(table: pa.Table) -> pa.Table:
    os._exit(1)


def test_a_worker_that_dies_again_and_again_ends_the_build(ray_session: Any) -> None:
    with pytest.raises(ResourceError, match="a worker was lost 3 times"):
        list(map_tables([pa.table({"task": [0]})], dies))
