"""Regions as people write them: `chr1`, `chr1:24000001-30427671`, or `R64:chr1:1-1000` for one of several genomes.

The syntax is that of samtools: 1-based and inclusive. `chr1:100` and `chr1:100-` reach to the end, `chr1:-100` begins
at the first base, digits may be grouped by commas. `{name}:1-100` is for a name that holds `:` and could be read in two
ways.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.errors import UsageError

_NUMBER = r"\d{1,3}(?:,\d{3})+|\d{1,18}"
_SPAN = re.compile(rf"(?:(?P<first>{_NUMBER})(?:-(?P<last>{_NUMBER})?)?|-(?P<only_last>{_NUMBER}))", re.ASCII)
_EXAMPLE = "write it as chr1:24000001-30427671 (first and last base, counted from 1), or name a whole sequence"
_MAX_NAMES = 6


@dataclass(frozen=True, order=True)
class Region:
    """A stretch of a sequence, 0-based half-open.

    Attributes:
        genome: name of the genome; empty where there is only one.
        chromosome: name of the sequence.
        start, end: 0 <= start < end.
    """

    genome: str
    chromosome: str
    start: int
    end: int

    def __str__(self) -> str:
        """The region as samtools writes it, 1-based and inclusive, behind its genome if it has one."""
        genome = f"{self.genome}:" if self.genome else ""
        return f"{genome}{self.chromosome}:{self.start + 1}-{self.end}"

    def overlaps(self, start: int, end: int) -> bool:
        """Whether an interval of the same sequence shares a base with the region."""
        return start < self.end and end > self.start

    def holds(self, start: int, end: int) -> bool:
        """Whether an interval of the same sequence lies in the region with all its bases."""
        return self.start <= start and end <= self.end


def parse(text: str, lengths: Mapping[str, int], key: str) -> Region:
    """The region of a genome that a text names.

    Args:
        text: a sequence, or a stretch of one.
        lengths: each sequence to its length in bases.
        key: the key or flag that the text is of, for errors.

    Raises:
        UsageError: an unknown sequence, a stretch that is malformed, empty or beyond the sequence's end, or a text that
            can be read in two ways.
    """
    return find(text, {"": lengths}, key)[0]


def find(text: str, genomes: Mapping[str, Mapping[str, int]], key: str) -> list[Region]:
    """The regions of several genomes that a text names: one, or a sequence of that name in each genome that has it.

    Args:
        text: a sequence or a stretch of one, alone or as `genome:…`.
        genomes: name to the length in bases of each sequence.
        key: the key or flag that the text is of, for errors.

    Raises:
        UsageError: as `parse`, or a stretch of a sequence that several genomes have.
    """
    readings = [(genome, *reading) for genome, lengths in genomes.items() for reading in _readings(text, lengths)]
    if not readings:
        readings = [
            (genome, *reading)
            for genome, lengths in genomes.items()
            if genome and text.startswith(f"{genome}:")
            for reading in _readings(text.removeprefix(f"{genome}:"), lengths)
        ]
    if not readings:
        raise _unreadable(text, genomes, key)
    names = list(dict.fromkeys((name, span) for _, name, span in readings))
    if len(names) > 1:
        ways = [f"{{{name}}}" + (f":{span}" if span else "") for name, span in names]
        raise _error(key, text, "can be read in two ways", f"write {' or '.join(ways)}")
    name, span = names[0]
    if span and len(readings) > 1:
        ways = [f"{genome}:{name}:{span}" for genome, _, _ in readings]
        raise _error(key, text, "is in several genomes", f"write {' or '.join(ways)}")
    return [_region(text, genome, name, span, genomes[genome][name], key) for genome, _, _ in readings]


def require_disjoint(regions: Iterable[tuple[str, Region]]) -> None:
    """Check that no two regions share a base.

    Args:
        regions: each with its key or flag, for errors.

    Raises:
        UsageError: two do; it names both.
    """
    ordered = sorted(regions, key=lambda item: item[1])
    for (first_key, first), (second_key, second) in itertools.pairwise(ordered):
        if (first.genome, first.chromosome) == (second.genome, second.chromosome) and second.start < first.end:
            of_first = "" if first_key == second_key else f" of {first_key}"
            raise _error(
                second_key,
                str(second),
                f"overlaps {first}{of_first}",
                "give every base to one region only",
            )


def rest(regions: Sequence[Region], genome: str, chromosome: str, length: int) -> list[Region]:
    """What disjoint regions leave of a sequence, in order."""
    own = sorted(region for region in regions if (region.genome, region.chromosome) == (genome, chromosome))
    starts, ends = [0, *(region.end for region in own)], [*(region.start for region in own), length]
    return [Region(genome, chromosome, start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _readings(text: str, lengths: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """The sequence and the stretch (empty for all of it) of each way to read a text."""
    if text.startswith("{"):
        name, closing, span = text[1:].rpartition("}")
        if closing and name in lengths and (not span or (span.startswith(":") and _SPAN.fullmatch(span[1:]))):
            yield name, span[1:]
    if text in lengths:
        yield text, ""
    name, _, span = text.rpartition(":")
    if name in lengths and _SPAN.fullmatch(span):
        yield name, span


def _region(text: str, genome: str, name: str, span: str, length: int, key: str) -> Region:
    if not span:
        return Region(genome, name, 0, length)
    match = _SPAN.fullmatch(span)
    if match is None:
        raise AssertionError("a stretch that was read cannot be read again")
    first = _number(match["first"], 1)
    last = _number(match["last"] or match["only_last"], length)
    has = f"{name} has bases 1 to {length:,}"
    if first < 1 or last > length or (first > length and not match["last"]):
        raise _error(key, text, "lies beyond the ends of its sequence", has)
    if first > last:
        raise _error(key, text, "is empty: its first base comes after its last", has)
    return Region(genome, name, first - 1, last)


def _number(text: str | None, default: int) -> int:
    return default if text is None else int(text.replace(",", ""))


def _unreadable(text: str, genomes: Mapping[str, Mapping[str, int]], key: str) -> UsageError:
    names = list(dict.fromkeys(name for lengths in genomes.values() for name in lengths))
    prefixes = ("", *(f"{genome}:" for genome in genomes if genome))
    name, colon, _ = text.rpartition(":")
    if colon and any(name.removeprefix(prefix) in names for prefix in prefixes):
        return _error(key, text, "is no region", _EXAMPLE)
    near = difflib.get_close_matches(name or text, names, n=1, cutoff=0.6) or difflib.get_close_matches(
        text, names, n=1, cutoff=0.6
    )
    shown = ", ".join(names[:_MAX_NAMES]) + (" …" if len(names) > _MAX_NAMES else "")
    fix = f"did you mean {near[0]}?" if near else f"the sequences are {shown}"
    return _error(key, text, "no such sequence", fix)


def _error(key: str, text: str, problem: str, fix: str) -> UsageError:
    return UsageError(f"{key}: {text}: {problem}", fix, key=key)
