"""The text of an experiment: a template filled in for one genome."""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path
from string import Template

from cluster.presets.genome_facts import GenomeFacts
from cluster.presets.held_out import MOST_NAMED, TEST, VALIDATION, HeldOut, Stretch

PRESETS = ("structure", "scan")
_TRAINING_BASES = 180_000_000
"""Twenty epochs of 9.1 Mb of S. pombe, whose figures are in examples/structure/README.md; others are untested."""
_FEWEST_EPOCHS, _MOST_EPOCHS = 6, 40
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def text(preset: str, name: str, fasta: str, annotation: str, facts: GenomeFacts, held_out: HeldOut) -> str:
    """The experiment.

    Args:
        preset: one of `PRESETS`.
        name: of the genome.
        fasta, annotation: paths as the file gives them.
        facts: of the genome.
        held_out: its split.
    """
    template = Template(resources.files("cluster.presets").joinpath(f"{preset}.yaml").read_text("utf-8"))
    filled = template.substitute(
        genome=quoted(name),
        fasta=quoted(fasta),
        annotation=quoted(annotation),
        chromosomes=_chromosomes(facts),
        why=_why(held_out),
        split=_split(held_out),
        epochs=epochs(held_out.train_bases),
    )
    return "\n".join(line for line in filled.splitlines() if line.strip()) + "\n"


def epochs(train_bases: int) -> int:
    """Passes over the training data of a structure model, by its size in bases."""
    return min(max(round(_TRAINING_BASES / max(train_bases, 1)), _FEWEST_EPOCHS), _MOST_EPOCHS)


def quoted(text: str) -> str:
    """A text as a value of YAML, in quotes where it could be read as something else."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    return text if is_plain else json.dumps(text, ensure_ascii=True)


def genome_name(fasta: Path) -> str:
    """A short name for a genome, from that of its file: the assembly where the name follows Ensembl or NCBI."""
    stem = re.sub(r"(\.(gz|bgz|bz2|xz|zst|zip|fa|fna|fasta|fas|seq|txt))+$", "", fasta.name, flags=re.IGNORECASE)
    if ncbi := re.fullmatch(r"GC[AF]_\d+\.\d+_(.+)_genomic", stem):
        stem = ncbi[1]
    elif ensembl := re.fullmatch(r"[A-Z][a-z]+_[a-z_0-9]+\.(.+?)\.dna(_[rs]m)?\..*", stem):
        stem = ensembl[1]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:40] or "genome"


def path_from(folder: Path, path: Path) -> str:
    """A path as an experiment in a folder gives it: relative if it lies in or beside the folder, else in full."""
    relative = os.path.relpath(path.absolute(), folder.absolute())
    return str(path.absolute()) if Path(relative).parts[:2] == ("..", "..") else relative


def _chromosomes(facts: GenomeFacts) -> str:
    """The key `chromosomes`, if something has to be left out; the line is empty otherwise."""
    if len(facts.lengths) <= MOST_NAMED:
        why = "  # without organelles" if facts.organelles else ""
        return f"    chromosomes: {_names(facts.lengths)}{why}"
    if not facts.organelles:
        return ""
    pattern = "|".join(map(re.escape, facts.organelles))
    return f"    chromosomes: [{json.dumps(f'/(?!({pattern})$).*/')}]  # without organelles"


def _why(held_out: HeldOut) -> str:
    if not held_out.genes:
        return f"sequences drawn at random: {VALIDATION:.0%} for validation, {TEST:.0%} for test"
    counts = ", ".join(f"{split} {count:,}" for split, count in held_out.genes.items())
    whole = all(part.start is None for part in (*held_out.validation, *held_out.test))
    return f"{'whole chromosomes' if whole else 'stretches between genes'} held out; genes: {counts}"


def _split(held_out: HeldOut) -> str:
    if not held_out.genes:
        return f"{{by: {held_out.by}, validation: {VALIDATION}, test: {TEST}, seed: 0}}"
    return f"{{by: {held_out.by}, validation: {_names(held_out.validation)}, test: {_names(held_out.test)}}}"


def _names(names: object) -> str:
    listed: list[str | Stretch] = list(names)  # type: ignore[call-overload]
    return f"[{', '.join(quoted(str(name)) for name in listed)}]"
