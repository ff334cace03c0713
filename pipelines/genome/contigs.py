"""Names of sequences across files, and which sequences of a genome are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome.numbered_lines import lines_of

REPORT_HEADER = "# Sequence-Name"
REPORT_NAMES = ("Sequence-Name", "GenBank-Accn", "RefSeq-Accn", "UCSC-style-name")


@dataclass(frozen=True)
class Choice:
    """The sequences of a genome that are used.

    Attributes:
        lengths: bases of each, in FASTA order.
        reason: why these, in a few words.
    """

    lengths: dict[str, int]
    reason: str


def translator(config: SourceConfig, known: Iterable[str]) -> Callable[[str], str]:
    """A function from the names of other files to those of the FASTA file; unknown ones stay as they are.

    Raises:
        InputError: the file of aliases is missing or has a line of one column.
    """
    names = set(known)
    aliases = _aliases(Path(config.aliases), names) if config.aliases else {}
    bare = {_without_chr(name): name for name in sorted(names)} if config.ignore_chr else {}

    def translate(name: str) -> str:
        if name in names:
            return name
        return aliases.get(name) or bare.get(_without_chr(name)) or name

    return translate


def _without_chr(name: str) -> str:
    return name[3:] if name.lower().startswith("chr") else name


def _aliases(path: Path, names: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    columns: list[int] = []
    for number, line in lines_of(path):
        if line.startswith(REPORT_HEADER):
            header = line.removeprefix("# ").split("\t")
            columns = [header.index(name) for name in REPORT_NAMES if name in header]
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 2 or (columns and len(fields) <= max(columns)):
            raise InputError(
                f"{path}: line {number}: {len(fields)} columns",
                "give two columns (other name, FASTA name) or an NCBI assembly report",
            )
        same = [fields[column] for column in columns] if columns else fields[:2]
        in_fasta = next((name for name in same[::-1] if name in names), None)
        found |= {name: in_fasta for name in same if in_fasta and name not in names}
    return found


def choose(lengths: dict[str, int], with_genes: set[str], config: SourceConfig) -> Choice:
    """Choose sequences by name or pattern, then by length, then the first ones.

    Args:
        lengths: bases of every FASTA sequence, in order.
        with_genes: those that carry a gene.
        config: what to choose.

    Raises:
        InputError: a name that is not in the FASTA file, a pattern that is none or fits nothing, nothing left.
    """
    reasons = []
    chosen = lengths
    if config.chromosomes is None:
        chosen = {name: length for name, length in chosen.items() if name in with_genes}
        reasons.append("every one with a gene")
    else:
        wanted = _named(config, list(lengths))
        chosen = {name: length for name, length in chosen.items() if name in wanted}
        reasons.append("as sources.chromosomes says")
    if config.min_length:
        chosen = {name: length for name, length in chosen.items() if length >= config.min_length}
        reasons.append(f"of at least {config.min_length:,} bases")
    if config.first is not None:
        chosen = dict(list(chosen.items())[: config.first])
        reasons.append(f"the first {config.first}")
    if not chosen:
        raise InputError(
            f"{config.fasta}: no sequence is left ({', '.join(reasons)})",
            f"change chromosomes, min_length or first; there are {first_of(lengths)}",
        )
    return Choice(chosen, ", ".join(reasons))


def _named(config: SourceConfig, names: list[str]) -> set[str]:
    given = config.chromosomes or []
    if len(given) == 1 and len(given[0]) > 2 and given[0][0] == given[0][-1] == "/":
        try:
            pattern = re.compile(given[0][1:-1])
        except re.error as error:
            raise InputError(
                f"sources.chromosomes: {given[0]} is not a regular expression ({error})", "mend it"
            ) from error
        return {name for name in names if pattern.fullmatch(name)}
    if unknown := [name for name in given if name not in names]:
        raise InputError(
            f"{config.fasta}: sources.chromosomes: no sequence {unknown[0]!r}", f"choose among {first_of(names, 8)}"
        )
    return set(given)


def first_of(names: Iterable[str], count: int = 3) -> str:
    """The first names, for a message."""
    listed = list(names)
    return ", ".join(listed[:count]) + (", …" if len(listed) > count else "")
