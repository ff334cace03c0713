"""Whether a gene model can be translated: it starts, stops, has no stop inside, and is a multiple of three."""

from __future__ import annotations

from typing import Literal

from pipelines.gene_models import genetic_code
from pipelines.gene_models.genetic_code import CODON, GeneticCode
from pipelines.gene_models.model import Transcript
from pipelines.genome.sequence import Bytes

Defect = Literal["no start codon", "no stop codon", "stop inside", "not a multiple of three"]


def defects(transcript: Transcript, letters: Bytes, code: GeneticCode) -> tuple[Defect, ...]:
    """What is wrong with a coding transcript; empty if it is whole or says what it lacks.

    A partial transcript need not have the codon that it lacks: without its 5' end it has no start and begins `phase`
    bases before a codon, and without its 3' end it has no stop and may end within a codon.

    Args:
        transcript: with its phase and which of its ends are missing.
        letters: of its CDS in reading direction, ASCII, shape (bases of the CDS,).
        code: the genetic code.
    """
    read = letters[transcript.phase :]
    numbers = genetic_code.codon_numbers(read)[::CODON]
    found: list[Defect] = []
    if not transcript.is_partial_start and (transcript.phase or not len(numbers) or not code.is_start[numbers[0]]):
        found.append("no start codon")
    is_whole = len(read) % CODON == 0
    has_stop = is_whole and len(numbers) > 0 and bool(code.is_stop[numbers[-1]])
    if not transcript.is_partial_stop:
        if not has_stop:
            found.append("no stop codon")
        if not is_whole:
            found.append("not a multiple of three")
    inner = code.translate(read)
    if "*" in (inner[:-1] if has_stop and not transcript.is_partial_stop else inner):
        found.append("stop inside")
    return tuple(found)
