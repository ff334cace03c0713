from __future__ import annotations

from pathlib import Path

import pytest

from cluster.experiment import load
from tests.cluster.command_line import one_line, run_here
from tests.conftest import GenomeFiles
from tests.pipelines.build.gene_genomes import make_gene_genome


def test_a_structure_experiment_passes_a_dry_run_with_the_split_that_was_shown(tmp_path: Path) -> None:
    genes = make_gene_genome(tmp_path / "genes", bases=30_000)
    files = ["--fasta", genes.fasta, "--annotation", genes.annotation]
    done = run_here("init", tmp_path / "mine", "--preset", "structure", *files)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    assert f"raygene build {path} --output {tmp_path}/mine/data" in done.stdout
    experiment = load(path, {})
    assert experiment.task == "structure"
    assert Path(str(experiment.sources[0].fasta)).samefile(genes.fasta)
    dry = run_here("build", path, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    planned = {line.split()[0]: line.split() for line in dry.stdout.splitlines() if line.strip()}
    for split in ("train", "validation", "test"):
        assert planned[split][-2] == rows[split][-2]
    assert planned["tokenizer.tail"] == ["tokenizer.tail", "anchor"]
    assert "time: about" in dry.stdout


def test_a_scan_experiment_passes_a_dry_run(genome: GenomeFiles, tmp_path: Path) -> None:
    files = ["--fasta", genome.fasta, "--annotation", genome.annotation]
    done = run_here("init", tmp_path / "mine", "--preset", "scan", "--genome", "toy", *files)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    assert load(path, {}).sources[0].genome == "toy"
    assert run_here("build", path, "--dry-run").returncode == 0


@pytest.mark.parametrize("preset", ["recognise", "search"])
def test_experiments_of_genes_and_other_intervals_pass_a_dry_run(
    genome: GenomeFiles, tmp_path: Path, preset: str
) -> None:
    files = ["--fasta", genome.fasta, "--annotation", genome.annotation]
    done = run_here("init", tmp_path / "mine", "--preset", preset, *files)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    experiment = load(path, {})
    assert experiment.crop.length == 512
    assert bool(experiment.tuning.space) == (preset == "search")
    following = {"recognise": "raygene predict", "search": "raygene tune"}[preset]
    assert following in done.stdout
    assert run_here("build", path, "--dry-run").returncode == 0


@pytest.mark.parametrize(("kept", "passes"), [(2, False), (3, True)])
def test_of_few_genes_each_split_has_one_or_the_annotation_is_refused(tmp_path: Path, kept: int, passes: bool) -> None:
    genes = make_gene_genome(tmp_path / "genes", bases=30_000)
    rows = [row for row in genes.annotation.read_text().splitlines() if row.startswith("chr1\t")]
    first = [number for number, row in enumerate(rows) if row.split("\t")[2] == "gene"]
    few = tmp_path / "few.gff3"
    few.write_text("\n".join(rows[: first[kept]]) + "\n")
    done = run_here("init", tmp_path / "mine", "--fasta", genes.fasta, "--annotation", few)
    if not passes:
        assert one_line(done, 1) == (
            f"raygene: error: {few}: too few genes for train, validation and test, or they overlap one another: give "
            "an annotation with three genes or more that do not overlap, or more genomes"
        )
        assert not (tmp_path / "mine").exists()
        return
    assert done.returncode == 0, done.stderr
    dry = run_here("build", tmp_path / "mine" / "experiment.yaml", "--dry-run")
    assert dry.returncode == 0, dry.stderr


def test_labelled_sequences_without_test_pass_a_dry_run(tmp_path: Path) -> None:
    flags = [word for split in ("train", "validation") for word in (f"--{split}", tmp_path / f"{split}.csv")]
    for path in flags[1::2]:
        Path(path).write_text(
            "\n".join(["sequence,label", *(f"{'ACGT' * 9},{number % 2}" for number in range(60)), ""])
        )
    assert run_here("init", tmp_path / "mine", *flags, "--genome", "toy").returncode == 0
    dry = run_here("build", tmp_path / "mine" / "experiment.yaml", "--dry-run")
    assert dry.returncode == 0, dry.stderr


def test_labelled_sequences_keep_their_files_and_pass_a_dry_run(tmp_path: Path) -> None:
    splits = {"train": 400, "validation": 100, "test": 100}
    for split, count in splits.items():
        rows = [f"{'ACCA' if number % 2 else 'TGTT'}{'ACGT' * 5},{number % 2}" for number in range(count)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["sequence,label", *rows, ""]))
    flags = [word for split in splits for word in (f"--{split}", tmp_path / f"{split}.csv")]
    done = run_here("init", tmp_path / "mine", *flags, "--genome", "toy")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    experiment = load(path, {})
    assert experiment.model.absolute_positions
    assert experiment.sources[0].genome == "toy"
    assert Path(str(experiment.sources[0].validation)).samefile(tmp_path / "validation.csv")
    dry = run_here("build", path, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert next(line for line in dry.stdout.splitlines() if line.split()[:1] == ["train"]).split()[-2:] == [
        "200",
        "66.7%",
    ]


def test_several_genomes_are_split_each_and_named_with_their_genome(tmp_path: Path) -> None:
    genomes = {name: make_gene_genome(tmp_path / name, seed=seed, bases=20_000) for seed, name in enumerate("ab")}
    flags = [
        word
        for name, one in genomes.items()
        for word in ("--fasta", one.fasta, "--annotation", one.annotation, "--genome", name)
    ]
    done = run_here("init", tmp_path / "mine", *flags)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    experiment = load(path, {})
    assert [source.genome for source in experiment.sources] == ["a", "b"]
    assert isinstance(experiment.split.test, list)
    assert {name.split(":")[0] for name in experiment.split.test} == {"a", "b"}
    assert run_here("build", path, "--dry-run").returncode == 0


@pytest.mark.parametrize(("sequences", "is_noted"), [(3, True), (70, False)])
def test_a_genome_of_few_genes_is_said_to_be_in_train_unless_shares_are_drawn_of_it_too(
    tmp_path: Path, sequences: int, is_noted: bool
) -> None:
    flags: list[str | Path] = []
    for name, number, genes in (("a", sequences, 1), ("a2", 6, 4), ("b", 1, 2)):
        fasta, annotation = tmp_path / f"{name}.fa", tmp_path / f"{name}.gff3"
        names = [f"{name}{index}" for index in range(number)]
        fasta.write_text("".join(f">{one}\n{'ACGTTGCA' * 500}\n" for one in names))
        rows = [
            f"{one}\tx\tgene\t{1 + 1000 * gene}\t{600 + 1000 * gene}\t.\t+\t.\tID={one}.{gene}\n"
            for one in names
            for gene in range(genes)
        ]
        annotation.write_text("##gff-version 3\n" + "".join(rows))
        flags += ["--fasta", fasta, "--annotation", annotation, "--genome", name]
    done = run_here("init", tmp_path / "mine", "--preset", "recognise", *flags)
    assert done.returncode == 0, done.stderr
    assert ("b: nothing is held out" in done.stderr) == is_noted


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fasta", "a.fa"], "--annotation: missing"),
        (
            ["--fasta", "a.fa", "--fasta", "b.fa", "--annotation", "a.gff"],
            "--fasta is given 2 and --annotation 1 times",
        ),
        (
            ["--fasta", "a.fa", "--fasta", "b/a.fa", "--annotation", "x", "--annotation", "y"],
            "two genomes have the name",
        ),
        (["--train", "a.csv"], "no such file"),
        (["--train", "t.csv", "--fasta", "a.fa"], "give one of the two"),
        (["--train", "t.csv", "--preset", "scan"], "--preset scan: needs a genome"),
        (["--fasta", "a.fa", "--annotation", "a.gff", "--preset", "promoters"], "needs labelled sequences"),
        (["--validation", "t.csv"], "--train: missing"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(tmp_path: Path, flags: list[str], message: str) -> None:
    (tmp_path / "t.csv").write_text("sequence,label\nACGT,1\n")
    given = [str(tmp_path / word) if word == "t.csv" else word for word in flags]
    line = one_line(run_here("init", tmp_path / "mine", *given), 1 if message == "no such file" else 2)
    assert message in line
    assert not (tmp_path / "mine").exists()


def test_a_fasta_of_labelled_sequences_is_refused_with_what_init_takes(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        (tmp_path / f"{split}.fa").write_text(">a\nACGT\n")
    flags = [word for split in ("train", "validation") for word in (f"--{split}", tmp_path / f"{split}.fa")]
    assert one_line(run_here("init", tmp_path / "mine", *flags), 1) == (
        f"raygene: error: {tmp_path / 'train.fa'}: FASTA holds no labels: give CSV or TSV with the columns sequence "
        "and label, or write an experiment with sources.labels"
    )
    assert not (tmp_path / "mine").exists()


def test_an_experiment_that_exists_is_not_overwritten(genome: GenomeFiles, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("mine")
    files = ["--fasta", genome.fasta, "--annotation", genome.annotation]
    line = one_line(run_here("init", tmp_path, "--preset", "scan", *files), 2)
    assert "experiment.yaml: exists already: choose another DIR" in line
    assert path.read_text() == "mine"


def test_organelles_are_left_out_and_named(genome: GenomeFiles, tmp_path: Path) -> None:
    fasta, annotation = tmp_path / "genome.fa", tmp_path / "genes.gff3"
    fasta.write_text(
        genome.fasta.read_text().replace(">chr1 a toy chromosome", ">chr1 Toy mitochondrion, complete genome")
    )
    annotation.write_text(genome.annotation.read_text())
    done = run_here("init", tmp_path / "mine", "--preset", "scan", "--fasta", fasta, "--annotation", annotation)
    assert done.returncode == 0, done.stderr
    assert "organelles are left out: chr1 (" in done.stderr
    chromosomes = load(tmp_path / "mine" / "experiment.yaml", {}).sources[0].chromosomes
    assert chromosomes is not None
    assert "chr1" not in chromosomes


@pytest.mark.parametrize("missing", ["--fasta", "--annotation"])
def test_a_file_that_is_missing_is_one_line(genome: GenomeFiles, tmp_path: Path, missing: str) -> None:
    files = {"--fasta": genome.fasta, "--annotation": genome.annotation, missing: tmp_path / "none"}
    words = [word for pair in files.items() for word in pair]
    line = one_line(run_here("init", tmp_path / "mine", "--preset", "scan", *words), 1)
    assert "no such file" in line
    assert not (tmp_path / "mine").exists()
