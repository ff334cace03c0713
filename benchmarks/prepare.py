"""Genomes to tokens, compared with the flow it replaces: bedtools shuffle, bedtools getfasta and a Python k-mer loop.

    python benchmarks/prepare.py [--megabases 50 250] [--repeats 3] [--cpus 2] [--work DIR]
        [--results FILE]

For each size a genome is made up (ten chromosomes, 40 genes a megabase). Both sides exclude the same genes; getfasta
reads exactly the intervals that `build` has placed. Medians of one run go to --results, by default
benchmarks/results/prepare.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow.dataset as ds

from benchmarks.process.memory import unique_bytes
from benchmarks.process.options import at_least, parse
from cluster import connection
from pipelines import storage
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig
from pipelines.genome import sequence
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer

HERE = Path(__file__).parent
CHROMOSOMES = 10
GENES_PER_MEGABASE = 40
K, STRIDE = 6, 1
LOOP_BASES = 20_000_000


def make_up(folder: Path, megabases: int) -> tuple[Path, Path]:
    """Write a genome with genes of about 2 kb; half of it is repeat-like and soft-masked. Returns FASTA and GFF3."""
    fasta, annotation = folder / f"{megabases}.fa", folder / f"{megabases}.gff3"
    if annotation.exists():
        return fasta, annotation
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(megabases)
    length = megabases * 1_000_000 // CHROMOSOMES
    letters = np.frombuffer(b"ACGTacgt", np.uint8)
    rows = ["##gff-version 3\n"]
    with fasta.open("wb") as stream:
        for number in range(1, CHROMOSOMES + 1):
            bases = letters[generator.integers(0, 4, length, np.uint8) + 4 * (generator.random(length) < 0.3)]
            stream.write(f">chr{number}\n".encode())
            lines = np.full((length // 60, 61), ord("\n"), np.uint8)
            lines[:, :60] = bases[: length // 60 * 60].reshape(-1, 60)
            stream.write(lines.tobytes())
            count = GENES_PER_MEGABASE * length // 1_000_000
            stretch = length // count
            sizes = np.minimum(generator.lognormal(7.3, 0.8, count).astype(int) + 60, stretch - 100)
            starts = np.arange(count) * stretch + generator.integers(0, stretch - sizes - 60)
            for start, size, strand in zip(starts, sizes, generator.choice(["+", "-"], count), strict=True):
                rows.append(
                    f"chr{number}\tx\tgene\t{start + 1}\t{start + size}\t.\t{strand}\t.\tID=g{number}_{start}\n"
                )
    annotation.write_text("".join(rows))
    return fasta, annotation


def timed(work: Callable[[], Any]) -> float:
    """Seconds that a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bedtools(arguments: str, output: Path) -> None:
    """Run a bedtools command into a file."""
    with output.open("w") as stream:
        subprocess.run(["bedtools", *arguments.split()], stdout=stream, stderr=subprocess.DEVNULL, check=True)


def loop_tokens(text: str, vocabulary: dict[str, int]) -> list[int]:
    """The k-mer loop that everybody writes first."""
    return [vocabulary.get(text[at : at + K], -1) for at in range(0, len(text) - K + 1, STRIDE)]


