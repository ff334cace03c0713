"""The names of a genome's sequences in different files, and the choice of sequences to use."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome.features import Feature
from pipelines.inputs import name_pattern
from pipelines.inputs.numbered_lines import MAX_ROW, lines_of, require_row

REPORT_HEADER = "# Sequence-Name"
REPORT_NAMES = ("Sequence-Name", "GenBank-Accn", "RefSeq-Accn", "UCSC-style-name")
# The header of chromAlias.txt of UCSC begins with `#` and names whose names a column has.
TABLE_AUTHORITIES = {"ucsc", "genbank", "refseq"}
# The first column of chromAlias.txt of UCSC in which any column may hold any name.
TABLE_OF_ANY = "sequencename"
MAX_COLUMNS = 64
# The columns of sequence_report.tsv of NCBI Datasets, in lower case.
SEQUENCE_REPORT_NAMES = {
    "chromosome name",
    "sequence name",
    "genbank seq accession",
    "refseq seq accession",
    "ucsc style name",
}


@dataclass(frozen=True)
class Selection:
    """The sequences of a genome that are used.

    Attributes:
        lengths: name to length in bases, in FASTA order.
        reason: how they were selected, in a few words.
    """

    lengths: dict[str, int]
    reason: str


class NameTranslator:
    """Translates the names of other files to those of the FASTA file.

    A name of the FASTA file stays, whatever the aliases say. A name as written comes before the same name decoded
    (`%2C` is a comma in GFF3). A name without a translation is returned unchanged.

    Args:
        config: the source, with `aliases` and `ignore_chr`.
        fasta_names: names of the FASTA sequences.

    Attributes:
        has_new_rules: whether a name was translated otherwise than by versions before these rules.

    Raises:
        InputError: the file of aliases is missing or has a line of one column.
    """

    def __init__(self, config: SourceConfig, fasta_names: Iterable[str]) -> None:
        self._config = config
        self._names = set(fasta_names)
        self._aliases = _read_aliases(Path(config.aliases), self._names) if config.aliases else _Aliases({}, {}, {})
        self._bare = {_without_chr(name): name for name in sorted(self._names)} if config.ignore_chr else {}
        self.has_new_rules = False

    def translate(self, name: str, *, is_decoded: bool = False) -> str:
        """The FASTA name of a name.

        Args:
            name: as written in a file.
            is_decoded: whether earlier versions decoded the names of this file.

        Raises:
            InputError: the aliases give the name to two sequences (with the line).
        """
        if name in self._names and (not is_decoded or "%" not in name):
            return name
        decoded = unquote(name)
        translated = next((found for found in map(self._found, (name, decoded)) if found), name)
        before = self._found_before(decoded if is_decoded else name)
        self.has_new_rules |= translated in self._names and translated != before
        return translated

    def _found(self, name: str) -> str | None:
        if name in self._names:
            return name
        if line := self._aliases.contradictory.get(name):
            raise InputError(
                f"{self._config.aliases}: line {line}: {name!r} is another sequence than in a line before",
                "keep one of the two lines",
                key="sources.aliases",
            )
        return self._aliases.pairs.get(name) or self._aliases.others.get(name) or self._bare.get(_without_chr(name))

    def _found_before(self, name: str) -> str | None:
        if name in self._names:
            return name
        return self._aliases.pairs.get(name) or self._bare.get(_without_chr(name))


def in_fasta(features: Iterable[Feature], fasta_names: Container[str]) -> list[Feature]:
    """Features with the names of their sequences decoded where only the decoded name is in the FASTA file."""
    return [
        replace(feature, chromosome=decoded)
        if "%" in feature.chromosome
        and feature.chromosome not in fasta_names
        and (decoded := unquote(feature.chromosome)) in fasta_names
        else feature
        for feature in features
    ]


def _without_chr(name: str) -> str:
    return name[3:] if name.lower().startswith("chr") else name


@dataclass(frozen=True)
class _Aliases:
    """Other names of FASTA sequences.

    Attributes:
        pairs: other name to FASTA name, of the columns that every version has read.
        others: those of the further columns of tables with a header, and those with blanks around them.
        contradictory: names that lines give to two FASTA names, with the number of the second line.
    """

    pairs: dict[str, str]
    others: dict[str, str]
    contradictory: dict[str, int]


def _read_aliases(path: Path, names: set[str]) -> _Aliases:
    """Other name to FASTA name; lines without a FASTA name are skipped."""
    pairs: dict[str, str] = {}
    others: dict[str, set[str]] = {}
    contradictory: dict[str, int] = {}
    columns: list[int] = []
    further: list[int] = []
    for number, line in lines_of(path, MAX_ROW):
        require_row(line, path, number)
        if line.startswith(REPORT_HEADER):
            header = line.removeprefix("# ").split("\t")
            columns = [header.index(name) for name in REPORT_NAMES if name in header]
        elif "\t" in line and not further and not columns:
            further = _name_columns(line)
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 2 or (columns and len(fields) <= max(columns)):
            raise InputError(
                f"{path}: line {number}: {len(fields)} columns",
                "give two columns (other name, FASTA name), an NCBI assembly report, or a chromAlias table of UCSC",
            )
        synonyms = [fields[column] for column in columns] if columns else fields[:2]
        fasta_name = next((name for name in reversed(synonyms) if name in names), None)
        for name in synonyms:
            if name and fasta_name and name not in names:
                if pairs.get(name, fasta_name) != fasta_name:
                    contradictory.setdefault(name, number)
                pairs[name] = fasta_name
        if further:
            synonyms = [fields[column] for column in further if column < len(fields)]
        synonyms = [name.strip() for name in synonyms]
        if fasta_name := next((name for name in synonyms if name in names), None):
            for name in filter(None, synonyms):
                others.setdefault(name, set()).add(fasta_name)
    # A name of several sequences, such as "na" or the chromosome of unplaced scaffolds, is none.
    single = {name: found.pop() for name, found in others.items() if len(found) == 1}
    return _Aliases(pairs, single, contradictory)


def _name_columns(line: str) -> list[int]:
    """The columns that hold names of sequences, if a line is the header of a table of names."""
    header = [name.strip().lower() for name in line.lstrip("#").split("\t")]
    if line.startswith("#") and header[0] == TABLE_OF_ANY:
        return [*range(MAX_COLUMNS)]
    if len(TABLE_AUTHORITIES & set(header)) > (0 if line.startswith("#") else 1):
        return [*range(len(header))]
    if not line.startswith("#") and len(SEQUENCE_REPORT_NAMES & set(header)) > 1:
        return [number for number, name in enumerate(header) if name in SEQUENCE_REPORT_NAMES]
    return []


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
