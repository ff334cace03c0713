"""Gene finders side by side on sequence held out: raygene, AUGUSTUS (its own parameters, and retrained) and pyrodigal.

    bash scripts/setup-peers.sh
    python benchmarks/genes.py --output DIR --data DIR [--genomes NAME …] [--callers NAME …] [--bundle GENOME=DIR …]
        [--structure GENOME=DIR …] [--dataset GENOME=DIR …] [--results FILE]

Held out are S. cerevisiae IV, VIII and XV, S. pombe III, and A. thaliana chromosome 1 beyond 24 Mb. Every caller gets
one FASTA file with that sequence alone. All are compared by `raygene compare` with the annotation's protein-coding
genes: an mRNA with a CDS each.

- raygene, raygene-orfs: a scan by the model of examples/scan, without and with `--orfs`. Without --bundle the model is
  trained first. Weights of reading frames are fitted by `--fit-orfs` where validation has whole sequences.
- raygene-annotate: `raygene annotate` by the model of examples/structure. Without --structure the model is trained
  first, which takes half an hour or more for each genome.
- augustus: the built-in parameters of the species, with `--sample=0`.
- augustus-sampled: the same as it runs by default. It calls the same genes, and draws 100 gene structures more for
  probabilities that nothing here uses.
- augustus-retrained: trained by etraining on the genes of the train split of raygene's dataset, from the parameters
  `generic`, without a search for better meta-parameters and without untranslated regions.
- pyrodigal: trained without genes on the sequence that is not held out; genetic code 1.

CPU seconds are user and system time of all processes of a command, start included; memory is the peak of their sum.
What is finished in DIR is not run again. Figures go to --results, by default benchmarks/results/genes.json, after every
genome.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import pipelines
from benchmarks.peers.callers import CALLERS, PYRODIGAL, Case, calls_of
from benchmarks.peers.figures import compared
from benchmarks.peers.genomes import GENOMES
from benchmarks.process.options import add_data, parse
from benchmarks.process.results import read_results
from pipelines import storage

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "genes.json"
SHOWN = ("base_stranded", "cds_base", "cds_exon", "intron", "cds")
Figures = dict[str, Any]


def measure(case: Case, callers: list[str]) -> Figures:
    """What the callers call on a genome, how it agrees with the annotation, and what it took."""
    finished = {name: calls_of(case, name) for name in callers}
    figures = compared(case, {name: calls for name, (calls, _) in finished.items()})
    megabases = case.bases / 1e6
    document: Figures = {
        "species": case.genome.species,
        "held out": [f"{part.chromosome} from base {part.start + 1}" for part in case.genome.test],
        "megabases": round(megabases, 3),
        "callers": {
            name: {
                "seen": CALLERS[name].seen,
                "settings": CALLERS[name].settings,
                "CPU seconds per megabase": round(cost.cpu_seconds / megabases, 2),
                "peak megabytes": round(cost.peak_bytes / 1e6),
                "cost": asdict(cost),
                "accuracy": figures[name],
            }
            for name, (_, cost) in finished.items()
        },
    }
    training = case.folder / "retrained" / "training.json"
    if "augustus-retrained" in callers:
        document["callers"]["augustus-retrained"]["training"] = json.loads(training.read_text())
    return document


def versions() -> dict[str, str]:
    """Versions of the gene finders."""
    found = {"raygene": pipelines.__version__}
    if shutil.which("augustus"):
        text = subprocess.run(["augustus", "--version"], capture_output=True, text=True, check=False)
        found["augustus"] = re.findall(r"\d+\.\d+\.\d+", text.stdout + text.stderr)[0]
    if PYRODIGAL.exists():
        command = [str(PYRODIGAL), "-c", "import pyrodigal; print(pyrodigal.__version__)"]
        found["pyrodigal"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return found


def require_installed(callers: list[str]) -> None:
    """Stop before anything runs where a gene finder is missing."""
    needed = {"augustus": shutil.which("augustus"), "pyrodigal": PYRODIGAL.exists()}
    if missing := [name for name, there in needed.items() if not there and any(name in own for own in callers)]:
        raise SystemExit(f"{' and '.join(missing)} not installed: run bash scripts/setup-peers.sh, or choose --callers")


def by_genome(text: str) -> tuple[str, Path]:
    """GENOME=PATH of a flag."""
    name, _, path = text.partition("=")
    if name not in GENOMES or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{text}: not GENOME=DIR with one of {', '.join(GENOMES)} and a folder")
    return name, Path(path).absolute()


def table(genome: Figures) -> str:
    """F1 at the levels of docs/results.md, as text."""
    rows = [["", *SHOWN, "CPU s/Mb", "MB"]]
    for name, caller in genome["callers"].items():
        figures = [f"{caller['accuracy'][key]['f1']:.3f}" if key in caller["accuracy"] else "–" for key in SHOWN]
        rows.append([name, *figures, str(caller["CPU seconds per megabase"]), str(caller["peak megabytes"])])
    return "\n".join(" | ".join(row) for row in rows)


def store(name: str, document: Figures, target: Path) -> None:
    """Write a genome's figures, next to those of other genomes and of callers that were left out now."""
    stored = read_results(target, {"genomes": {}})
    stored["machine"] = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    stored["versions"] = versions()
    callers = stored["genomes"].get(name, {}).get("callers", {}) | document["callers"]
    stored["genomes"][name] = document | {"callers": {key: callers[key] for key in CALLERS if key in callers}}
    storage.write_json(target, stored)


def main() -> None:
    """Measure the chosen callers on the chosen genomes, and store figures as they arrive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="calls and all else that is made")
    add_data(parser)
    parser.add_argument("--genomes", nargs="+", choices=list(GENOMES), default=list(GENOMES))
    parser.add_argument("--callers", nargs="+", choices=list(CALLERS), default=list(CALLERS))
    parser.add_argument("--bundle", type=by_genome, action="append", default=[], metavar="GENOME=DIR")
    parser.add_argument("--structure", type=by_genome, action="append", default=[], metavar="GENOME=DIR")
    parser.add_argument("--dataset", type=by_genome, action="append", default=[], metavar="GENOME=DIR")
    arguments = parse(parser, RESULTS)
    require_installed(arguments.callers)
    bundles, datasets, structures = dict(arguments.bundle), dict(arguments.dataset), dict(arguments.structure)
    for name in arguments.genomes:
        folder = arguments.output.absolute() / name
        folder.mkdir(parents=True, exist_ok=True)
        given = (bundles.get(name), datasets.get(name), structures.get(name))
        case = Case(GENOMES[name], arguments.data.absolute(), folder, *given)
        document = measure(case, arguments.callers)
        store(name, document, arguments.results)
        print(f"{name}\n{table(document)}", flush=True)


if __name__ == "__main__":
    main()
