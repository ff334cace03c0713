"""The token stage of the task `structure`: pieces of stretches to windows with a token and a state for every base.

A piece reads its own bases, those of its genes, and half a k-mer on either side, and never a base beyond its stretch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.build import encode_tokens, windows
from pipelines.gene_models import annotated_genome
from pipelines.genome import sequence
from pipelines.genome.fasta import Genome
from pipelines.stores.staging import Staging
from pipelines.structure import states
from pipelines.structure.label import label
from pipelines.structure.rules import LabelRules
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer

Summary = dict[str, Counter[str]]
"""Of a split: `genes` by what became of them, `masked` bases by reason, and bases by `states`, both strands added."""
_FORWARD, _REVERSE = states.unpack(np.arange(256, dtype=np.uint8))
_IS_CODING = np.isin(_FORWARD, [states.CDS_0, states.CDS_1, states.CDS_2]) | np.isin(
    _REVERSE, [states.CDS_0, states.CDS_1, states.CDS_2]
)


@dataclass(frozen=True)
class WriteWindows:
    """A map over tables of `windows.PIECES` that writes their windows and returns one record, as JSON, for each table.

    Attributes:
        genomes: name to genome.
        rules: name of a genome to the rules by which its bases are labelled.
        tokenizer: of an odd k and stride 1.
        length: bases of a window.
        staging: what becomes the dataset.
    """

    genomes: dict[str, Genome]
    rules: dict[str, LabelRules]
    tokenizer: Tokenizer
    length: int
    staging: Staging

    def __call__(self, table: pa.Table) -> pa.Table:
        return encode_tokens.write_once(table, self.staging, self._write)

    def _write(self, table: pa.Table, task: int, folder: Path) -> dict[str, Any]:
        summaries: defaultdict[str, Summary] = defaultdict(lambda: defaultdict(Counter))
        counts: Counter[tuple[str, str, int]] = Counter()
        tables = []
        for piece in table.to_pylist():
            rows = self._rows(piece, summaries[piece["split"]])
            labels = rows["label"].to_numpy()
            for value in (0, 1):
                counts[piece["chromosome"], piece["split"], value] += int((labels == value).sum())
            tables.append(rows)
        rows = pa.concat_tables(tables)
        return {
            "files": encode_tokens.write_splits(rows, folder, task, self.tokenizer, schema.windows),
            "genome": table["genome"][0].as_py(),
            "counts": [[*key, number] for key, number in counts.items() if number],
            "structure": {split: dict(summary) for split, summary in summaries.items()},
        }

    def _rows(self, piece: dict[str, Any], summary: Summary) -> pa.Table:
        """Return the windows of a piece, and add what is in them to the summary of their split."""
        genes = annotated_genome.unpack(piece["genes"])
        stretch, start, end = (piece["stretch_start"], piece["stretch_end"]), piece["start"], piece["end"]
        flank = self.tokenizer.k // 2
        low, high = max(start - flank, stretch[0]), min(end + flank, stretch[1])
        inside = [gene.extent for gene in genes if _is_within(gene.extent, stretch)]
        first = min([low, *(bounds[0] for bounds in inside)])
        last = max([high, *(bounds[1] for bounds in inside)])
        letters = self.genomes[piece["genome"]].sequence(piece["chromosome"], first, last)
        codes = sequence.base_codes(letters)
        rules, excluded = self.rules[piece["genome"]], np.array(piece["excluded"], np.int64).reshape(-1, 2)
        labelled = label(genes, codes, start, end, rules, first=first, stretch=stretch, excluded=excluded)
        tokens = centred.encode(self.tokenizer, codes[low - first : high - first])[start - low : end - low]
        own = slice(start - first, end - first)
        bounds = windows.bounds(start, end, self.length)
        lengths = bounds[:, 1] - bounds[:, 0]
        table = _intervals(piece, bounds, labelled.packed)
        rows = encode_tokens.describe(table, letters[own], codes[own], lengths, tokens, lengths)
        offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
        _summarise(labelled.packed, summary)
        summary["genes"].update(labelled.genes)
        summary["masked"].update(labelled.bases)
        return rows.append_column("states", pa.ListArray.from_arrays(offsets, pa.array(labelled.packed)))


def _is_within(bounds: tuple[int, int], stretch: tuple[int, int]) -> bool:
    return stretch[0] <= bounds[0] and bounds[1] <= stretch[1]


def _intervals(piece: dict[str, Any], bounds: NDArray[np.int64], packed: states.States) -> pa.Table:
    """Return the windows of a piece as rows of the interval table; one with a coding base has label 1."""
    count = len(bounds)
    is_coding = np.logical_or.reduceat(_IS_CODING[packed], bounds[:, 0] - piece["start"])
    columns = {
        "interval_id": np.arange(count) + piece["first"],
        "genome": pa.repeat(piece["genome"], count),
        "chromosome": pa.repeat(piece["chromosome"], count),
        "start": bounds[:, 0],
        "end": bounds[:, 1],
        "strand": pa.repeat("+", count),
        "label": is_coding.astype(np.int8),
        "source": pa.repeat(schema.WINDOW, count),
        "gene_id": pa.nulls(count, pa.string()),
        "biotype": pa.nulls(count, pa.string()),
        "split": pa.repeat(piece["split"], count),
    }
    return pa.table(columns, schema=schema.INTERVALS)


def _summarise(packed: states.States, summary: Summary) -> None:
    counts = np.bincount(packed, minlength=256)
    for strand in (_FORWARD, _REVERSE):
        of_state = np.bincount(strand, counts, minlength=len(states.NAMES))
        summary["states"].update({name: int(of_state[number]) for number, name in enumerate(states.NAMES)})
