"""The maize example on a genome of a thousandth of its size, built with the experiment file as it is."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.experiment import load
from examples.maize import look_alike
from examples.maize.look_alike import Masking, Written
from pipelines.build.pipeline import build
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.genome import intervals
from pipelines.genome.sequence import runs_of_n
from pipelines.progress import Silent
from tests.cluster.command_line import run_alone

EXPERIMENT = Path(look_alike.__file__).with_name("experiment.yaml")
CHROMOSOMES = [str(number) for number in range(1, 11)]
# The flags that examples/maize/README.md gives for each file.
FLAGS: dict[Masking, list[str]] = {
    "soft": [],
    "hard": ["--negatives.min_n_run", "100", "--crop.length", "200"],
    "none": ["--split.validation", "chr9", "--split.test", "chr10"],
}
MASKINGS: list[Masking] = list(FLAGS)


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Masking, Written]:
    """The look-alike in each masking, each with a copy of the experiment in its folder."""
    genomes: dict[Masking, Written] = {}
    for masking in MASKINGS:
        folder = tmp_path_factory.mktemp(masking)
        genomes[masking] = look_alike.write(folder, masking=masking)
        shutil.copy(EXPERIMENT, folder)
    return genomes


def flags(written: Written, masking: Masking) -> list[str]:
    return ["--sources.0.fasta", str(written.fasta), *FLAGS[masking]]


def overrides(written: Written, masking: Masking) -> dict[tuple[str | int, ...], Any]:
    values: dict[tuple[str | int, ...], Any] = {("sources", 0, "fasta"): str(written.fasta)}
    for flag, value in zip(FLAGS[masking][::2], FLAGS[masking][1::2], strict=True):
        section, key = flag.removeprefix("--").split(".")
        values[section, key] = int(value) if value.isdigit() else value
    return values


@pytest.fixture(scope="module")
def built(
    genomes: dict[Masking, Written], tmp_path_factory: pytest.TempPathFactory, ray_session: Any
) -> dict[Masking, Path]:
    """The dataset of each masking."""
    output = tmp_path_factory.mktemp("built")
    for masking, written in genomes.items():
        experiment = load(written.fasta.with_name("experiment.yaml"), overrides(written, masking))
        build(experiment.dataset("experiment.yaml"), output / masking, ray_session, Silent())
    return {masking: output / masking for masking in genomes}


def rows(dataset: Path) -> list[dict[str, Any]]:
    splits = ("train", "validation", "test")
    return [row for split in splits for row in TokenDataset.open(dataset, split).table.to_pylist()]


def gene_bounds(written: Written) -> dict[str, np.ndarray[Any, Any]]:
    """Start and end of the genes of every sequence, by its name in the FASTA file."""
    bounds: dict[str, list[list[int]]] = {}
    for line in gzip.decompress(written.annotation.read_bytes()).decode().splitlines():
        name, _, kind, start, end, *_ = [*line.split("\t"), *[""] * 4]
        if kind == "gene":
            shown = name if name in written.lengths else name.removeprefix("chr")
            bounds.setdefault(shown, []).append([int(start) - 1, int(end)])
    return {name: np.array(rows) for name, rows in bounds.items()}


def bases(written: Written) -> dict[str, np.ndarray[Any, Any]]:
    records = gzip.decompress(written.fasta.read_bytes()).decode().split(">")[1:]
    named = (record.split("\n", 1) for record in records)
    return {header.split()[0]: np.frombuffer(text.replace("\n", "").encode(), np.uint8) for header, text in named}


def test_the_experiment_names_the_files_that_the_look_alike_writes(genomes: dict[Masking, Written]) -> None:
    (source,) = load(EXPERIMENT, {}).dataset("experiment.yaml").sources
    assert Path(str(source.fasta)).name == genomes["soft"].fasta.name
    assert Path(str(source.annotation)).name == genomes["soft"].annotation.name


def test_the_look_alike_has_the_proportions_of_maize(genomes: dict[Masking, Written]) -> None:
    written = genomes["soft"]
    lengths = [written.lengths[name] for name in CHROMOSOMES]
    assert lengths == [round(bases / 1000) for bases in look_alike.CHROMOSOMES]
    assert 17 < sum(written.genes[name] for name in CHROMOSOMES) / sum(lengths) * 1e6 < 19
    assert len(written.lengths) > len(CHROMOSOMES)
    sizes = np.concatenate([gaps[:, 1] - gaps[:, 0] for gaps in written.gaps.values()])
    assert {13, 100} < set(sizes.tolist())
    assert 0.7 < written.masked / sum(written.lengths.values()) < 0.85


def test_the_look_alike_is_reproducible_and_replaces_no_file(genomes: dict[Masking, Written], tmp_path: Path) -> None:
    again = look_alike.write(tmp_path)
    for path, first in ((again.fasta, genomes["soft"].fasta), (again.annotation, genomes["soft"].annotation)):
        assert path.read_bytes() == first.read_bytes()
    assert look_alike.write(tmp_path / "other", seed=1).fasta.read_bytes() != again.fasta.read_bytes()
    with pytest.raises(FileExistsError):
        look_alike.write(tmp_path)


def test_the_command_reports_what_it_wrote_and_refuses_to_overwrite_it(tmp_path: Path) -> None:
    command = [sys.executable, look_alike.__file__, str(tmp_path), "--hard"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "dna_rm.toplevel.fa.gz: 13 sequences" in output
    assert "38 genes on the chromosomes, 3 on scaffolds" in output
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert "Traceback" not in again.stderr


def test_maskings_differ_in_the_repeats_only(genomes: dict[Masking, Written]) -> None:
    soft, hard, plain = (bases(genomes[masking]) for masking in MASKINGS)
    for name in CHROMOSOMES:
        lower = soft[name] >= ord("a")
        assert (soft[name] & 0xDF == plain[f"chr{name}"]).all()
        assert (hard[name][lower] == ord("N")).all()
        assert (hard[name][~lower] == plain[f"chr{name}"][~lower]).all()
        gaps = genomes["soft"].gaps[name]
        assert (runs_of_n(soft[name], 1) == gaps).all()
        assert (gaps == genomes["hard"].gaps[name]).all()


# Without `full`, the other maskings are built by `built`, with the same flags.
@pytest.mark.parametrize(
    "masking", ["soft", *(pytest.param(name, marks=pytest.mark.full) for name in ("hard", "none"))]
)
def test_a_dry_run_reports_ten_sequences_and_every_gene_on_them(
    masking: Masking, genomes: dict[Masking, Written], tmp_path: Path
) -> None:
    written = genomes[masking]
    path = written.fasta.with_name("experiment.yaml")
    finished = run_alone("build", path, "--output", tmp_path / "out", "--dry-run", *flags(written, masking))
    assert finished.returncode == 0, finished.stderr
    on_chromosomes = sum(list(written.genes.values())[:10])
    (line,) = (line.split() for line in finished.stdout.splitlines() if line.split()[:1] == ["B73"])
    assert line[1:6] == ["10", "of", str(len(written.lengths)), str(on_chromosomes), str(2 * on_chromosomes)]
    assert f"{sum(written.genes.values()) - on_chromosomes} left out: chromosome not chosen" in finished.stderr
    assert "warning" not in finished.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.ray
@pytest.mark.parametrize("masking", MASKINGS)
def test_the_dataset_holds_the_ten_chromosomes_in_the_splits_named(
    masking: Masking, built: dict[Masking, Path]
) -> None:
    prefix = "chr" if masking == "none" else ""
    names = {f"{prefix}{number}" for number in CHROMOSOMES}
    held_out = {f"{prefix}9": "validation", f"{prefix}10": "test"}
    records = rows(built[masking])
    assert {row["chromosome"] for row in records} == names
    assert all(row["split"] == held_out.get(row["chromosome"], "train") for row in records)
    for label in (0, 1):
        assert {row["split"] for row in records if row["label"] == label} == {"train", "validation", "test"}


@pytest.mark.ray
def test_every_gene_is_kept_or_counted_whatever_the_masking(
    built: dict[Masking, Path], genomes: dict[Masking, Written]
) -> None:
    for masking, path in built.items():
        manifest = read_manifest(path)
        genes, dropped = manifest["genes"]["B73"], manifest["dropped"]["B73"]
        assert genes["annotated"] == sum(genomes[masking].genes.values())
        assert set(dropped) <= {"chromosome_not_chosen", "no_match"}
        assert genes["annotated"] == genes["kept"] + sum(dropped.values())
        assert genes["kept"] == genes["negatives"] > genes["usable"] / 2


@pytest.mark.ray
@pytest.mark.parametrize("masking", MASKINGS)
def test_no_negative_lies_on_a_gap_or_near_a_gene(
    masking: Masking, built: dict[Masking, Path], genomes: dict[Masking, Written]
) -> None:
    shortest = 100 if masking == "hard" else 10
    genes = gene_bounds(genomes[masking])
    negatives = [row for row in rows(built[masking]) if row["label"] == 0]
    assert negatives
    for row in negatives:
        interval = np.array([[row["start"], row["end"]]])
        gaps = genomes[masking].gaps[row["chromosome"]]
        assert not intervals.overlaps(interval, gaps[gaps[:, 1] - gaps[:, 0] >= shortest]).any()
        assert not intervals.overlaps(interval, genes[row["chromosome"]] + np.array([-500, 500])).any()


@pytest.mark.ray
def test_pairs_share_length_gc_and_soft_masked_bases(built: dict[Masking, Path]) -> None:
    records = rows(built["soft"])
    genes = {row["gene_id"]: row for row in records if row["label"] == 1}
    negatives = [row for row in records if row["label"] == 0]
    assert len(genes) == len(negatives)
    assert any(row["soft_masked_share"] > 0.1 for row in negatives)
    for negative in negatives:
        gene = genes[negative["gene_id"]]
        assert negative["end"] - negative["start"] == gene["end"] - gene["start"]
        for share in ("gc", "soft_masked_share"):
            assert negative[share] == pytest.approx(gene[share], abs=0.02 + 1e-6)
