"""The files of a scan: calls as GFF3 and BED, a bedGraph track for each strand, and a record in JSON, written last.

With reading frames the calls are gene models, whose proteins and coding sequences are FASTA files next to them.

GFF3 1.26 of the Sequence Ontology; BED6 and bedGraph as genome browsers take them, with comments at the top. All are
sorted by name (byte for byte) and start, as tabix, `bedtools -sorted` and the bigWig tools require.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from pipelines import storage
from pipelines.errors import UsageError
from pipelines.gene_models import writer
from pipelines.gene_models.model import Gene
from pipelines.genome import bed
from pipelines.genome.features import Feature
from pipelines.genome.labelled import Sequences
from training.genome_tasks import output_record
from training.scan import bedgraph
from training.scan.calls import Call, Thresholds, call_genes
from training.scan.grid import Grid
from training.scan.orfs import models as orf_models
from training.scan.orfs.settings import FrameSettings
from training.scan.orfs.writing import ModelFiles
from training.scan.scores import NO_SCORE, STRANDS, Scores

ENDING = ".gff3"
MODEL_FILES = ("proteins.fasta", "cds.fasta", "gtf")


@dataclass(frozen=True)
class Outputs:
    """Paths of the files of a scan.

    Attributes:
        gff3, bed: the calls.
        tracks: bedGraph of the forward and of the reverse strand.
        record: JSON of what was scanned with what, the counts, and the SHA-256 of the other files.
        models: files of gene models: proteins, coding sequences, and GTF if requested; none without reading frames.
    """

    gff3: Path
    bed: Path
    tracks: tuple[Path, Path]
    record: Path
    models: tuple[Path, ...] = ()

    @classmethod
    def of(cls, path: Path, *, frames: bool = False, gtf: bool = False) -> Outputs:
        """The files for an `--output`.

        Args:
            path: of the calls.
            frames: whether they are gene models.
            gtf: whether gene models are written as GTF too.

        Raises:
            UsageError: it does not end in .gff3.
        """
        if path.suffix != ENDING:
            raise UsageError(
                f"--output {path}: does not end in {ENDING}", f"name the calls' file, such as genes{ENDING}"
            )
        stem = path.with_suffix("")
        names = [stem.with_name(f"{stem.name}.{name}") for name in ("bed", "plus.bedgraph", "minus.bedgraph", "json")]
        endings = MODEL_FILES[: 2 + gtf] if frames else ()
        models = tuple(stem.with_name(f"{stem.name}.{name}") for name in endings)
        return cls(path, names[0], (names[1], names[2]), names[3], models)

    @property
    def files(self) -> list[Path]:
        """All files but the record."""
        return [self.gff3, self.bed, *self.tracks, *self.models]

    @property
    def all(self) -> list[Path]:
        """All files, the record last."""
        return [*self.files, self.record]

    def read_record(self) -> dict[str, Any] | None:
        """The record, or None if it is missing, damaged or of another form."""
        known = frozenset(field.name for field in fields(Counts))
        return output_record.read(self.record, known, later=frozenset({"models"}))

    def match(self, record: Mapping[str, Any], files: Iterable[Path]) -> bool:
        """Whether files exist and have the SHA-256 that a record gives them."""
        return output_record.match(self.record, record, files)

    def read_calls(self) -> list[Feature]:
        """The calls that were written, in their order."""
        with self.bed.open(encoding="utf-8", newline="\n") as stream:
            next(stream)
            rows = [line.rstrip("\n").split("\t") for line in stream]
        return [Feature(row[0], int(row[1]), int(row[2]), row[5], row[3], None) for row in rows]


def remove_stale(outputs: Outputs, previous: dict[str, Any]) -> None:
    """Remove the files of gene models that an earlier scan wrote, and this one did not.

    Args:
        outputs: paths of the files that were written.
        previous: the record that was there before; empty if there was none.
    """
    for path in Outputs.of(outputs.gff3, frames=True, gtf=True).models:
        if path not in outputs.models and path.name in previous.get("files", {}):
            path.unlink(missing_ok=True)


@dataclass
class Counts:
    """Totals of a scan.

    Attributes:
        calls: number of calls by strand.
        called_bases: bases of all calls; where calls on both strands overlap, bases count twice.
        bases: bases scanned.
        unscored: bases of bins without a score on either strand (unknown letters).
        models: counts of gene models (`writing.ModelCounts`); None without reading frames.
    """

    calls: dict[str, int]
    called_bases: int = 0
    bases: int = 0
    unscored: int = 0
    models: dict[str, int] | None = None

    def document(self) -> dict[str, Any]:
        """The counts as the record has them: without `models` if there are none."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Frames:
    """What reading frames are made of, besides scores.

    Attributes:
        genome: gives the letters.
        settings: how frames are chosen.
    """

    genome: Sequences
    settings: FrameSettings


