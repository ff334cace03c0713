"""The names of a genome's sequences in different files, and the choice of sequences to use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.inputs import name_pattern
from pipelines.inputs.numbered_lines import lines_of

REPORT_HEADER = "# Sequence-Name"
REPORT_NAMES = ("Sequence-Name", "GenBank-Accn", "RefSeq-Accn", "UCSC-style-name")


@dataclass(frozen=True)
class Selection:
    """The sequences of a genome that are used.

    Attributes:
        lengths: name to length in bases, in FASTA order.
        reason: how they were selected, in a few words.
    """

    lengths: dict[str, int]
    reason: str


def name_translator(config: SourceConfig, fasta_names: Iterable[str]) -> Callable[[str], str]:
    """A function that translates the names of other files to those of the FASTA file.

    A name of the FASTA file stays, whatever the aliases say. A name without a translation is returned unchanged.

    Args:
        config: the source, with `aliases` and `ignore_chr`.
        fasta_names: names of the FASTA sequences.

    Raises:
        InputError: the file of aliases is missing or has a line of one column.
    """
    names = set(fasta_names)
    aliases = _read_aliases(Path(config.aliases), names) if config.aliases else {}
    bare = {_without_chr(name): name for name in sorted(names)} if config.ignore_chr else {}

    def translate(name: str) -> str:
        if name in names:
            return name
        return aliases.get(name) or bare.get(_without_chr(name)) or name

    return translate


def _without_chr(name: str) -> str:
    return name[3:] if name.lower().startswith("chr") else name


def _read_aliases(path: Path, names: set[str]) -> dict[str, str]:
    """Other name to FASTA name; lines without a FASTA name are skipped."""
    aliases: dict[str, str] = {}
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
        synonyms = [fields[column] for column in columns] if columns else fields[:2]
        fasta_name = next((name for name in reversed(synonyms) if name in names), None)
        aliases |= {name: fasta_name for name in synonyms if fasta_name and name not in names}
    return aliases


def select(lengths: dict[str, int], with_genes: set[str], config: SourceConfig) -> Selection:
    """Select sequences by name or pattern, then by length, then the first ones.

    Args:
        lengths: name to length in bases of every FASTA sequence, in order.
        with_genes: the names of those that have a gene.
        config: the source, with `chromosomes`, `min_length` and `first`.

    Raises:
        InputError: a name that is not in the FASTA file, an invalid pattern, or no sequence left.
    """
    reasons = []
    if config.chromosomes is None:
        selected = {name: length for name, length in lengths.items() if name in with_genes}
        reasons.append("all that have a gene")
    else:
        names = _matching_names(config.chromosomes, list(lengths), config.fasta)
        selected = {name: length for name, length in lengths.items() if name in names}
        reasons.append("by sources.chromosomes")
    if config.min_length:
        selected = {name: length for name, length in selected.items() if length >= config.min_length}
        reasons.append(f"of at least {config.min_length:,} bases")
    if config.first is not None:
        selected = dict(list(selected.items())[: config.first])
        reasons.append(f"the first {config.first}")
    if not selected:
        raise InputError(
            f"{config.fasta}: no sequence is left ({', '.join(reasons)})",
            f"change chromosomes, min_length or first; there are {list_names(lengths)}",
            key="sources.chromosomes",
        )
    return Selection(selected, ", ".join(reasons))


def _matching_names(requested: list[str], names: list[str], fasta: str | None) -> set[str]:
    """The names of a FASTA file that are requested: one by one, or all that match a single /regular expression/."""
    key = "sources.chromosomes"
    if len(requested) == 1 and len(requested[0]) > 2 and requested[0][0] == requested[0][-1] == "/":
        try:
            return name_pattern.matching(requested[0][1:-1], names)
        except ValueError as error:
            raise InputError(f"{key}: {requested[0][:60]} {error}", "correct it, or list the names", key=key) from error
    known = set(names)
    if unknown := [name for name in requested if name not in known]:
        raise InputError(f"{fasta}: {key}: no sequence {unknown[0]!r}", f"choose among {list_names(names, 8)}", key=key)
    return set(requested)


def list_names(names: Iterable[str], limit: int = 3) -> str:
    """The first names as a list for a message, with an ellipsis if there are more than `limit`."""
    listed = list(names)
    return ", ".join(listed[:limit]) + (", …" if len(listed) > limit else "")
