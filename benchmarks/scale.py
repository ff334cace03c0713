"""How a build grows with genomes, contigs and rows: time, CPU, the driver's memory, tasks and the manifest.

    python benchmarks/scale.py --data DIR [--genomes 1 10 100 500] [--contigs 5000 20000 100000]
                               [--rows 100000 1000000 10000000] [--cpus 2] [--work DIR] [--results FILE]

DIR holds `arabidopsis_thaliana_chr1` as NCBI publishes it. Every genome is a copy of it under another name with a
seventh of its bases redrawn: for `genomes` its first 2 Mb with all rows of the annotation, for `contigs` cut into
pieces of 2,500 bases with what is left of their genes, for `rows` with a BED interval of 40 bases every 160. Each size
is built by a process of its own. The figures of the given axes, and the slopes of their logarithms, replace those in
--results, by default benchmarks/results/scale.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import math
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.process.options import add_data, at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scale.json"
AXES = {
    "genomes": [1, 10, 100, 500],
    "contigs": [5_000, 20_000, 100_000],
    "rows": [100_000, 1_000_000, 10_000_000],
}
FOLDER = "arabidopsis_thaliana_chr1"
FASTA = "AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz"
ANNOTATION = "AthaTAIR10_chr1.gff.gz"
GENOME_BASES, CONTIG_BASES, GENE_BASES, GENE_EVERY = 2_000_000, 2_500, 40, 160
MIN_GENE = 200
MUTATED = 1 / 7
LINE = 80
SLOPES = ("seconds", "CPU seconds", "driver peak, MB", "tasks", "manifest, bytes")


def real_bases(data: Path) -> NDArray[np.uint8]:
    """The letters of the real chromosome."""
    with gzip.open(data / FOLDER / FASTA, "rb") as stream:
        letters = b"".join(stream.read().split(b"\n")[1:])
    return np.frombuffer(letters, np.uint8)


def real_rows(data: Path) -> list[list[str]]:
    """The rows of its annotation, as columns."""
    with gzip.open(data / FOLDER / ANNOTATION, "rt") as stream:
        return [line.rstrip("\n").split("\t") for line in stream if not line.startswith("#")]


def mutated(bases: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A copy of a sequence in which `MUTATED` of the bases are drawn anew."""
    copy = bases.copy()
    at = np.flatnonzero(generator.random(len(copy)) < MUTATED)
    copy[at] = np.frombuffer(b"ACGT", np.uint8)[generator.integers(0, 4, len(at))]
    return copy


