"""What matching GC costs in genes and what it leaves to tell from GC alone: the frontier between the two.

    python benchmarks/matching.py --fasta FASTA --annotation GFF3 [--length 500] [--seeds 3] [--work DIR]

Blocks of the genome for each split, crops of at most so many bases. The figures go to benchmarks/results/matching.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import ray

from cluster import connection
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import auroc
from pipelines.progress import Silent

HERE = Path(__file__).parent
TOLERANCES = (None, 0.1, 0.05, 0.02, 0.015, 0.01)


def measure(base: dict[str, Any], tolerance: float | None, seed: int, output: Path) -> dict[str, float]:
    """The share of genes kept, and the AUROC of GC in all intervals and in test."""
    matched = {} if tolerance is None else {"match": ["length", "gc"], "tolerance": tolerance}
    config = DatasetConfig.model_validate({**base, "negatives": matched, "split": {"by": "block", "seed": seed}})
    manifest = build(config, output, nullcontext, Silent())
    test = TokenDataset.open(output, "test")
    rows = [test, *(TokenDataset.open(output, split) for split in ("train", "validation"))]
    labels, gc = (
        np.concatenate(columns) for columns in zip(*((one.labels, one.table["gc"]) for one in rows), strict=True)
    )
    genes = manifest["genes"]["genome"]
    return {
        "kept": genes["kept"] / genes["annotated"],
        "gc_all": auroc(labels, gc),
        "gc_test": auroc(test.labels, test.table["gc"]),
    }


def main() -> None:
    """Build every dataset, score GC in each and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", required=True)
    parser.add_argument("--annotation", required=True)
    parser.add_argument("--length", type=int, default=500)
    parser.add_argument("--exact", action="store_true", help="leave out genes shorter than that")
    parser.add_argument("--seeds", type=int, default=3, help="number of ways to lay the blocks")
    parser.add_argument("--work", type=Path, default=Path("matching-work"))
    given = parser.parse_args()
    work = given.work.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    connection.prepare_environment(verbose=False)
    connection.quieten()
    source = {"genome": "genome", "fasta": given.fasta, "annotation": given.annotation}
    base = {"sources": [source], "crop": {"length": given.length, "exact": given.exact}}
    document: dict[str, Any] = {"genome": Path(given.fasta).name, "length": given.length, "exact": given.exact}
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    for tolerance in TOLERANCES:
        found = [measure(base, tolerance, seed, work / "dataset") for seed in range(given.seeds)]
        name = "unmatched" if tolerance is None else str(tolerance)
        document[name] = {
            key: {"median": round(statistics.median(values), 3), "seeds": [round(value, 3) for value in values]}
            for key in found[0]
            for values in [[one[key] for one in found]]
        }
        told = ", ".join(f"{key} {value['median']}" for key, value in document[name].items())
        print(f"{name}: {told}", flush=True)
    (HERE / "results" / "matching.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
