"""Figures of `compare` next to those of `gt eval` (GenomeTools) on real annotations and on calls made from them.

Where both define a figure the counts are equal, one by one. docs/compare.md says which those are.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.peers.genomes import coding_rows
from pipelines.comparison import levels
from pipelines.comparison.compare import compare
from pipelines.comparison.levels import Level
from pipelines.gene_models import reader

DATA = os.environ.get("RAYGENE_DATA")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(shutil.which("gt") is None, reason="gt is not installed: scripts/setup-full.sh does it"),
    pytest.mark.skipif(DATA is None, reason="RAYGENE_DATA does not name the folder of genomes"),
]

ANNOTATIONS = {
    "S. cerevisiae": "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
    "S. pombe": "schizosaccharomyces_pombe/derived_names_matched.gff3.gz",
    "D. melanogaster, one per cent": "one_percent_builds/dm1pct.gff3.gz",
}
Spans = list[tuple[int, int]]
# Of `gt eval`: what it calls a level, and the key here. Counts of distinct rows and bases, whatever the file.
ALWAYS = {
    "exon (mRNA level, all, collapsed)": "exon",
    "exon (CDS level, all, collapsed)": "cds_exon",
    "nucleotide (mRNA level)": "exon_base",
    "nucleotide (CDS level)": "cds_base",
}


@dataclass
class Model:
    """One transcript, 1-based inclusive as in the file."""

    gene: str
    chromosome: str
    strand: str
    exons: Spans
    cds: Spans = field(default_factory=list)


def attributes(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)


def models_of(rows: Iterable[str]) -> list[Model]:
    """The mRNA of a GFF3 file, by a reader of its own; without exon rows, exons are CDS and UTR rows that touch."""
    columns = [row.rstrip("\n").split("\t") for row in rows]
    parts: dict[str, dict[str, Spans]] = defaultdict(lambda: defaultdict(list))
    for row in columns:
        for parent in attributes(row[8]).get("Parent", "").split(","):
            parts[parent][row[2]].append((int(row[3]), int(row[4])))
    found = []
    for row in columns:
        if row[2] == "mRNA":
            names = attributes(row[8])
            own = parts[names["ID"]]
            exons = sorted(own["exon"]) or joined([part for kind in own if kind != "intron" for part in own[kind]])
            found.append(Model(names["Parent"], row[0], row[6], exons, sorted(own["CDS"])))
    return found


def joined(spans: Spans) -> Spans:
    """Spans with those that touch made one."""
    whole: Spans = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((start, end))
    return whole


def calls_from(models: list[Model], lengths: dict[str, int], seed: int) -> list[Model]:
    """Calls as a gene finder makes them: mostly right, with ends and exons shifted, genes lost, turned and made up."""
    generator = random.Random(seed)
    genes: dict[str, list[Model]] = defaultdict(list)
    for model in models:
        genes[model.gene].append(model)
    calls = []
    for name, isoforms in genes.items():
        if generator.random() < 0.08:
            continue
        chosen = isoforms if generator.random() < 0.3 else [generator.choice(isoforms)]
        strand = chosen[0].strand
        if generator.random() < 0.03:
            strand = "-" if strand == "+" else "+"
        for model in chosen:
            exons, cds = list(model.exons), list(model.cds)
            change = generator.random()
            if change < 0.12:  # one exon has another end
                moved = generator.randrange(len(exons))
                old = exons[moved]
                exons[moved] = (max(old[0] - generator.randrange(3, 40), 1), old[1])
                cds = [exons[moved] if part == old else part for part in cds]
            elif change < 0.2 and len(exons) > 2:  # an exon is lost
                lost = exons.pop(generator.randrange(1, len(exons) - 1))
                cds = [part for part in cds if not (lost[0] <= part[0] and part[1] <= lost[1])] or cds
            elif change < 0.24:  # the CDS starts elsewhere
                cds[0] = (cds[0][0] + 3, cds[0][1]) if cds[0][1] - cds[0][0] > 6 else cds[0]
            calls.append(Model(f"call {name}", model.chromosome, strand, without_overlaps(exons), cds))
    for number in range(len(genes) // 30):  # made up
        chromosome = generator.choice([*lengths])
        start = generator.randrange(1, max(lengths[chromosome] - 900, 2))
        span = [(start, start + 300), (start + 400, start + 600)]
        calls.append(Model(f"made up {number}", chromosome, generator.choice("+-"), span, span))
    return calls


def without_overlaps(exons: Spans) -> Spans:
    """Exons in order, each cut off where the one before it ends."""
    whole: Spans = []
    for start, end in sorted(exons):
        first = max(start, whole[-1][1] + 2) if whole else start
        if first <= end:
            whole.append((first, end))
    return whole


def write(path: Path, models: list[Model], lengths: dict[str, int]) -> Path:
    """Write genes as GFF3: gene, mRNA, exon and CDS rows."""
    genes: dict[str, list[Model]] = defaultdict(list)
    for model in models:
        genes[model.gene].append(model)
    with path.open("w") as stream:
        stream.write("##gff-version 3\n")
        stream.writelines(f"##sequence-region {name} 1 {length}\n" for name, length in lengths.items())
        for number, isoforms in enumerate(genes.values()):
            first = isoforms[0]
            start, end = min(model.exons[0][0] for model in isoforms), max(model.exons[-1][1] for model in isoforms)

            def row(kind: str, span: tuple[int, int], names: str, at: Model = first) -> str:
                phase = "0" if kind == "CDS" else "."
                return f"{at.chromosome}\tx\t{kind}\t{span[0]}\t{span[1]}\t.\t{at.strand}\t{phase}\t{names}\n"

            stream.write(row("gene", (start, end), f"ID=g{number}"))
            for isoform, model in enumerate(isoforms):
                own = f"g{number}.{isoform}"
                whole = (model.exons[0][0], model.exons[-1][1])
                stream.write(row("mRNA", whole, f"ID={own};Parent=g{number}"))
                stream.writelines(row("exon", span, f"Parent={own}") for span in model.exons)
                stream.writelines(row("CDS", span, f"ID={own}.c;Parent={own}") for span in model.cds)
    return path


def sorted_by_gt(path: Path) -> Path:
    """The file in the order, and with the phases, that gt needs."""
    path = path.rename(path.with_suffix(".unsorted"))
    target = path.with_suffix(".gff3")
    subprocess.run(["gt", "gff3", "-sort", "-tidy", "-retainids", "-o", target, path], check=True, capture_output=True)
    return target


def gt_eval(annotation: Path, calls: Path) -> dict[str, tuple[int, int, int]]:
    """Level to annotated, called and right, as `gt eval` counts them."""
    command = ["gt", "eval", str(annotation), str(calls)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    pattern = r"^(\w+) (sensitivity|specificity) \((.*?)\): .*? \((?:TP=)?(\d+)/\(?(?:TP=\d+ \+ F.=)?(\d+)\)"
    for kind, side, level, right, whole in re.findall(pattern, text, re.MULTILINE):
        row = counts[f"{kind} ({level})"]
        row[side == "specificity"] = int(whole) + (int(right) if kind == "nucleotide" else 0)
        row[2] = int(right)
    for kind, side, number in re.findall(r"^(\w+) \w+ \(.*\((missing|wrong) \w+: (\d+)\)", text, re.MULTILINE):
        counts[f"{kind} (touched)"][side == "wrong"] = int(number)
    return {level: (row[0], row[1], row[2]) for level, row in counts.items()}


def own_levels(annotation: Path, calls: Path, lengths: dict[str, int]) -> dict[str, Level]:
    genes, called = (reader.read(path, lengths).genes for path in (annotation, calls))
    [result] = compare(genes, {"calls": called}, lengths).call_sets
    return levels.of_sums(result.counts.sum(axis=0))


def triple(level: Level) -> tuple[int, int, int]:
    assert level.recovered == level.correct
    return level.annotated, level.called, level.recovered


@dataclass(frozen=True)
class Genome:
    """An annotation and its forms that are compared, each as models and as a file."""

    lengths: dict[str, int]
    models: list[Model]
    single: list[Model]
    coding: list[Model]
    files: dict[str, Path]

    def called(self, form: str, folder: Path, seed: int) -> tuple[Path, Path]:
        """The files of one form of the annotation and of calls."""
        calls = calls_from({"models": self.models, "single": self.single}[form], self.lengths, seed)
        if form == "single":
            calls = one_each(calls)
        return self.files[form], sorted_by_gt(write(folder / "calls.gff3", calls, self.lengths))


@pytest.fixture(scope="module", params=ANNOTATIONS)
def genome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Genome:
    assert DATA
    with gzip.open(Path(DATA) / ANNOTATIONS[request.param], "rt") as stream:
        rows = with_parents(list(coding_rows(stream.readlines())))
    models = models_of(rows)
    lengths: dict[str, int] = {}
    for model in models:
        lengths[model.chromosome] = max(lengths.get(model.chromosome, 0), model.exons[-1][1] + 1000)
    single = one_each(models)
    coding = [replace(model, exons=model.cds) for model in single]
    folder = tmp_path_factory.mktemp("annotations")
    published = folder / "published.gff3"
    regions = "".join(f"##sequence-region {name} 1 {length}\n" for name, length in lengths.items())
    published.write_text("##gff-version 3\n" + regions + "".join(rows))
    files = {"published": published}
    for form, chosen in (("models", models), ("single", single), ("coding", coding)):
        files[form] = write(folder / f"{form}.gff3", chosen, lengths)
    return Genome(lengths, models, single, coding, {form: sorted_by_gt(path) for form, path in files.items()})


SEEDS = pytest.mark.parametrize("seed", range(2))


@SEEDS
def test_exons_and_their_bases_are_counted_as_by_gt_eval(genome: Genome, tmp_path: Path, seed: int) -> None:
    annotation, called = genome.called("models", tmp_path, seed)
    theirs, ours = gt_eval(annotation, called), own_levels(annotation, called, genome.lengths)
    assert {level: theirs[level] for level in ALWAYS} == {level: triple(ours[key]) for level, key in ALWAYS.items()}
    assert min(ours[key].correct for key in ALWAYS.values()) > 100


def test_coding_exons_of_the_annotation_as_published_are_counted_as_by_gt_eval(genome: Genome, tmp_path: Path) -> None:
    _, called = genome.called("models", tmp_path, 7)
    annotation = genome.files["published"]
    theirs, ours = gt_eval(annotation, called), own_levels(annotation, called, genome.lengths)
    for level in ("exon (CDS level, all, collapsed)", "nucleotide (CDS level)"):
        assert theirs[level] == triple(ours[ALWAYS[level]])


@SEEDS
def test_transcripts_and_genes_of_one_transcript_each_are_counted_as_by_gt_eval(
    genome: Genome, tmp_path: Path, seed: int
) -> None:
    annotation, called = genome.called("single", tmp_path, seed)
    theirs, ours = gt_eval(annotation, called), own_levels(annotation, called, genome.lengths)
    assert theirs["mRNA (mRNA level)"] == triple(ours["transcript"])
    assert theirs["gene (mRNA level)"] == triple(ours["gene"])
    assert ours["gene"].correct > 50


@SEEDS
def test_coding_genes_without_utrs_are_counted_as_by_gt_eval(genome: Genome, tmp_path: Path, seed: int) -> None:
    calls = [replace(model, exons=model.cds) for model in one_each(calls_from(genome.coding, genome.lengths, seed))]
    called = sorted_by_gt(write(tmp_path / "calls.gff3", calls, genome.lengths))
    annotation = genome.files["coding"]
    theirs, ours = gt_eval(annotation, called), own_levels(annotation, called, genome.lengths)
    assert theirs["gene (CDS level)"] == triple(ours["cds"])
    assert theirs["mRNA (CDS level)"] == triple(ours["cds"])


@SEEDS
def test_genes_missed_and_made_up_are_those_of_gt_eval_but_for_genes_inside_others(
    genome: Genome, tmp_path: Path, seed: int
) -> None:
    """A call with exactly the ends of a gene overlaps genes of these ends alone in `gt eval`, and all here."""
    annotation, called = genome.called("models", tmp_path, seed)
    missing, wrong, _ = gt_eval(annotation, called)["gene (touched)"]
    ours = own_levels(annotation, called, genome.lengths)["touched"]
    assert ours.called - ours.correct == wrong
    assert 0 <= missing - (ours.annotated - ours.recovered) <= 0.02 * ours.annotated


def with_parents(rows: list[str]) -> list[str]:
    """The rows whose parents are there, as GFF3 requires: pieces of genomes hold genes that lost their row."""
    names = [attributes(row.split("\t")[8]) for row in rows]
    known = {name["ID"] for name in names if "ID" in name and "Parent" not in name}
    while True:
        more = {name["ID"] for name in names if "ID" in name and set(name.get("Parent", "").split(",")) <= known}
        if more <= known:
            break
        known |= more
    return [
        row
        for row, name in zip(rows, names, strict=True)
        if set(name.get("Parent", name.get("ID", "")).split(",")) <= known
    ]


def one_each(models: list[Model]) -> list[Model]:
    """The first transcript of every gene, and only one of those with the same exons, which `gt eval` counts each."""
    chosen: dict[str, Model] = {}
    for model in models:
        chosen.setdefault(model.gene, model)
    distinct = {(model.chromosome, model.strand, tuple(model.exons)): model for model in reversed(chosen.values())}
    return list(distinct.values())[::-1]
