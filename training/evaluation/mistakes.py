"""A model's mistakes as genomic intervals, the most confident first, and as BED9 for a genome browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome.bed import WITHOUT_CONTROLS, bed_score
from pipelines.report import Table
from training.evaluation.evaluate import Evaluation, Judged

# Red for what is no gene and is called one, blue for a gene that is missed.
COLOURS = {"FP": "202,74,49", "FN": "53,102,168"}
# The UCSC browser shows 60 letters of a description, and 255 of a name.
_DESCRIPTION, _GENE = 40, 100
_COLUMNS = ("genome", "chromosome", "start", "end", "strand", "source", "gene_id", "biotype", "interval_id")
_SAFE = "!#$'()*+,-./:<=>?@[]^_`{|}~%;&"


@dataclass(frozen=True)
class Mistake:
    """An interval that a model calls wrong.

    Attributes:
        kind: FP, a negative called a gene; or FN, a gene that is missed.
        probability: of being a gene, by the model.
    """

    kind: str
    probability: float
    genome: str
    chromosome: str
    start: int
    end: int
    strand: str
    source: str
    gene_id: str | None
    biotype: str | None
    interval_id: int

    @property
    def place(self) -> str:
        """`genome:chromosome:start-end`, 0-based half-open."""
        return f"{self.genome}:{self.chromosome}:{self.start}-{self.end}"


def rows_of(dataset: TokenDataset, model: Judged, kind: str) -> NDArray[np.int64]:
    """Row numbers of the mistakes of a kind, the most confident first, shape (mistakes,)."""
    called = model.probabilities >= model.threshold
    wrong = np.flatnonzero(called & (dataset.labels == 0) if kind == "FP" else ~called & (dataset.labels == 1))
    sign = -1 if kind == "FP" else 1
    return wrong[np.argsort(sign * model.probabilities[wrong], kind="stable")]


def counts(dataset: TokenDataset, model: Judged) -> dict[str, int]:
    """How many false positives and false negatives there are."""
    names = {"false_positives": "FP", "false_negatives": "FN"}
    return {name: len(rows_of(dataset, model, kind)) for name, kind in names.items()}


def worst(dataset: TokenDataset, model: Judged, kind: str, most: int | None = None) -> list[Mistake]:
    """Mistakes of a kind, the most confident first."""
    rows = rows_of(dataset, model, kind)[:most]
    chosen = dataset.table.select(_COLUMNS).take(rows).to_pylist()
    return [Mistake(kind, float(model.probabilities[row]), **one) for row, one in zip(rows, chosen, strict=True)]


def table(dataset: TokenDataset, model: Judged, kind: str, most: int) -> Table:
    """The most confident mistakes of a kind."""
    found = worst(dataset, model, kind, most)
    total = len(rows_of(dataset, model, kind))
    what = "Negatives called genes" if kind == "FP" else "Genes missed"
    rows: list[tuple[object, ...]] = [
        (one.place, one.strand, one.source, one.gene_id or "", one.biotype or "", one.probability) for one in found
    ]
    header = ("place", "strand", "source", "gene", "biotype", "probability")
    return Table(f"{what}: the {len(found):,} most confident of {total:,}", header, rows)


def places(path: Path, models: Sequence[str], genomes: Sequence[str]) -> dict[tuple[str, str], Path]:
    """The file of each model and genome: `path`, with the names of those before its ending of which there are several."""
    found = {}
    for model in models:
        for genome in genomes:
            names = [model.replace("/", "-")] * (len(models) > 1) + [genome] * (len(genomes) > 1)
            found[model, genome] = path.with_name(".".join([path.stem, *names]) + path.suffix)
    return found


def write(found: Evaluation, path: Path) -> list[Path]:
    """Write every mistake as BED9, a file for each model and genome if there are several of either.

    Args:
        found: the evaluation.
        path: the file; with several models or genomes their names go before its ending.

    Returns:
        The files, each sorted by chromosome and start and written whole or not at all.
    """
    written = []
    of = places(path, [model.name for model in found.models], found.genomes)
    for model in found.models:
        every = [*worst(found.dataset, model, "FP"), *worst(found.dataset, model, "FN")]
        for genome in found.genomes:
            place = of[model.name, genome]
            here = [one for one in every if one.genome == genome]
            storage.write_text(place, "".join(_lines(here, f"{model.name}, {found.dataset.split}, {genome}")))
            written.append(place)
    return written


def _lines(mistakes: list[Mistake], what: str) -> Iterator[str]:
    told = what.translate(WITHOUT_CONTROLS).replace('"', "'")
    yield f'track name="mistakes" description="{told[:_DESCRIPTION]}: FP red, FN blue" itemRgb="On"\n'
    for one in sorted(mistakes, key=lambda one: (one.chromosome, one.start, one.end, one.strand, one.interval_id)):
        gene = quote((one.gene_id or str(one.interval_id))[:_GENE], safe=_SAFE)
        name = f"{one.kind}:{gene}:{one.source}:p={one.probability:.3f}"
        columns = (one.chromosome, one.start, one.end, name, bed_score(one.probability), one.strand)
        yield "\t".join(str(column) for column in (*columns, one.start, one.end, COLOURS[one.kind])) + "\n"
