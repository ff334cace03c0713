"""Annotates a genome and copies of it: CPU seconds a megabase, and whether peak memory grows.

    python benchmarks/annotate.py BUNDLE FASTA [--copies 1 10] [--workers 1 2] [--work DIR] [--results FILE]

Costs are those of the whole command with all processes that it starts, Ray included: user and system time, and the peak
of the sum of their proportional set sizes. AUGUSTUS is measured the same way by benchmarks/genes.py. Figures go to
--results, by default benchmarks/results/annotate.json.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.peers.process_tree import cost_of
from benchmarks.process.commands import RAYGENE
from benchmarks.process.options import parse
from pipelines import storage
from pipelines.genome.fasta import open_genome
from pipelines.progress import Silent

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "annotate.json"


def write_copies(fasta: Path, copies: int, path: Path) -> int:
    """Write a genome several times under other names; return the number of bases."""
    genome = open_genome("genome", fasta, Silent())
    with path.open("wb") as stream:
        for copy in range(copies):
            for name, length in genome.lengths.items():
                stream.write(f">{name}_{copy}\n".encode())
                stream.write(genome.sequence(name, 0, length).tobytes() + b"\n")
    return copies * sum(genome.lengths.values())


def measure(bundle: Path, fasta: Path, workers: int, folder: Path) -> dict[str, Any]:
    """What an annotation from nothing takes."""
    output = folder / "annotation" / "genes.gff3"
    shutil.rmtree(output.parent, ignore_errors=True)
    command = [*RAYGENE, "annotate", str(bundle), "--fasta", str(fasta), "--output", str(output)]
    options = ["--workers", str(workers), "--device", "cpu", "--discard-scores"]
    return asdict(cost_of([*command, *options], folder / "annotate.log", {"PYTHONPATH": str(ROOT)}))


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="a model of gene structure")
    parser.add_argument("fasta", type=Path, help="a genome")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10], help="of the genome in one file")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--work", type=Path, help="folder of the files (default: a temporary one)")
    arguments = parse(parser, RESULTS, small=("copies", "workers"))
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for copies in arguments.copies:
            fasta = folder / f"genome-{copies}.fa"
            bases = write_copies(arguments.fasta, copies, fasta)
            for workers in arguments.workers:
                cost = measure(arguments.bundle, fasta, workers, folder)
                per_megabase = round(cost["cpu_seconds"] / bases * 1e6, 2)
                rows.append({"bases": bases, "workers": workers, "CPU seconds per megabase": per_megabase} | cost)
                print(
                    f"{bases / 1e6:8.1f} Mb, {workers} worker{'s' if workers > 1 else ''}: {per_megabase} CPU s/Mb, "
                    f"{cost['seconds']:.0f} s, {cost['peak_bytes'] / 1e6:.0f} MB",
                    flush=True,
                )
    machine = {"cpus": os.cpu_count(), "platform": platform.platform()}
    storage.write_json(arguments.results, {"machine": machine, "annotations": rows})


if __name__ == "__main__":
    main()
