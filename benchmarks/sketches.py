"""Planted pairs of similar intervals: how many a split by family joins, and how many count as leakage.

    python benchmarks/sketches.py [--bases 1e6 1e8 1e9] [--backgrounds random yeast] [--many-genomes 200]
        [--results FILE]

Intervals of 512 bases, in two backgrounds: bases at random, and a chain of order 8 that counts of S. cerevisiae
(examples/yeast) drive. Among them are pairs, identical and with 5 % of the bases exchanged (26 of 512), half of them on
the other strand, and a repeat of 300 bases, in up to 5,000 intervals that have nothing else in common, its copies 2 %
or 15 % from their consensus. Everything else is unrelated. One of each pair is in test, the other in train, and so are
a tenth and the rest of the unrelated. Another experiment has genes in many genomes, 2.6 % from an ancestor each.

The steps are those of `raygene build`, in one process. Figures go to --results, by default
benchmarks/results/sketches.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage
from pipelines.genome import sequence
from pipelines.splits import families, leakage, sketch, sketch_files
from pipelines.splits.sketch_files import SketchFiles
from pipelines.tokens.kmer_encoding import kmer_numbers

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "sketches.json"
YEAST = HERE.parent / "examples" / "yeast" / "genome.fa.gz"
LENGTH = 512
ORDER = 8
BATCH = 1 << 15
EXCHANGED = round(0.05 * LENGTH)
REPEAT, REPEAT_COPIES, REPEAT_DIVERGENCE = 300, 5_000, (0.02, 0.15)
PAIRS = 2_000
KINDS = ("identical", "identical, other strand", "95 %", "95 %, other strand")
IDENTITY = 0.9
Codes = NDArray[np.uint8]
Background = Callable[[np.random.Generator, int], Codes]


def random_bases(generator: np.random.Generator, bases: int) -> Codes:
    """Every base with the same probability."""
    return generator.integers(0, 4, bases, dtype=np.uint8)


@numba.njit(cache=False)
def _walk(bounds: NDArray[np.uint16], draws: NDArray[np.uint16], codes: Codes) -> None:
    """Draw each base by the bases before it; `bounds` has the upper bounds of A, C and G for each context."""
    context = 0
    for index in range(len(codes)):
        base = 0
        while base < 3 and draws[index] >= bounds[context, base]:
            base += 1
        codes[index] = base
        context = ((context << 2) | base) & (len(bounds) - 1)


def yeast_bases() -> Background:
    """Bases of a chain whose contexts of `ORDER` bases are followed by what follows them in S. cerevisiae."""
    counts = np.ones((4**ORDER, 4))
    lines = gzip.decompress(YEAST.read_bytes()).decode().splitlines()
    letters = "".join("N" if line.startswith(">") else line for line in lines)
    codes = sequence.base_codes(np.frombuffer(letters.encode(), np.uint8))
    known = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(codes, ORDER + 1).max(axis=1) < sequence.OTHER)
    numbers = kmer_numbers(np.minimum(codes, 3), ORDER + 1)[known]
    np.add.at(counts.reshape(-1), numbers, 1)
    shares = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    bounds = np.minimum(np.rint(shares[:, :3] * (1 << 16)), (1 << 16) - 1).astype(np.uint16)

    def bases(generator: np.random.Generator, count: int) -> Codes:
        drawn = np.empty(count, np.uint8)
        _walk(bounds, generator.integers(0, 1 << 16, count, dtype=np.uint16), drawn)
        return drawn

    return bases


def mutated(generator: np.random.Generator, codes: Codes, exchanged: int) -> Codes:
    """Rows of bases with so many of each exchanged for others."""
    places = np.argsort(generator.random(codes.shape), axis=1)[:, :exchanged]
    changed = codes.copy()
    rows = np.arange(len(codes))[:, None]
    changed[rows, places] = (codes[rows, places] + generator.integers(1, 4, places.shape, dtype=np.uint8)) % 4
    return changed


def reverse(codes: Codes) -> Codes:
    """The reverse complements of rows of bases."""
    return np.uint8(3) - codes[:, ::-1]


@dataclass(frozen=True)
class Planted:
    """What is planted among unrelated intervals.

    Attributes:
        intervals: how many there are in all.
        pairs: the intervals of each planted pair, by kind, shape (kinds, pairs, 2).
        codes: their bases, shape as `pairs` and `LENGTH`.
        carriers: intervals that have the repeat, ascending.
    """

    intervals: int
    pairs: NDArray[np.int64]
    codes: Codes
    carriers: NDArray[np.int64]

    @classmethod
    def of(cls, generator: np.random.Generator, bases: int, background: Background) -> Planted:
        """Plant in so many bases."""
        intervals = bases // LENGTH
        count = min(PAIRS, intervals // 32)
        copies = min(REPEAT_COPIES, intervals // 4)
        rows = generator.permutation(intervals)[: 2 * count * len(KINDS) + copies]
        pairs, carriers = rows[copies:].reshape(len(KINDS), count, 2), np.sort(rows[:copies])
        codes = np.empty((*pairs.shape, LENGTH), np.uint8)
        for kind, name in enumerate(KINDS):
            codes[kind, :, 0] = background(generator, count * LENGTH).reshape(count, LENGTH)
            copy = codes[kind, :, 0]
            copy = mutated(generator, copy, EXCHANGED) if name.startswith("95") else copy
            codes[kind, :, 1] = reverse(copy) if name.endswith("strand") else copy
        return cls(intervals, pairs, codes, carriers)

    def put(self, codes: Codes, first: int, consensus: Codes, generator: np.random.Generator) -> None:
        """Put what is planted into consecutive intervals from `first` on, shape (intervals, LENGTH), in place."""
        rows = self.pairs.reshape(-1)
        is_here = (rows >= first) & (rows < first + len(codes))
        codes[rows[is_here] - first] = self.codes.reshape(-1, LENGTH)[is_here]
        carriers = self.carriers[(self.carriers >= first) & (self.carriers < first + len(codes))]
        for number, row in enumerate(carriers.tolist()):
            exchanged = round(REPEAT_DIVERGENCE[number % 2] * REPEAT)
            copy = mutated(generator, consensus[None], exchanged)
            start = int(generator.integers(0, LENGTH - REPEAT + 1))
            codes[row - first, start : start + REPEAT] = (reverse(copy) if number % 4 > 1 else copy)[0]


def in_this_process(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables one after the other."""
    return map(function, tables)


