"""The files of gene models: their rows as GFF3, GTF and BED, their proteins and coding sequences as FASTA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np

from pipelines.gene_models import fasta_records, writer
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome import bed, intervals
from pipelines.genome.intervals import Intervals
from pipelines.genome.sequence import Bytes
from training.scan.calls import Call
from training.scan.orfs.candidates import Candidates
from training.scan.orfs.settings import Floats
from training.scan.scores import STRANDS


@dataclass
class ModelCounts:
    """How many gene models were written.

    Attributes:
        complete: with start and stop codon.
        partial: without one of them, cut by a sequence's end or a gap.
        spliced: of both, those with an intron.
        stretches: bases of what would be called without reading frames.
        within: bases of those that lie in a gene model of their strand.
    """

    complete: int = 0
    partial: int = 0
    spliced: int = 0
    stretches: int = 0
    within: int = 0

    def document(self) -> dict[str, int]:
        """The counts as the record has them: without `spliced` if there are none."""
        return {name: value for name, value in vars(self).items() if value or name != "spliced"}


@dataclass
class ModelFiles:
    """Open files for gene models, which get consecutive numbers.

    Attributes:
        gff3, bed: open for text.
        texts: likewise: proteins, coding sequences, and GTF if that is written.
        code: the genetic code.
        counts: of what was written.
    """

    gff3: TextIO
    bed: TextIO
    texts: Sequence[TextIO]
    code: GeneticCode
    counts: ModelCounts = field(default_factory=ModelCounts)

    def write(
        self, chromosome: str, letters: Bytes, found: Candidates, scores: Floats, calls: Sequence[Call]
    ) -> list[Gene]:
        """Write the models of a sequence.

        Args:
            chromosome: its name.
            letters: ASCII of the whole of it, shape (bases,).
            found: its genes, sorted.
            scores: of each.
            calls: what would be called without reading frames.

        Returns:
            The models as they were written.
        """
        models = []
        for index in range(len(found.starts)):
            number = self.counts.complete + self.counts.partial + 1
            model = as_gene(chromosome, f"raygene_{number:06d}", found, index)
            self._write(model, letters, float(scores[index]))
            models.append(model)
        for strand in STRANDS:
            stretches, spans = (
                intervals.merge(np.array([(item.start, item.end) for item in items], np.int64).reshape(-1, 2))
                for items in ([item for item in of if item.strand == strand] for of in (calls, models))
            )
            self.counts.stretches += int((stretches[:, 1] - stretches[:, 0]).sum())
            self.counts.within += _shared_bases(stretches, spans)
        return models

    def _write(self, model: Gene, letters: Bytes, score: float) -> None:
        transcript = model.transcripts[0]
        self.gff3.write(writer.gff3(model, {"frame_score": f"{score:.3f}"}))
        value = bed.bed_score(model.score or 0.0)
        self.bed.write(f"{model.chromosome}\t{model.start}\t{model.end}\t{model.gene_id}\t{value}\t{model.strand}\n")
        proteins, cds, *gtf = self.texts

        def fetch(_: str, start: int, end: int) -> Bytes:
            return letters[start:end]

        cds.write(fasta_records.coding_sequence(model, transcript, fetch))
        proteins.write(fasta_records.protein(model, transcript, fetch, self.code))
        is_partial = transcript.is_partial_start or transcript.is_partial_stop
        self.counts.partial += is_partial
        self.counts.complete += not is_partial
        self.counts.spliced += len(transcript.cds) > 1
        for file in gtf:
            file.write(writer.gtf(model))


def _shared_bases(stretches: Intervals, spans: Intervals) -> int:
    """Number of bases in both of two merged sets."""
    if not len(spans):
        return 0
    # Bases of spans up to the start and the end of each of them: linear in between.
    before = np.repeat(np.append(0, np.cumsum(spans[:, 1] - spans[:, 0])), 2)[1:-1]
    starts, ends = np.interp(stretches.T, spans.reshape(-1), before) if len(stretches) else np.zeros((2, 0))
    return round(float((ends - starts).sum()))


def as_gene(chromosome: str, name: str, found: Candidates, index: int) -> Gene:
    """One frame as a gene model with one transcript of its exons.

    Args:
        chromosome: name of the sequence.
        name: of the gene.
        found: frames.
        index: which of them.
    """
    spans = found.spans(index)
    score = round(float(np.clip(found.own[index], 0, 1)), 4)
    transcript = Transcript(
        f"{name}.t1",
        spans,
        spans,
        int(found.phases[index]),
        bool(found.is_cut_start[index]),
        bool(found.is_cut_stop[index]),
    )
    strand = "-" if found.is_reverse[index] else "+"
    return Gene(name, chromosome, spans[0][0], spans[-1][1], strand, (transcript,), None, score)
