"""Public genomes and labelled promoters, built as published and inspected: what is kept, and what gives labels away.

    python benchmarks/datasets.py --data DIR [--only NAME …] [--work DIR] [--results FILE]

DIR holds the folders and files named in SETS, as Ensembl, PomBase, NCBI and the GUE benchmark publish them. A missing
file is an error. The figures of each set go to --results, by default benchmarks/results/datasets.json, as they arrive.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import ray

from benchmarks.process.options import add_data, parse
from benchmarks.process.results import read_results
from cluster import connection
from pipelines import storage
from pipelines.audit import inspection
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig
from pipelines.progress import Silent

HERE = Path(__file__).parent
CROP = {"length": 512}


def genome(name: str, fasta: str, annotation: str) -> dict[str, str]:
    """A source of the configuration."""
    return {"genome": name, "fasta": fasta, "annotation": annotation}


def labelled(folder: str) -> dict[str, Any]:
    """A dataset of labelled sequences with splits as published."""
    files = {"train": "train", "validation": "dev", "test": "test"}
    named = {split: f"gue_promoters/{folder}/{name}.csv.gz" for split, name in files.items()}
    return {"sources": [{"genome": folder, **named}], "tokenizer": {"k": 6, "stride": 1}}


POMBE = "schizosaccharomyces_pombe/Schizosaccharomyces_pombe"
CEREVISIAE = "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1"
THALIANA = "arabidopsis_thaliana_chr1/AthaTAIR10_chr1"
THREE = "saccharomyces_chr1/"
SETS: dict[str, dict[str, Any]] = {
    "S. cerevisiae": {
        "sources": [genome("R64", f"{CEREVISIAE}.dna.toplevel.fa.gz", f"{CEREVISIAE}.99.gff3.gz")],
        "crop": CROP,
        "split": {"test": ["IV", "VIII", "XV"]},
    },
    "S. pombe, as published": {
        "sources": [genome("pombe", f"{POMBE}.ASM294v2.dna.toplevel.fa.gz", f"{POMBE}_all_chromosomes.gff3.gz")],
        "crop": CROP,
    },
    "S. pombe, names matched": {
        "sources": [
            genome(
                "pombe",
                f"{POMBE}.ASM294v2.dna.toplevel.fa.gz",
                "schizosaccharomyces_pombe/derived_names_matched.gff3.gz",
            )
        ],
        "crop": CROP,
    },
    "A. thaliana, chromosome 1": {
        "sources": [genome("TAIR10", f"{THALIANA}_GCF_000001735.4_TAIR10.1_genomic.fna.gz", f"{THALIANA}.gff.gz")],
        "crop": CROP,
        "split": {"by": "block"},
    },
    "three Saccharomyces, chromosome I": {
        "sources": [
            genome("cerevisiae", f"{THREE}ScerR64_I_GCF_000146045.2_R64_genomic.fna.gz", f"{THREE}ScerR64_I.gff.gz"),
            genome(
                "kudriavzevii",
                f"{THREE}SkudIFO1802_1_GCF_947243775.1_Skud-IFO1802_genomic.fna.gz",
                f"{THREE}SkudIFO1802_1.gff.gz",
            ),
            genome(
                "mikatae",
                f"{THREE}SmikIFO1815_1_GCF_947241705.1_Smik-IFO1815_genomic.fna.gz",
                f"{THREE}SmikIFO1815_1.gff.gz",
            ),
        ],
        "crop": CROP,
        "split": {"by": "genome", "validation": ["mikatae"], "test": ["kudriavzevii"]},
    },
    **{f"GUE {folder}": labelled(folder) for folder in ("prom_core_all", "prom_core_notata", "prom_300_tata")},
}


def measure(config: DatasetConfig, output: Path) -> dict[str, Any]:
    """Build one set and inspect it."""
    progress = Silent()
    manifest = build(config, output, nullcontext, progress)
    inspected = inspection.inspect(output)
    genes = manifest["genes"].values()
    annotated, kept, shortened = (sum(genome[name] for genome in genes) for name in ("annotated", "kept", "shortened"))
    kmers = next((rule for rule in inspected.rules if rule.name == "kmers"), None)
    return {
        "annotated": annotated,
        "kept": kept,
        "kept share": round(kept / annotated, 4) if annotated else None,
        "shortened": shortened,
        "dropped": manifest["dropped"],
        "rows": sum(count["rows"] for count in manifest["counts"]),
        "near-duplicates in train": manifest["leakage"]["share"],
        "scored": inspected.audited,
        "AUROC": {rule.name: round(rule.metrics["auroc"], 3) for rule in inspected.rules},
        "5-mer regression, MCC": round(kmers.metrics["mcc"], 3) if kmers else None,
        "warnings": progress.warnings,
    }


def absolute(source: dict[str, str], data: Path) -> dict[str, str]:
    """A source with its files under `data`."""
    return {key: value if key == "genome" else str(data / value) for key, value in source.items()}


def main() -> None:
    """Build and inspect every set, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--only", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--work", type=Path, default=Path("datasets-work"))
    arguments = parse(parser, HERE / "results" / "datasets.json")
    work, data = arguments.work.absolute(), arguments.data.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    connection.prepare_environment(verbose=False)
    connection.silence_ray()
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    document = read_results(arguments.results)
    for number, (name, keys) in enumerate(SETS.items()):
        if name not in arguments.only:
            continue
        sources = [absolute(source, data) for source in keys["sources"]]
        config = DatasetConfig.model_validate({**keys, "sources": sources})
        document[name] = measure(config, work / f"dataset-{number}")
        print(f"{name}: {json.dumps(document[name])}", flush=True)
        storage.write_json(arguments.results, document)


if __name__ == "__main__":
    main()
