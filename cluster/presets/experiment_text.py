"""The text of an experiment: a template filled in for one genome."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from cluster.presets import network
from cluster.presets.genome_facts import GenomeFacts
from cluster.presets.held_out import MOST_NAMED, TEST, VALIDATION, HeldOut, Stretch
from cluster.presets.network import Network
from cluster.presets.sequence_facts import SequenceFacts
from pipelines import remote

OF_GENOMES = ("structure", "scan", "recognise", "search")
OF_SEQUENCES = ("promoters", "classes", "search")
"""The presets for genomes, and those for labelled sequences."""
_FEW_ROWS = 5_000
"""Below so many rows of train a step has 16 of them, as in examples/yeast, otherwise 64."""
_SEQUENCE_READINGS, _FEWEST_EPOCHS, _MOST_EPOCHS = 550_000, 6, 30
"""Thirty epochs of up to 18,000 sequences: fewer leave the binding sites of docs/results.md short of their best."""
_MOST_EPOCHS_OF_CLASSES = 20
"""As in examples/parts, like all settings of `classes.yaml`; others have not been measured."""
_SETTINGS = "kind: lstm, embedding: 32, stem: 64, stem_stride: 2, hidden: 64, dropout: 0.2"
"""Of the network for two labels, as in the figures of docs/results.md."""
_SETTINGS_OF_CLASSES = "kind: cnn, embedding: 32, stem: 64, stem_stride: 2, hidden: 64, layers: 3, dropout: 0.3"
"""As in examples/parts."""
_ENSEMBLE = 3
"""Networks that are averaged; a search trains one at each of its sizes."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True)
class GenomeEntry:
    """A genome of an experiment.

    Attributes:
        name: of the genome.
        fasta, annotation: paths as the file gives them.
        facts: of the genome.
    """

    name: str
    fasta: str
    annotation: str
    facts: GenomeFacts


@dataclass(frozen=True)
class SequencesEntry:
    """Labelled sequences of an experiment.

    Attributes:
        name: of the collection.
        files: split to its path as the file gives it.
        rows: number of sequences of train.
        facts: what they show; None where a split has sequences of one label only.
        classes: names in the order of the outputs; none where labels are 0 and 1.
    """

    name: str
    files: dict[str, str]
    rows: int
    facts: SequenceFacts | None
    classes: tuple[str, ...] = ()


def of_genomes(preset: str, genomes: Sequence[GenomeEntry], held_out: HeldOut) -> str:
    """The experiment of one or several genomes.

    Args:
        preset: one of `OF_GENOMES`.
        genomes: at least one.
        held_out: their split.
    """
    chosen = structure_network(genomes)
    rows = 2 * held_out.genes.get("train", sum(len(own) for one in genomes for own in one.facts.genes.values()))
    values = {
        "sources": "\n".join(map(_genome, genomes)),
        "why": _why(held_out, len(genomes)),
        "split": _split(held_out),
        "network": chosen.settings,
        "network_why": chosen.why,
        "learning_rate": chosen.learning_rate,
        "epochs": chosen.epochs(held_out.train_bases),
        "megabases": f"{chosen.epochs(held_out.train_bases) * held_out.train_bases / 1e6:,.0f}",
        "batch": _batch(rows),
    }
    return _filled("recognise" if preset == "search" else preset, values, is_search=preset == "search")


def of_sequences(preset: str, sequences: SequencesEntry) -> str:
    """The experiment of labelled sequences.

    Args:
        preset: one of `OF_SEQUENCES`.
        sequences: what it learns from.
    """
    lines = [f"  - genome: {quoted(sequences.name)}"]
    lines += [f"    {split}: {quoted(path)}" for split, path in sequences.files.items()]
    of_classes = preset == "classes"
    values: dict[str, object] = {
        "sources": "\n".join(lines),
        "classes": ", ".join(map(quoted, sequences.classes)),
        "epochs": _epochs(sequences.rows, _MOST_EPOCHS_OF_CLASSES if of_classes else _MOST_EPOCHS),
        "batch": _batch(sequences.rows),
    }
    settings, strands = _SETTINGS_OF_CLASSES if of_classes else _SETTINGS, ""
    why = "a split has sequences of one label only, so that nothing was measured"
    if (facts := sequences.facts) is not None:
        why = f"AUROC of 4-mers {facts.composition:.2f}, on the other strand {facts.composition_reversed:.2f}"
        if facts.aligned:
            settings = f"absolute_positions: true, {settings}"
            fall = f"{facts.positions:.2f}, and {facts.positions_rotated:.2f} where sequences are rotated"
            why = f"aligned: AUROC of bases at their positions {fall}"
        elif facts.strands_alike:
            settings, strands = f"strands: averaged, {settings}", "reverse_complement: true, "
            why = f"both strands alike: {why}"
        else:
            why = f"read on the given strand: {why}"
    if preset == "promoters":
        settings = f"ensemble: {_ENSEMBLE}, {settings}"
    values |= {"network": f"{{{settings}}}", "strands": strands, "network_why": why}
    return _filled("classes" if of_classes else "promoters", values, is_search=preset == "search")


def structure_network(genomes: Sequence[GenomeEntry]) -> Network:
    """The network of a structure model, by the genome with most introns."""
    return network.choose(max(one.facts.introns or 0.0 for one in genomes))


def _epochs(rows: int, most: int) -> int:
    return min(max(round(_SEQUENCE_READINGS / rows), _FEWEST_EPOCHS), most)


def _batch(rows: int) -> int:
    return 16 if rows < _FEW_ROWS else 64


def _filled(name: str, values: Mapping[str, object], *, is_search: bool) -> str:
    tuning = _template("tuning") if is_search else ""
    filled = Template(_template(name)).substitute(values, tuning=tuning)
    if is_search:
        first, _, rest = filled.partition("\n")
        filled = f"{first}\n# With a search for a better configuration, for raygene tune.\n{rest}"
    return "\n".join(line for line in filled.splitlines() if line.strip()) + "\n"


def _template(name: str) -> str:
    return resources.files("cluster.presets").joinpath(f"{name}.yaml").read_text("utf-8")


def _genome(genome: GenomeEntry) -> str:
    lines = [
        f"  - genome: {quoted(genome.name)}",
        f"    fasta: {quoted(genome.fasta)}",
        f"    annotation: {quoted(genome.annotation)}",
        _chromosomes(genome.facts),
    ]
    return "\n".join(lines)


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


def collection_name(train: Path) -> str:
    """A short name for labelled sequences, from that of their file; of its directory where that is only `train`."""
    stem = re.sub(r"(\.(gz|bgz|bz2|xz|zst|zip|csv|tsv|txt))+$", "", train.name, flags=re.IGNORECASE)
    stem = train.absolute().parent.name if stem.lower() in ("train", "training") else stem
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:40] or "sequences"


def path_from(folder: Path, location: str) -> str:
    """A path as an experiment in a folder gives it: relative if it lies in or beside the folder, else in full.

    An address is given as it is.
    """
    if (path := remote.local_path(location)) is None:
        return location
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


def _why(held_out: HeldOut, genomes: int) -> str:
    if not held_out.genes:
        kept = "same-named sequences" if genomes > 1 else "sequences"
        return f"{kept} drawn at random: {VALIDATION:.0%} for validation, {TEST:.0%} for test"
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
