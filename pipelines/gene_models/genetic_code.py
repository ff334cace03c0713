"""Genetic codes by their NCBI numbers: which codons start, stop and stand for which amino acid. Translation of arrays.

Every table of NCBI's gc.prt (version 4.6; https://www.ncbi.nlm.nih.gov/Taxonomy/Utils/wprintgc.cgi), kept as what
differs from the standard code. Translation looks up one number a codon and has no loop over bases. A codon with IUPAC
codes for several bases has a meaning where all codons that it stands for have the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
from pipelines.genome.sequence import Bytes

STANDARD = 1
CODON = 3
_BASES = "ACGT"
_IUPAC = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT"},
    **{"M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
# Letters for one of two amino acids.
_EITHER = {frozenset("DN"): "B", frozenset("EQ"): "Z"}
# A codon's number is three sets of bases of four bits each.
_CODONS = 1 << 12
# Amino acids of the standard code; codons in the order of `_BASES`, the third base fastest.
_STANDARD_AMINO_ACIDS = "KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF"


class _Table(NamedTuple):
    """A table of NCBI: its name, its start codons, its differences, and codons that stop besides being an amino acid.

    A difference is a codon and the letter of its amino acid, such as `TGAW`.
    """

    name: str
    starts: str
    differences: str = ""
    also_stops: str = ""


_TABLES = {
    1: _Table("Standard", "ATG CTG TTG"),
    2: _Table("Vertebrate Mitochondrial", "ATA ATC ATG ATT GTG", "AGA* AGG* ATAM TGAW"),
    3: _Table("Yeast Mitochondrial", "ATA ATG GTG", "ATAM CTAT CTCT CTGT CTTT TGAW"),
    4: _Table("Mold, Protozoan and Coelenterate Mitochondrial", "ATA ATC ATG ATT CTG GTG TTA TTG", "TGAW"),
    5: _Table("Invertebrate Mitochondrial", "ATA ATC ATG ATT GTG TTG", "AGAS AGGS ATAM TGAW"),
    6: _Table("Ciliate, Dasycladacean and Hexamita Nuclear", "ATG", "TAAQ TAGQ"),
    9: _Table("Echinoderm and Flatworm Mitochondrial", "ATG GTG", "AAAN AGAS AGGS TGAW"),
    10: _Table("Euplotid Nuclear", "ATG", "TGAC"),
    11: _Table("Bacterial, Archaeal and Plant Plastid", "ATA ATC ATG ATT CTG GTG TTG"),
    12: _Table("Alternative Yeast Nuclear", "ATG CTG", "CTGS"),
    13: _Table("Ascidian Mitochondrial", "ATA ATG GTG TTG", "AGAG AGGG ATAM TGAW"),
    14: _Table("Alternative Flatworm Mitochondrial", "ATG", "AAAN AGAS AGGS TAAY TGAW"),
    15: _Table("Blepharisma Macronuclear", "ATG", "TAGQ"),
    16: _Table("Chlorophycean Mitochondrial", "ATG", "TAGL"),
    21: _Table("Trematode Mitochondrial", "ATG GTG", "AAAN AGAS AGGS ATAM TGAW"),
    22: _Table("Scenedesmus obliquus Mitochondrial", "ATG", "TAGL TCA*"),
    23: _Table("Thraustochytrium Mitochondrial", "ATG ATT GTG", "TTA*"),
    24: _Table("Rhabdopleuridae Mitochondrial", "ATG CTG GTG TTG", "AGAS AGGK TGAW"),
    25: _Table("Candidate Division SR1 and Gracilibacteria", "ATG GTG TTG", "TGAG"),
    26: _Table("Pachysolen tannophilus Nuclear", "ATG CTG", "CTGA"),
    27: _Table("Karyorelict Nuclear", "ATG", "TAAQ TAGQ TGAW", "TGA"),
    28: _Table("Condylostoma Nuclear", "ATG", "TAAQ TAGQ TGAW", "TAA TAG TGA"),
    29: _Table("Mesodinium Nuclear", "ATG", "TAAY TAGY"),
    30: _Table("Peritrich Nuclear", "ATG", "TAAE TAGE"),
    31: _Table("Blastocrithidia Nuclear", "ATG", "TAAE TAGE TGAW", "TAA TAG"),
    32: _Table("Balanophoraceae Plastid", "ATA ATC ATG ATT CTG GTG TTG", "TAGW"),
    33: _Table("Cephalodiscidae Mitochondrial UAA-Tyr", "ATG CTG GTG TTG", "AGAS AGGK TAAY TGAW"),
}
NUMBERS = tuple(_TABLES)


@dataclass(frozen=True, eq=False)
class GeneticCode:
    """One genetic code. Codons are numbered as by `codon_numbers`.

    Attributes:
        number: of the table at NCBI.
        name: of the table at NCBI.
        starts: the start codons, sorted.
        stops: the stop codons, sorted.
        amino_acids: ASCII letter of every codon, `*` for a stop, X for one of several, shape (4096,).
        is_start: whether each codon starts a protein, shape (4096,).
        is_stop: whether each codon ends a protein; in 27, 28 and 31 some are amino acids as well; shape (4096,).
    """

    number: int
    name: str
    starts: tuple[str, ...]
    stops: tuple[str, ...]
    amino_acids: Bytes
    is_start: NDArray[np.bool_]
    is_stop: NDArray[np.bool_]

    def with_starts(self, codons: Iterable[str]) -> GeneticCode:
        """The same code with other start codons.

        Raises:
            UsageError: none, one that is not three letters of A, C, G and T or U, or a stop codon.
        """
        starts = tuple(sorted({codon.upper().replace("U", "T") for codon in codons}))
        if not starts:
            raise UsageError("no start codon", "give at least one, such as ATG", code="start-codons")
        for codon in starts:
            if len(codon) != CODON or set(codon) - set(_BASES):
                raise UsageError(f"start codon {codon}: not three of A, C, G and T", "give codons such as ATG")
            if self.is_stop[codon_number(codon)]:
                raise UsageError(f"start codon {codon}: a stop in genetic code {self.number}", "leave it out")
        return replace(self, starts=starts, is_start=_flags(starts))

    def translate(self, letters: Bytes) -> str:
        """The amino acids of a coding sequence, stops as `*`; a last codon that is not whole is left out.

        A codon that is both a stop and an amino acid is read as the amino acid.

        Args:
            letters: ASCII in reading direction from the first base of a codon on, shape (bases,).

        Returns:
            A letter for each codon: B for one of D and N, Z for one of E and Q, X for any other choice.
        """
        numbers = codon_numbers(letters[: len(letters) // CODON * CODON])[::CODON]
        return self.amino_acids[numbers].tobytes().decode("ascii")

    def protein(self, letters: Bytes, *, has_start: bool, has_stop: bool) -> str:
        """The protein of a coding sequence.

        Args:
            letters: ASCII in reading direction from the first base of a whole codon on, shape (bases,).
            has_start: whether the first codon starts the protein: whatever it codes for elsewhere, it is read as
                methionine, as NCBI does.
            has_stop: whether the last codon is the stop, which is no part of the protein.
        """
        amino_acids = self.translate(letters)
        if has_start:
            amino_acids = "M" + amino_acids[1:]
        return amino_acids[:-1] if has_stop else amino_acids


@cache
def genetic_code(number: int) -> GeneticCode:
    """The genetic code with a number of NCBI.

    Raises:
        UsageError: no such table.
    """
    if number not in _TABLES:
        raise UsageError(
            f"genetic code {number}: not a table of NCBI",
            f"choose one of {', '.join(map(str, NUMBERS))}",
            code="genetic-code",
        )
    table = _TABLES[number]
    codons = map("".join, itertools.product(_BASES, repeat=CODON))
    meanings = dict(zip(codons, _STANDARD_AMINO_ACIDS, strict=True))
    meanings |= {difference[:CODON]: difference[CODON] for difference in table.differences.split()}
    starts = tuple(table.starts.split())
    stops = (*(codon for codon, letter in meanings.items() if letter == "*"), *table.also_stops.split())
    return GeneticCode(
        number, table.name, starts, tuple(sorted(stops)), _letters(meanings), _flags(starts), _flags(stops)
    )


@cache
def code_with_starts(number: int, starts: tuple[str, ...]) -> GeneticCode:
    """The genetic code with a number of NCBI, and start codons in place of those of its table.

    Raises:
        UsageError: no such table, or as `GeneticCode.with_starts`.
    """
    return genetic_code(number).with_starts(starts)


def codon_number(codon: str) -> int:
    """The number of a codon of IUPAC letters."""
    return int(codon_numbers(np.frombuffer(codon.encode("ascii"), np.uint8))[0])


def codon_numbers(letters: Bytes) -> NDArray[np.uint16]:
    """The number of the codon that begins at each base.

    Args:
        letters: ASCII of either case, shape (bases,); what is no IUPAC code is read as N.

    Returns:
        Shape (max(bases - 2, 0),), each below 4096.
    """
    if len(letters) < CODON:
        return np.empty(0, np.uint16)
    sets = np.frombuffer(letters.tobytes().translate(_SETS), np.uint8).astype(np.uint16)
    numbers = sets[2:].copy()
    numbers |= sets[1:-1] << np.uint16(4)
    numbers |= sets[:-2] << np.uint16(8)
    return numbers


def _base_set(letter: str) -> int:
    """The bases that a letter stands for, as four bits."""
    return sum(1 << _BASES.index(base) for base in _IUPAC[letter])


def _set_table() -> bytes:
    table = np.full(256, _base_set("N"), np.uint8)
    for letter in _IUPAC:
        table[[ord(letter), ord(letter.lower())]] = _base_set(letter)
    return table.tobytes()


_SETS = _set_table()


def _letters(meanings: dict[str, str]) -> Bytes:
    """The ASCII letter of every codon, shape (4096,).

    Args:
        meanings: letter of every codon of A, C, G and T.
    """
    table = np.full(_CODONS, ord("X"), np.uint8)
    for codon in itertools.product(_IUPAC, repeat=CODON):
        letters = {meanings["".join(bases)] for bases in itertools.product(*(_IUPAC[letter] for letter in codon))}
        letter = letters.pop() if len(letters) == 1 else _EITHER.get(frozenset(letters), "X")
        table[codon_number("".join(codon))] = ord(letter)
    return table


def _flags(codons: Iterable[str]) -> NDArray[np.bool_]:
    """Whether each codon can only be one of these, shape (4096,)."""
    flags = np.zeros((4, 4, 4), np.bool_)
    for codon in codons:
        flags[tuple(map(_BASES.index, codon))] = True
    for place in range(CODON):
        # A set of bases at a place has the flag if each of its bases has; the empty set, 0, stands for nothing.
        members = ([bit for bit in range(4) if bases >> bit & 1] for bases in range(1, 16))
        of_sets = [flags.take(bits, place).all(place) for bits in members]
        flags = np.stack([np.zeros_like(of_sets[0]), *of_sets], place)
    return flags.reshape(-1)
