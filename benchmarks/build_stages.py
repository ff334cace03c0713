"""What each stage of a build of a real genome costs: CPU seconds in one process, bedtools included.

    python benchmarks/build_stages.py --data DIR [--genomes NAME …] [--results FILE]

DIR holds `saccharomyces_cerevisiae` and `arabidopsis_thaliana_chr1` as Ensembl and NCBI publish them. Whole genes,
6-mers at stride 1, nothing in the cache. Figures go to --results, by default benchmarks/results/build_stages.json;
those of genomes that --genomes leaves out stay there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.process.options import add_data, parse
from benchmarks.process.results import read_results
from pipelines import storage

RESULTS = Path(__file__).parent / "results" / "build_stages.json"
GENOMES = {
    "S. cerevisiae": (
        "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1.dna.toplevel.fa.gz",
        "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
    ),
    "A. thaliana, chromosome 1": (
        "arabidopsis_thaliana_chr1/AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz",
        "arabidopsis_thaliana_chr1/AthaTAIR10_chr1.gff.gz",
    ),
}


def cpu_seconds() -> float:
    """CPU seconds of this process and of the processes that it has started and that have ended."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(fasta: Path, annotation: Path) -> dict[str, Any]:
    """Build a dataset of one genome in this process; return the figures."""
    from pipelines.build.pipeline import build
    from pipelines.config import DatasetConfig
    from pipelines.progress import Silent, Stage
    from pipelines.ray_map import in_this_process

    stages: dict[str, float] = {}

    class Timed(Silent):
        @contextmanager
        def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Stage]:
            before = cpu_seconds()
            with super().stage(title, total, unit=unit) as stage:
                yield stage
            stages[title] = round(cpu_seconds() - before, 2)

    values = {
        "sources": [{"genome": "genome", "fasta": str(fasta), "annotation": str(annotation)}],
        "tokenizer": {"k": 6, "stride": 1},
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RAYGENE_CACHE"] = f"{folder}/cache"
        before = cpu_seconds()
        manifest = build(DatasetConfig.model_validate(values), Path(folder, "dataset"), in_this_process, Timed())
        total = cpu_seconds() - before
    with gzip.open(annotation) as stream:
        size = sum(map(len, stream))
    genes = sum(count["rows"] for count in manifest["counts"] if count["label"])
    return {"annotation, MB": round(size / 1e6, 1), "genes": genes, "CPU seconds": round(total, 2), "of them": stages}


def main() -> None:
    """Measure each genome, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--genomes", nargs="+", choices=list(GENOMES), default=list(GENOMES))
    arguments = parse(parser, RESULTS)
    target = arguments.results
    document: dict[str, Any] = read_results(target)
    document["machine"] = {"processor": platform.machine()}
    for name in arguments.genomes:
        document[name] = measure(*(arguments.data / file for file in GENOMES[name]))
        print(json.dumps({name: document[name]}), flush=True)
        storage.write_json(target, document)


if __name__ == "__main__":
    main()