def write(folder: Path, task: int, codes: Codes, first: int, spacing: int) -> None:
    """Write the sketches of consecutive intervals from `first` on, shape (intervals, LENGTH)."""
    lengths, rows = np.full(len(codes), LENGTH), np.arange(first, first + len(codes))
    sketch_files.write(folder, task, sketch.sketch(codes.reshape(-1), lengths, rows, spacing))


def planted_pairs(bases: int, background: Background, spacing: int, folder: Path) -> dict[str, Any]:
    """Measure recall, false joins, time and memory for one size."""
    generator = np.random.default_rng(0)
    planted = Planted.of(generator, bases, background)
    consensus = background(generator, REPEAT)
    seconds: dict[str, float] = {}
    tasks = range(0, planted.intervals, BATCH)
    making = 0.0
    began = time.process_time()
    for task, first in enumerate(tasks):
        before = time.process_time()
        count = min(BATCH, planted.intervals - first)
        codes = background(generator, count * LENGTH).reshape(count, LENGTH)
        planted.put(codes, first, consensus, generator)
        making += time.process_time() - before
        write(folder, task, codes, first, spacing)
    seconds["sketch"] = time.process_time() - began - making
    files = SketchFiles(folder, len(tasks))
    began = time.process_time()
    family = families.similar_groups(files, folder / "work", planted.intervals, 1, IDENTITY, in_this_process)
    seconds["families"] = time.process_time() - began
    is_test = generator.random(planted.intervals) < 0.1
    is_test[planted.pairs[..., 0]], is_test[planted.pairs[..., 1]] = True, False
    is_planted = np.zeros(planted.intervals, np.bool_)
    is_planted[planted.pairs] = True
    began = time.process_time()
    near, similar = leakage.alike(files, folder / "work", is_test, ~is_test, 1, in_this_process)
    seconds["leakage"] = time.process_time() - began
    sizes = np.bincount(family)
    joined = family[planted.pairs[..., 0]] == family[planted.pairs[..., 1]]
    pairs_in_families = int((sizes * (sizes - 1) // 2).sum())
    unrelated = np.flatnonzero(~is_planted)
    tests = planted.pairs[..., 0]
    return {
        "bases": bases,
        "intervals": planted.intervals,
        "one k-mer in": spacing,
        "samples": files.samples(),
        "planted pairs of each kind": planted.pairs.shape[1],
        "joined": {name: float(joined[kind].mean()) for kind, name in enumerate(KINDS)},
        "counted as similar": {name: float(similar[rows].mean()) for name, rows in zip(KINDS, tests, strict=True)},
        "counted as near-duplicates": {name: float(near[rows].mean()) for name, rows in zip(KINDS, tests, strict=True)},
        "unrelated pairs joined": (pairs_in_families - int(joined.sum()))
        / (planted.intervals * (planted.intervals - 1) // 2 - joined.size),
        "unrelated intervals joined": float((sizes[family[unrelated]] > 1).mean()),
        "unrelated intervals counted as similar": float(similar[is_test & ~is_planted].mean()),
        "intervals with the repeat": len(planted.carriers),
        "of these joined": float((sizes[family[planted.carriers]] > 1).mean()),
        "largest family": int(sizes.max()),
        "CPU seconds": {name: round(value, 2) for name, value in seconds.items()},
        "bytes of files": sum(path.stat().st_size for path in folder.glob("*.npy")),
        "peak memory of this process, bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def many_genomes(genomes: int, genes: int, folder: Path) -> dict[str, Any]:
    """Measure families of one gene in each of many genomes, each pair of which is 95 % identical."""
    generator = np.random.default_rng(0)
    ancestors = random_bases(generator, genes * LENGTH).reshape(genes, LENGTH)
    intervals = genomes * genes
    spacing = sketch.sample_spacing(intervals * LENGTH)
    for genome in range(genomes):
        write(folder, genome, mutated(generator, ancestors, EXCHANGED // 2), genome * genes, spacing)
    files = SketchFiles(folder, genomes)
    began = time.process_time()
    family = families.similar_groups(files, folder / "work", intervals, genomes, IDENTITY, in_this_process)
    seconds = time.process_time() - began
    of_gene = family.reshape(genomes, genes).T
    largest = [np.unique(row, return_counts=True)[1].max() / genomes for row in of_gene]
    is_test = np.arange(intervals) < intervals // 10
    found = leakage.measure(files, folder / "work", is_test, ~is_test, genomes, in_this_process)
    return {
        "genomes": genomes,
        "genes": genes,
        "bases": intervals * LENGTH,
        "one k-mer in": spacing,
        "share of a gene's intervals in one family": float(np.mean(largest)),
        "families of several genes": int(
            sum(len(np.unique(np.flatnonzero(family == name) % genes)) > 1 for name in np.unique(family))
        ),
        "counted as similar": found.similar / found.evaluated,
        "CPU seconds": {"families": round(seconds, 2)},
    }


def main() -> None:
    """Measure what the options say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=float, nargs="*", default=[1e6, 1e8])
    parser.add_argument("--backgrounds", nargs="*", default=["random", "yeast"], choices=["random", "yeast"])
    parser.add_argument("--many-genomes", type=int, nargs="*", default=[], metavar="GENOMES")
    parser.add_argument("--genes", type=at_least(1), default=100, help="of each of many genomes")
    parser.add_argument("--spacing", type=int, help="one k-mer in how many, instead of what raygene takes")
    options = parse(parser, RESULTS)
    stored = read_results(options.results)
    for name in options.backgrounds:
        background = random_bases if name == "random" else yeast_bases()
        for bases in map(int, options.bases):
            spacing = options.spacing or sketch.sample_spacing(bases)
            with tempfile.TemporaryDirectory() as folder:
                figures = planted_pairs(bases, background, spacing, Path(folder))
            _store(stored, f"{name}, {bases:.0e} bases, one in {spacing}", figures, options.results)
    for genomes in options.many_genomes:
        with tempfile.TemporaryDirectory() as folder:
            figures = many_genomes(genomes, options.genes, Path(folder))
        _store(stored, f"{genomes} genomes of {options.genes} genes", figures, options.results)


def _store(stored: dict[str, Any], name: str, figures: dict[str, Any], path: Path) -> None:
    """Add figures to the file, and print them."""
    stored[name] = figures
    storage.write_json(path, stored)
    print(name, json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
