"""The gene finders of the comparison, and how each is run on a genome. Finished calls are not made again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.peers import augustus, genomes, training_genes
from benchmarks.peers.genomes import BenchmarkGenome
from benchmarks.peers.process_tree import Cost, cost_of
from benchmarks.process.commands import RAYGENE, raygene
from pipelines.gene_models import reader
from pipelines.gene_models.model import Gene
from pipelines.genome.fasta import Genome

ROOT = Path(__file__).resolve().parents[2]
PYRODIGAL = ROOT / ".venv" / "peers" / "bin" / "python"
SOURCE = ("--sources.0.fasta", "--sources.0.annotation")


@dataclass(frozen=True)
class Case:
    """One genome, its files, and where its results go.

    Attributes:
        genome: what is compared on.
        data: folder of all genomes.
        folder: of this genome's results.
        given_bundle, given_dataset: a finished model and dataset; None to make them.
        given_structure: a finished model of gene structure; None to train it.
    """

    genome: BenchmarkGenome
    data: Path
    folder: Path
    given_bundle: Path | None = None
    given_dataset: Path | None = None
    given_structure: Path | None = None

    @cached_property
    def sequences(self) -> Genome:
        return genomes.opened(self.genome, self.data)

    @cached_property
    def test_fasta(self) -> Path:
        """FASTA file of the held-out sequence."""
        path = self.folder / "test.fa"
        genomes.write_test_sequences(self.genome, self.sequences, path)
        return path

    @cached_property
    def bases(self) -> int:
        """Bases held out."""
        return sum(self.sequences.lengths[part.chromosome] - part.start for part in self.genome.test)

    @cached_property
    def training(self) -> dict[str, str]:
        """Name to letters of the sequence that is not held out."""
        return genomes.training_sequences(self.genome, self.sequences)

    @cached_property
    def coding_genes(self) -> Path:
        """GFF3 file of the annotation's protein-coding genes."""
        path = self.folder / "coding.gff3"
        genomes.write_coding_genes(self.genome, self.data, path)
        return path

    @property
    def experiment(self) -> Path:
        return ROOT / "examples" / self.genome.experiment

    @cached_property
    def dataset(self) -> Path:
        """raygene's dataset, built unless it is there."""
        if self.given_dataset:
            return self.given_dataset
        return self._built(self.experiment, "dataset")

    def _built(self, experiment: Path, name: str) -> Path:
        """The dataset of an experiment with the files of this genome."""
        files = [str(path) for path in self.genome.files(self.data)]
        flags = [part for pair in zip(SOURCE, files, strict=True) for part in pair]
        raygene("build", str(experiment), "--output", str(self.folder / name), *flags)
        return self.folder / name

    def _trained(self, experiment: Path, dataset: Path, name: str) -> Path:
        """The model of an experiment, trained unless it is there; what training took is kept beside it."""
        run = self.folder / name
        if not (run / "bundle" / "config.json").exists():
            command = ["train", str(experiment), "--dataset", str(dataset), "--output", str(run)]
            cost = cost_of([*RAYGENE, *command], self.folder / f"{name}.log")
            (self.folder / f"{name}.cost.json").write_text(json.dumps(asdict(cost)))
        return run / "bundle"

    @cached_property
    def bundle(self) -> Path:
        """raygene's model, trained unless it is there."""
        if self.given_bundle:
            return self.given_bundle
        return self._trained(self.experiment, self.dataset, "run")

    @cached_property
    def structure_bundle(self) -> Path:
        """raygene's model of gene structure, trained unless it is there."""
        if self.given_structure:
            return self.given_structure
        experiment = ROOT / "examples" / "structure" / self.experiment.name
        return self._trained(experiment, self._built(experiment, "structure-dataset"), "structure-run")

    @cached_property
    def fitted_bundle(self) -> Path:
        """A copy of the model with weights of reading frames, fitted unless it is there.

        They are fitted on validation sequences, which a split by chromosome has. With another split the model keeps
        the default weights.
        """
        fitted = self.folder / "fitted"
        if not (fitted / "config.json").exists():
            shutil.copytree(self.bundle, fitted, dirs_exist_ok=True)
        split = json.loads((fitted / "config.json").read_text())["dataset"]["config"]["split"]
        if split["by"] == "chromosome" and not (fitted / "reading_frames.json").exists():
            fasta, annotation = map(str, self.genome.files(self.data))
            flags = ["--fasta", fasta, "--annotation", annotation, "--orfs", "--fit-orfs"]
            output = self.folder / "fit" / "genes.gff3"
            cost = cost_of([*RAYGENE, "scan", str(fitted), *flags, "--output", str(output)], self.folder / "fit.log")
            (self.folder / "fit.cost.json").write_text(json.dumps(asdict(cost)))
        return fitted