def write(
    outputs: Outputs,
    sequences: Iterable[tuple[str, Scores]],
    lengths: dict[str, int],
    grid: Grid,
    thresholds: Thresholds,
    record: dict[str, Any],
    *,
    tracks: bool,
    frames: Frames | None = None,
) -> Counts:
    """Call genes and write every file, the record last; each whole or not at all.

    Args:
        outputs: paths of the files.
        sequences: names and scores of shape (2, bins), in the order of `lengths`.
        lengths: bases of each sequence.
        grid: window and stride.
        thresholds: when a stretch is a call.
        record: what the record says besides counts and files.
        tracks: whether to write the bedGraphs too.
        frames: for gene models instead of calls; None for calls.
    """
    counts = Counts(dict.fromkeys(STRANDS, 0))
    with ExitStack() as open_files:

        def open_replacing(path: Path) -> TextIO:
            temporary = open_files.enter_context(storage.replacing(path))
            return open_files.enter_context(temporary.open("w", encoding="utf-8", newline="\n"))

        gff3, bed_file = open_replacing(outputs.gff3), open_replacing(outputs.bed)
        strands = [open_replacing(path) for path in outputs.tracks] if tracks else []
        gff3.writelines(writer.gff3_header(lengths, f"raygene {record['raygene']}, scan {record['key'][:12]}"))
        for file, what in ((bed_file, "calls"), *zip(strands, ("forward strand", "reverse strand"), strict=False)):
            file.write(f"# raygene {record['raygene']}, scan {record['key'][:12]}, {what}\n")
        numbers = itertools.count(1)
        models = None
        if frames:
            texts = [open_replacing(path) for path in outputs.models]
            models = ModelFiles(gff3, bed_file, texts, frames.settings.code())
        for name, scores in sequences:
            length = lengths[name]
            for file, strand in zip(strands, scores, strict=False):
                file.writelines(bedgraph.lines(name, length, strand, grid))
            calls = call_genes(scores, length, grid, thresholds)
            written: Sequence[Call | Gene] = calls
            if frames and models:
                letters = frames.genome.sequence(name, 0, length)
                written = models.write(name, letters, *orf_models.find(letters, scores, grid, frames.settings), calls)
            else:
                _write_calls(name, calls, numbers, gff3, bed_file)
            for call in written:
                counts.calls[call.strand] += 1
                counts.called_bases += call.end - call.start
            counts.bases += length
            unscored = (scores == NO_SCORE).all(axis=0)
            counts.unscored += int(np.diff(grid.edges(length, 0, scores.shape[1]))[unscored].sum())
    if models:
        counts.models = models.counts.document()
    output_record.write(outputs.record, record, counts.document(), outputs.files)
    return counts


def _write_calls(name: str, calls: Iterable[Call], numbers: Iterator[int], gff3: TextIO, bed_file: TextIO) -> None:
    """Write the calls of a sequence, each with the next number."""
    for call in calls:
        identifier = f"raygene_{next(numbers):06d}"
        attributes = {"ID": identifier, "peak": f"{call.peak:.4f}"}
        gff3.write(writer.gff3_row(name, "gene", (call.start, call.end), call.strand, attributes, call.mean))
        row = (name, call.start, call.end, identifier, bed.bed_score(call.mean), call.strand)
        bed_file.write("\t".join(map(str, row)) + "\n")


def read_tracks(outputs: Outputs, lengths: dict[str, int], grid: Grid) -> Iterator[tuple[str, Scores]]:
    """Read names and scores of shape (2, bins) of every sequence from the tracks.

    Raises:
        InputError: a line that the scan did not write.
    """
    forward, reverse = (bedgraph.read(path, lengths, grid) for path in outputs.tracks)
    for (name, plus), (_, minus) in zip(forward, reverse, strict=True):
        yield name, np.stack([plus, minus])