@contextmanager
def largest_worker() -> Iterator[list[int]]:
    """Watch the unique memory (bytes) of every Ray worker."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if (process / "cmdline").read_bytes().startswith(b"ray::"):
                        peak[0] = max(peak[0], unique_bytes(process))
                except OSError:
                    continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def measure(megabases: int, repeats: int, work: Path) -> dict[str, Any]:
    """Measure every figure for one size."""
    fasta, annotation = make_up(work, megabases)
    source = {"genome": "made-up", "fasta": str(fasta), "annotation": str(annotation)}
    config = DatasetConfig.model_validate({"sources": [source], "tokenizer": {"k": K, "stride": STRIDE}})
    times: dict[str, list[float]] = {}
    output, cache = work / f"dataset-{megabases}", work / "cache"
    os.environ["RAYGENE_CACHE"] = str(cache)

    def once(name: str, job: Callable[[], Any]) -> None:
        times.setdefault(name, []).append(timed(job))

    with largest_worker() as memory:
        for _ in range(repeats):
            for name in ("build, cold", "build, warm"):
                shutil.rmtree(output, ignore_errors=True)
                if name == "build, cold":
                    shutil.rmtree(cache, ignore_errors=True)
                once(name, lambda: build(config, output, nullcontext, Silent()))
            _bedtools_side(once, fasta, annotation, output, work)
    encoding = _encoding(work / "both.tab", repeats)
    medians = {name: round(statistics.median(seconds), 2) for name, seconds in times.items()}
    alone = medians["bedtools shuffle"] + medians["bedtools getfasta"]
    return {
        "megabases": megabases,
        "seconds": medians,
        "bedtools alone": round(alone, 2),
        "build over bedtools alone": {how: round(medians[f"build, {how}"] / alone, 2) for how in ("cold", "warm")},
        "largest worker, MB": round(memory[0] / 1e6),
        **encoding,
    }


def _bedtools_side(
    once: Callable[[str, Callable[[], Any]], None], fasta: Path, annotation: Path, output: Path, work: Path
) -> None:
    genes, sizes, both = work / "genes.bed", work / "sizes", work / "both.bed"
    if not both.exists() or both.stat().st_mtime < annotation.stat().st_mtime:
        columns = ["chromosome", "start", "end", "strand", "label"]
        table = ds.dataset(list(map(str, output.rglob("*.parquet")))).to_table(columns=columns)
        rows = sorted(table.to_pylist(), key=lambda row: (row["chromosome"], row["start"]))
        lines = [f"{row['chromosome']}\t{row['start']}\t{row['end']}\t.\t0\t{row['strand']}\n" for row in rows]
        both.write_text("".join(lines))
        genes.write_text("".join(line for line, row in zip(lines, rows, strict=True) if row["label"]))
        subprocess.run(["bedtools", "getfasta", "-fi", fasta, "-bed", os.devnull], stdout=subprocess.DEVNULL)
        index = [line.split("\t") for line in Path(f"{fasta}.fai").read_text().splitlines()]
        sizes.write_text("".join(f"{name}\t{length}\n" for name, length, *_ in index))
    shuffle = f"shuffle -i {genes} -g {sizes} -chrom -excl {genes} -noOverlapping -seed 1"
    once("bedtools shuffle", lambda: bedtools(shuffle, work / "shuffled.bed"))
    once("bedtools getfasta", lambda: bedtools(f"getfasta -s -tab -fi {fasta} -bed {both}", work / "both.tab"))


def _encoding(sequences: Path, repeats: int) -> dict[str, Any]:
    texts, total = [], 0
    with sequences.open() as stream:
        for line in stream:
            texts.append(line.rstrip("\n").split("\t")[1].upper())
            total += len(texts[-1])
            if total > LOOP_BASES:
                break
    tokenizer = Tokenizer(K, STRIDE, "drop")
    vocabulary = {token: number for number, token in enumerate(tokenizer.vocabulary)}
    letters = np.frombuffer("".join(texts).encode(), np.uint8)
    lengths = np.array([len(text) for text in texts], np.int64)
    fast, slow = [], []
    for _ in range(repeats):
        slow.append(timed(lambda: [loop_tokens(text, vocabulary) for text in texts]))
        fast.append(timed(lambda: tokenizer.encode_many(sequence.base_codes(letters), lengths)))
    return {
        "encoding, Mb/s per core": round(total / statistics.median(fast) / 1e6),
        "Python loop, Mb/s": round(total / statistics.median(slow) / 1e6, 1),
        "encoding over loop": round(statistics.median(slow) / statistics.median(fast), 1),
    }


def main() -> None:
    """Measure every size and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabases", type=int, nargs="+", default=[50, 250])
    parser.add_argument("--repeats", type=at_least(1), default=3)
    parser.add_argument("--cpus", type=at_least(1), default=2)
    parser.add_argument("--work", type=Path, default=Path("prepare-work"))
    arguments = parse(parser, HERE / "results" / "prepare.json")
    connection.prepare_environment(verbose=False)
    import ray

    connection.silence_ray()
    ray.init(
        address="local",
        num_cpus=arguments.cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    sizes = []
    for megabases in arguments.megabases:
        sizes.append(measure(megabases, arguments.repeats, arguments.work.absolute() / str(megabases)))
        print(json.dumps(sizes[-1]), flush=True)
    document = {
        "machine": {"cpus": arguments.cpus, "processor": platform.machine()},
        "repeats": arguments.repeats,
        "sizes": sizes,
    }
    if len(sizes) > 1:
        cold = [size["seconds"]["build, cold"] for size in sizes]
        document["last over first size, build"] = round(cold[-1] / cold[0], 2)
    storage.write_json(arguments.results, document)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
