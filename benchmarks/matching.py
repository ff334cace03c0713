"""How many genes matching GC costs, and how well GC alone still separates the classes.

    python benchmarks/matching.py --fasta FASTA --annotation GFF3 [--length 500] [--seeds 3] [--work DIR]
        [--results FILE]

Splits are blocks of the genome, crops have at most `--length` bases. Figures go to --results, by default
benchmarks/results/matching.json.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import ray

from benchmarks.process.options import at_least, parse
from cluster import connection
from pipelines import storage
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
    splits = [test, *(TokenDataset.open(output, split) for split in ("train", "validation"))]
    labels, gc = (
        np.concatenate(columns)
        for columns in zip(*((split.labels, split.table["gc"]) for split in splits), strict=True)
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
    parser.add_argument("--length", type=at_least(1), default=500)
    parser.add_argument("--exact", action="store_true", help="leave out genes shorter than that")
    parser.add_argument("--seeds", type=at_least(1), default=3, help="number of ways to lay the blocks")
    parser.add_argument("--work", type=Path, default=Path("matching-work"))
    arguments = parse(parser, HERE / "results" / "matching.json")
    work = arguments.work.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    connection.prepare_environment(verbose=False)
    connection.silence_ray()
    source = {"genome": "genome", "fasta": arguments.fasta, "annotation": arguments.annotation}
    base = {"sources": [source], "crop": {"length": arguments.length, "exact": arguments.exact}}
    document: dict[str, Any] = {
        "genome": Path(arguments.fasta).name,
        "length": arguments.length,
        "exact": arguments.exact,
    }
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    for tolerance in TOLERANCES:
        turns = [measure(base, tolerance, seed, work / "dataset") for seed in range(arguments.seeds)]
        name = "unmatched" if tolerance is None else str(tolerance)
        document[name] = {
            key: {"median": round(statistics.median(values), 3), "seeds": [round(value, 3) for value in values]}
            for key in turns[0]
            for values in [[turn[key] for turn in turns]]
        }
        text = ", ".join(f"{key} {value['median']}" for key, value in document[name].items())
        print(f"{name}: {text}", flush=True)
    storage.write_json(arguments.results, document)


if __name__ == "__main__":
    main()