def lines_of(bases: NDArray[np.uint8]) -> bytes:
    """A sequence as lines of FASTA."""
    whole = len(bases) // LINE * LINE
    lines = np.full((whole // LINE, LINE + 1), ord("\n"), np.uint8)
    lines[:, :LINE] = bases[:whole].reshape(-1, LINE)
    return lines.tobytes() + (bases[whole:].tobytes() + b"\n" if whole < len(bases) else b"")


def make_genomes(folder: Path, size: int, data: Path) -> list[dict[str, str]]:
    """Write genomes of 2 Mb; return the sources."""
    bases = real_bases(data)[:GENOME_BASES]
    rows = [row for row in real_rows(data) if int(row[4]) <= GENOME_BASES and row[2] != "region"]
    sources = []
    for number in range(size):
        name = f"genome{number}"
        fasta, annotation = folder / f"{name}.fa", folder / f"{name}.gff3"
        copy = mutated(bases, np.random.default_rng(number))
        fasta.write_bytes(f">{name}_1\n".encode() + lines_of(copy))
        renamed = ("\t".join([f"{name}_1", *row[1:]]) + "\n" for row in rows)
        annotation.write_text("##gff-version 3\n" + "".join(renamed))
        sources.append({"genome": name, "fasta": str(fasta), "annotation": str(annotation)})
    return sources


def make_contigs(folder: Path, size: int, data: Path) -> list[dict[str, str]]:
    """Write one assembly of contigs that have a gene each; return its source."""
    bases = real_bases(data)
    genes: dict[int, list[tuple[int, int, str]]] = {}
    for row in real_rows(data):
        start, end = int(row[3]) - 1, int(row[4])
        for contig in range(start // CONTIG_BASES, -(-end // CONTIG_BASES)) if row[2] == "gene" else ():
            low, high = max(start - contig * CONTIG_BASES, 0), min(end - contig * CONTIG_BASES, CONTIG_BASES)
            if high - low >= MIN_GENE:
                genes.setdefault(contig, []).append((low, high, row[6]))
    genes.pop(len(bases) // CONTIG_BASES, None)
    fasta, annotation = folder / "assembly.fa", folder / "assembly.gff3"
    with fasta.open("wb") as letters, annotation.open("w") as features:
        features.write("##gff-version 3\n")
        written = 0
        for copy in range(-(-size // len(genes))):
            own = mutated(bases, np.random.default_rng(copy))
            for contig, found in list(genes.items())[: size - written]:
                name = f"contig{written}"
                start = contig * CONTIG_BASES
                letters.write(f">{name}\n".encode() + lines_of(own[start : start + CONTIG_BASES]))
                for number, (low, high, strand) in enumerate(found):
                    features.write(f"{name}\tx\tgene\t{low + 1}\t{high}\t.\t{strand}\t.\tID={name}_{number}\n")
                written += 1
    return [{"genome": "assembly", "fasta": str(fasta), "annotation": str(annotation)}]


def make_rows(folder: Path, size: int, data: Path) -> list[dict[str, str]]:
    """Write genomes with half as many intervals as there are to be rows; return the sources."""
    bases = real_bases(data)
    sources: list[dict[str, str]] = []
    missing = size // 2
    while missing:
        name = f"genome{len(sources)}"
        fasta, annotation = folder / f"{name}.fa", folder / f"{name}.bed"
        count = min(missing, len(bases) // GENE_EVERY - 1)
        generator = np.random.default_rng(len(sources))
        fasta.write_bytes(f">{name}_1\n".encode() + lines_of(mutated(bases, generator)))
        starts = np.arange(count) * GENE_EVERY + generator.integers(0, GENE_EVERY - GENE_BASES, count)
        strands = generator.choice(["+", "-"], count)
        annotation.write_text(
            "".join(
                f"{name}_1\t{start}\t{start + GENE_BASES}\tinterval{number}\t0\t{strand}\n"
                for number, (start, strand) in enumerate(zip(starts.tolist(), strands.tolist(), strict=True))
            )
        )
        sources.append({"genome": name, "fasta": str(fasta), "annotation": str(annotation)})
        missing -= count
    return sources


MAKERS = {"genomes": make_genomes, "contigs": make_contigs, "rows": make_rows}
KEYS: dict[str, dict[str, Any]] = {
    "genomes": {"crop": {"length": 512}, "split": {"by": "block"}},
    "contigs": {"crop": {"length": 512}},
    "rows": {"split": {"by": "block"}},
}


def cpu_seconds() -> float:
    """CPU seconds of this process and of all that it has started, ended ones included."""
    ticks: dict[int, tuple[int, int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks[int(process.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    family = found = {os.getpid()}
    while found:
        found = {pid for pid, (parent, _) in ticks.items() if parent in family} - family
        family |= found
    total = sum(own for pid, (_, own) in ticks.items() if pid in family)
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """The most memory (bytes) that this process has: `own`, and with what it shares with Ray's object store."""
    peak, done = {"own": 0, "with object store": 0}, threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            own, shared = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))
            peak["own"] = max(peak["own"], own)
            peak["with object store"] = max(peak["with object store"], own + shared)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def measure(axis: str, sources: list[dict[str, str]], work: Path, cpus: int) -> dict[str, Any]:
    """Build a dataset of these sources; return the figures."""
    from cluster import connection

    connection.prepare_environment(verbose=False)
    import ray

    from pipelines.build.pipeline import build, prepare
    from pipelines.config import DatasetConfig
    from pipelines.progress import Silent

    connection.silence_ray()
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    config = DatasetConfig.model_validate({"sources": sources, **KEYS[axis]})
    output, before, began = work / "dataset", cpu_seconds(), time.perf_counter()
    with peak_memory() as memory:
        prepared = prepare(config, Silent(), cpus)
        reading = time.perf_counter() - began
        manifest = build(config, output, nullcontext, Silent(), prepared)
    seconds = time.perf_counter() - began
    return {
        "rows": sum(count["rows"] for count in manifest["counts"]),
        "seconds": round(seconds, 2),
        "of them reading genomes": round(reading, 2),
        "CPU seconds": round(cpu_seconds() - before, 2),
        "driver peak, MB": round(memory["own"] / 1e6),
        "driver peak with its part of the object store, MB": round(memory["with object store"] / 1e6),
        "tasks": len({file["path"].rpartition("-")[2] for file in manifest["files"]}),
        "manifest, bytes": (output / "manifest.json").stat().st_size,
        "fingerprint": manifest["fingerprint"],
    }


def in_process(axis: str, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one size in a process of its own."""
    folder = arguments.work.absolute() / f"{axis}-{size}"
    listed = folder / "sources.json"
    if not listed.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        listed.write_text(json.dumps(MAKERS[axis](folder, size, arguments.data.absolute())))
    for left in (folder / "dataset", folder / "cache", *folder.glob(".dataset.building-*")):
        shutil.rmtree(left, ignore_errors=True)
    command = [sys.executable, __file__, "--measure", axis, str(folder), "--cpus", str(arguments.cpus)]
    command += ["--data", str(arguments.data)]
    environment = os.environ | {"RAYGENE_CACHE": str(folder / "cache")}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    if not arguments.keep:
        shutil.rmtree(folder)
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return {axis: size, **figures}


def slopes(axis: str, sizes: list[dict[str, Any]]) -> dict[str, float]:
    """The slope of the logarithm of each figure over that of the size, between the last two sizes."""
    if len(sizes) < 2:
        return {}
    first, last = sizes[-2:]
    distance = math.log(last[axis] / first[axis])
    return {name: round(math.log(max(last[name], 1e-9) / max(first[name], 1e-9)) / distance, 2) for name in SLOPES}


def main() -> None:
    """Measure every size of every axis, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    for axis in AXES:
        parser.add_argument(f"--{axis}", type=int, nargs="*", help=f"default: {AXES[axis]}, where no axis is given")
    parser.add_argument("--cpus", type=at_least(1), default=2)
    parser.add_argument("--work", type=Path, default=Path("scale-work"))
    parser.add_argument("--keep", action="store_true", help="keep the genomes and datasets")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parse(parser, RESULTS)
    if arguments.measure:
        axis, folder = arguments.measure[0], Path(arguments.measure[1])
        sources = json.loads((folder / "sources.json").read_text())
        print(json.dumps(measure(axis, sources, folder, arguments.cpus)))
        return
    asked: dict[str, list[int]] = {axis: getattr(arguments, axis) or [] for axis in AXES}
    asked = asked if any(asked.values()) else AXES
    target = arguments.results
    document: dict[str, Any] = read_results(target)
    document["machine"] = {"cpus": arguments.cpus, "processor": platform.machine()}
    for axis, axis_sizes in asked.items():
        sizes: list[dict[str, Any]] = []
        for size in axis_sizes:
            sizes.append(in_process(axis, size, arguments))
            print(json.dumps(sizes[-1]), flush=True)
            document[axis] = {"sizes": sizes, "slopes between the last two": slopes(axis, sizes)}
            storage.write_json(target, document)
        if sizes:
            print(json.dumps(document[axis]["slopes between the last two"]), flush=True)


if __name__ == "__main__":
    main()
