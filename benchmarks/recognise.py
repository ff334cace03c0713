"""Gene recognition on the whole genome of S. cerevisiae, chromosomes IV, VIII and XV held out: whole genes and crops.

    python benchmarks/recognise.py FASTA GFF3 [--work DIR] [--only NAME …] [--results FILE]

Each experiment runs through the command line: build, train on two workers, evaluate on the test split. Figures go to
--results, by default benchmarks/results/recognise.json, as they arrive.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from pathlib import Path

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import yaml

from benchmarks.process.commands import raygene
from benchmarks.process.options import parse
from benchmarks.process.results import read_results
from pipelines import storage

HERE = Path(__file__).parent
SPLIT = {"by": "chromosome", "validation": 0.1, "test": ["IV", "VIII", "XV"]}
EXPERIMENTS = {
    "whole genes, 3-mers": {
        "negatives": {"unplaced": "drop-pair"},
        "tokenizer": {"k": 3, "stride": 1},
        "training": {"epochs": 6, "workers": 2},
    },
    "crops of at most 512 bases, 3-mers": {
        "crop": {"length": 512, "position": "random"},
        "tokenizer": {"k": 3, "stride": 1},
        "training": {"epochs": 10, "workers": 2},
    },
    "crops of at most 512 bases, 6-mers, stride 3": {
        "crop": {"length": 512, "position": "random"},
        "tokenizer": {"k": 6, "stride": 3},
        "training": {"epochs": 10, "workers": 2},
    },
}
KEPT = (
    *(
        "auroc",
        "auprc",
        "mcc",
        "f1",
        "precision",
        "recall",
        "accuracy",
        "intervals",
        "threshold",
        "split",
        "rows",
        "genes",
    ),
    *(
        "negatives",
        "shortcuts",
        "called_by_source",
        "left_out",
        "conclusion",
        "dataset_fingerprint",
        "tokenizer_fingerprint",
    ),
)


def main() -> None:
    """Run the experiments and store their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fasta", type=Path)
    parser.add_argument("annotation", type=Path)
    parser.add_argument("--work", type=Path, default=Path("recognise-work"))
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS))
    arguments = parse(parser, HERE / "results" / "recognise.json")
    source = {
        "genome": "R64",
        "fasta": str(arguments.fasta.absolute()),
        "annotation": str(arguments.annotation.absolute()),
    }
    target = arguments.results
    stored = read_results(target, {"experiments": {}})["experiments"]
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    for name in arguments.only:
        folder = arguments.work.absolute() / name.replace(" ", "-").replace(",", "")
        # Commands would resume what an earlier run left, and take fewer seconds.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        experiment = folder / "experiment.yaml"
        experiment.write_text(yaml.safe_dump({"sources": [source], "split": SPLIT, **EXPERIMENTS[name]}))
        dataset, run, figures = (str(folder / part) for part in ("dataset", "run", "figures.json"))
        seconds = {
            "build": raygene("build", str(experiment), "--output", dataset),
            "train": raygene("train", str(experiment), "--dataset", dataset, "--output", run),
            "evaluate": raygene("evaluate", f"{run}/bundle", "--dataset", dataset, "--json", figures),
        }
        report = json.loads(Path(figures).read_text())
        stored[name] = {"seconds": seconds, **{key: report[key] for key in KEPT}}
        storage.write_json(target, {"machine": machine, "experiments": stored})


if __name__ == "__main__":
    main()
