"""The files of a scan: calls as GFF3 and BED, a bedGraph track for each strand, and a record in JSON, written last.

GFF3 1.26 of the Sequence Ontology; BED6 and bedGraph as genome browsers take them, with comments at the top. All are
sorted by name (byte for byte) and start, as tabix, `bedtools -sorted` and the bigWig tools require.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import numpy as np

from pipelines import fingerprint, storage
from pipelines.errors import UsageError
from pipelines.genome import bed
from pipelines.genome.features import Feature
from training.scan import bedgraph
from training.scan.calls import Call, Thresholds, call_genes
from training.scan.grid import Grid
from training.scan.scores import NO_SCORE, STRANDS, Scores

# What a GFF3 sequence name may hold besides letters and digits; the rest is escaped.
_SEQID = ".:^*$@!+_?-|"
ENDING = ".gff3"


@dataclass(frozen=True)
class Outputs:
    """Paths of the files of a scan.

    Attributes:
        gff3, bed: the calls.
        tracks: bedGraph of the forward and of the reverse strand.
        record: JSON of what was scanned with what, the counts, and the SHA-256 of the other files.
    """

    gff3: Path
    bed: Path
    tracks: tuple[Path, Path]
    record: Path

    @classmethod
    def of(cls, path: Path) -> Outputs:
        """The files for an `--output`.

        Raises:
            UsageError: it does not end in .gff3.
        """
        if path.suffix != ENDING:
            raise UsageError(
                f"--output {path}: does not end in {ENDING}", f"name the calls' file, such as genes{ENDING}"
            )
        stem = path.with_suffix("")
        names = [stem.with_name(f"{stem.name}.{name}") for name in ("bed", "plus.bedgraph", "minus.bedgraph", "json")]
        return cls(path, names[0], (names[1], names[2]), names[3])

    @property
    def files(self) -> list[Path]:
        """All files but the record."""
        return [self.gff3, self.bed, *self.tracks]

    @property
    def all(self) -> list[Path]:
        """All files, the record last."""
        return [*self.files, self.record]

    def read_record(self) -> dict[str, Any] | None:
        """The record, or None if it is missing, damaged or of another form."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict) or not all(isinstance(record.get(name), dict) for name in ("counts", "files")):
            return None
        return record if set(record["counts"]) == {field.name for field in fields(Counts)} else None

    def read_calls(self) -> list[Feature]:
        """The calls that were written, in their order."""
        with self.bed.open(encoding="utf-8", newline="\n") as stream:
            next(stream)
            rows = [line.rstrip("\n").split("\t") for line in stream]
        return [Feature(row[0], int(row[1]), int(row[2]), row[5], row[3], None) for row in rows]


def match_record(files: Iterable[Path], record: dict[str, Any]) -> bool:
    """Whether files exist and have the SHA-256 that a record gives them."""
    hashes = record["files"]
    return all(file.exists() and fingerprint.of_file(file) == hashes.get(file.name) for file in files)


@dataclass
class Counts:
    """Totals of a scan.

    Attributes:
        calls: number of calls by strand.
        called_bases: bases of all calls; where calls on both strands overlap, bases count twice.
        bases: bases scanned.
        unscored: bases of bins without a score on either strand (unknown letters).
    """

    calls: dict[str, int]
    called_bases: int = 0
    bases: int = 0
    unscored: int = 0


def write(
    outputs: Outputs,
    sequences: Iterable[tuple[str, Scores]],
    lengths: dict[str, int],
    grid: Grid,
    thresholds: Thresholds,
    record: dict[str, Any],
    *,
    tracks: bool,
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
    """
    counts = Counts(dict.fromkeys(STRANDS, 0))
    with ExitStack() as open_files:

        def open_replacing(path: Path) -> TextIO:
            temporary = open_files.enter_context(storage.replacing(path))
            return open_files.enter_context(temporary.open("w", encoding="utf-8", newline="\n"))

        gff3, bed_file = open_replacing(outputs.gff3), open_replacing(outputs.bed)
        strands = [open_replacing(path) for path in outputs.tracks] if tracks else []
        gff3.write(f"##gff-version 3\n#!processor raygene {record['raygene']}, scan {record['key'][:12]}\n")
        gff3.writelines(f"##sequence-region {_seqid(name)} 1 {length}\n" for name, length in lengths.items())
        for file, what in ((bed_file, "calls"), *zip(strands, ("forward strand", "reverse strand"), strict=False)):
            file.write(f"# raygene {record['raygene']}, scan {record['key'][:12]}, {what}\n")
        numbers = itertools.count(1)
        for name, scores in sequences:
            length = lengths[name]
            for file, strand in zip(strands, scores, strict=False):
                file.writelines(bedgraph.lines(name, length, strand, grid))
            for call in call_genes(scores, length, grid, thresholds):
                number = next(numbers)
                gff3.write(_gff3(name, number, call))
                bed_file.write(_bed(name, number, call))
                counts.calls[call.strand] += 1
                counts.called_bases += call.end - call.start
            counts.bases += length
            unscored = (scores == NO_SCORE).all(axis=0)
            counts.unscored += int(np.diff(grid.edges(length, 0, scores.shape[1]))[unscored].sum())
    hashes = {path.name: fingerprint.of_file(path) for path in outputs.files}
    document = record | {"counts": vars(counts), "files": hashes}
    storage.write_text(outputs.record, json.dumps(document, indent=1, sort_keys=True) + "\n")
    return counts


def _seqid(name: str) -> str:
    """A sequence name with what GFF3 does not allow percent-encoded."""
    return quote(name, safe=_SEQID).replace("~", "%7E")


def _gff3(name: str, number: int, call: Call) -> str:
    # GFF3 counts from 1 and includes the end.
    columns = f"{call.start + 1}\t{call.end}\t{call.mean:.4f}\t{call.strand}\t."
    return f"{_seqid(name)}\traygene\tgene\t{columns}\tID=raygene_{number:06d};peak={call.peak:.4f}\n"


def _bed(name: str, number: int, call: Call) -> str:
    return f"{name}\t{call.start}\t{call.end}\traygene_{number:06d}\t{bed.bed_score(call.mean)}\t{call.strand}\n"


def read_tracks(outputs: Outputs, lengths: dict[str, int], grid: Grid) -> Iterator[tuple[str, Scores]]:
    """Read names and scores of shape (2, bins) of every sequence from the tracks.

    Raises:
        InputError: a line that the scan did not write.
    """
    forward, reverse = (bedgraph.read(path, lengths, grid) for path in outputs.tracks)
    for (name, plus), (_, minus) in zip(forward, reverse, strict=True):
        yield name, np.stack([plus, minus])