def digest(*paths: Path) -> str:
    """SHA-256 of files, and of all files below folders."""
    whole = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                whole.update(file.read_bytes())
    return whole.hexdigest()


@dataclass(frozen=True)
class Caller:
    """A gene finder, or one way to run it.

    Attributes:
        seen: what it has seen of the held-out sequence and of the genome.
        settings: what differs from its defaults.
        prepare: makes what it needs, which is not counted as calling; returns what else decides its calls (a digest).
        call: writes a GFF3 file in coordinates of the held-out sequence.
    """

    seen: str
    settings: str
    prepare: Callable[[Case], str]
    call: Callable[[Case, Path], Cost]


def scan(bundle: Callable[[Case], Path], *flags: str) -> Callable[[Case, Path], Cost]:
    """raygene's scan by a model with further flags."""

    def call(case: Case, path: Path) -> Cost:
        for old in path.parent.glob("raw*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        command = [*RAYGENE, "scan", str(bundle(case)), "--fasta", str(case.test_fasta), "--output", str(path), *flags]
        return cost_of(command, path.parent / "scan.log", {"PYTHONPATH": str(ROOT)})

    return call


def annotate(case: Case, path: Path) -> Cost:
    """raygene's gene models by a model of gene structure, scores of bases computed anew."""
    for old in path.parent.glob("raw*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    files = ["--fasta", str(case.test_fasta), "--output", str(path), "--discard-scores"]
    command = [*RAYGENE, "annotate", str(case.structure_bundle), *files]
    return cost_of(command, path.parent / "annotate.log", {"PYTHONPATH": str(ROOT)})


def with_own_parameters(*flags: str) -> Callable[[Case, Path], Cost]:
    """AUGUSTUS with the parameters that come with it."""
    return lambda case, path: augustus.predict(case.genome.augustus, case.test_fasta, path, settings=flags)


def train_augustus(case: Case) -> str:
    """Train a species of AUGUSTUS on the genes of the train split; returns a digest of the records."""
    folder = case.folder / "retrained"
    folder.mkdir(exist_ok=True)
    genbank = folder / "train.gb"
    genes = [
        gene
        for gene in reader.read(case.coding_genes, case.sequences.lengths).genes
        if gene.chromosome in case.training
    ]
    training = in_train_split(case, genes)
    with genbank.open("w") as stream:
        written = training_genes.write(stream, training, genes, case.training)
    cost = augustus.retrain(species(case), genbank, folder / "config")
    summary = {"genes": written.genes, "records": written.records, "left_out": dict(written.left_out)}
    (folder / "training.json").write_text(json.dumps(summary | {"cost": asdict(cost)}))
    return digest(genbank)


def in_train_split(case: Case, genes: list[Gene]) -> list[Gene]:
    """The coding genes that the dataset's train split shows as genes, by sequence and name, or by their mRNA's."""
    rows = pq.read_table(case.dataset / "split=train", columns=["chromosome", "gene_id", "label"], partitioning=None)
    columns = (rows[name].to_pylist() for name in ("chromosome", "gene_id", "label"))
    shown = {(chromosome, name) for chromosome, name, label in zip(*columns, strict=True) if label}
    chosen = [
        gene
        for gene in genes
        if any(
            (gene.chromosome, name) in shown
            for name in (gene.gene_id, *(transcript.transcript_id for transcript in gene.transcripts))
        )
    ]
    if not chosen:
        raise SystemExit(f"{case.dataset}: none of its training genes is in the annotation of {case.genome.name}")
    return chosen


def species(case: Case) -> str:
    """Name of the retrained species."""
    return f"raygene_{case.genome.name}"


def retrained(case: Case, path: Path) -> Cost:
    """AUGUSTUS retrained."""
    config = case.folder / "retrained" / "config"
    return augustus.predict(species(case), case.test_fasta, path, config, ("--sample=0",))


def train_pyrodigal(case: Case) -> str:
    """Write the sequence that pyrodigal trains on."""
    path = case.folder / "training.fa"
    genomes.write_fasta(path, case.training)
    return digest(path)


def pyrodigal(case: Case, path: Path) -> Cost:
    """Prodigal, training included: it has no model of its own to load."""
    script = ROOT / "benchmarks" / "peers" / "find_with_pyrodigal.py"
    command = [str(PYRODIGAL), str(script), str(case.folder / "training.fa"), str(case.test_fasta), str(path)]
    return cost_of(command, path.parent / "pyrodigal.log")


OWN_PARAMETERS = "others trained the parameters on this species; held-out genes were not left out"
TRAIN_SPLIT = "the train split; default thresholds, chosen on validation chromosomes of S. cerevisiae"
FITTED = "the train split, its splice sites too; weights of frames from validation chromosomes (by region: defaults)"
CALLERS = {
    "raygene": Caller(TRAIN_SPLIT, "raygene scan", lambda case: digest(case.bundle), scan(lambda case: case.bundle)),
    "raygene-orfs": Caller(
        FITTED,
        "raygene scan --orfs, fitted",
        lambda case: digest(case.fitted_bundle),
        scan(lambda case: case.fitted_bundle, "--orfs"),
    ),
    "raygene-annotate": Caller(
        "the train split; weights of the decoder from validation",
        "raygene annotate",
        lambda case: digest(case.structure_bundle),
        annotate,
    ),
    "augustus": Caller(OWN_PARAMETERS, "--sample=0", lambda case: "", with_own_parameters("--sample=0")),
    "augustus-sampled": Caller(OWN_PARAMETERS, "", lambda case: "", with_own_parameters()),
    "augustus-retrained": Caller("complete genes of the train split", "--sample=0", train_augustus, retrained),
    "pyrodigal": Caller("sequence of the train split, no genes", "genetic code 1", train_pyrodigal, pyrodigal),
}


def calls_of(case: Case, name: str) -> tuple[Path, Cost]:
    """The calls of one caller in coordinates of the genome, and what they took; made unless they are there."""
    caller, folder = CALLERS[name], case.folder / name
    calls, record = case.folder / f"{name}.gff3", folder / "record.json"
    folder.mkdir(parents=True, exist_ok=True)
    identity = hashlib.sha256(
        repr((caller.settings, digest(case.test_fasta), caller.prepare(case))).encode()
    ).hexdigest()
    if record.exists() and calls.exists():
        stored = json.loads(record.read_text())
        if stored["identity"] == identity:
            return calls, Cost(**stored["cost"])
    print(f"{case.genome.name}: {name}", flush=True)
    raw = folder / "raw.gff3"
    cost = caller.call(case, raw)
    with raw.open() as stream:
        calls.write_text("##gff-version 3\n" + "".join(genomes.moved_back(case.genome, stream)))
    record.write_text(json.dumps({"identity": identity, "cost": asdict(cost)}))
    return calls, cost
