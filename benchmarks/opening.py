"""What it costs to plan an epoch of a large split.

    python benchmarks/opening.py [plan] [--rows 10000000]

Each figure is of a process of its own: CPU and wall seconds of a plan, the second in its process, and how much memory
the process takes at most beyond what it took before. `loop` is the same plan as a loop over windows of rows. The
figures go to benchmarks/results/opening.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from training.data.step_plan import WINDOW, plan_epoch

RESULTS = Path(__file__).parent / "results" / "opening.json"
BATCHES = (64, 8, 1)
Figures = dict[str, Any]


def obvious_plan(lengths: NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The same steps as those of `plan_epoch`, a NumPy call or two for each window and step."""
    generator = np.random.default_rng(fingerprint.seed(seed, "epoch", epoch))
    order = generator.permutation(len(lengths))
    steps = []
    for first in range(0, len(order), batch * WINDOW):
        window = order[first : first + batch * WINDOW]
        window = window[np.argsort(-lengths[window], kind="stable")]
        steps += [window[start : start + batch] for start in range(0, len(window), batch)]
    return [steps[number] for number in generator.permutation(len(steps))]


def plan(kind: str, rows: int, batch: int) -> Figures:
    """Plan two epochs, and measure the second."""
    planned: Callable[..., Sequence[NDArray[np.int64]] | Any] = obvious_plan if kind == "loop" else plan_epoch
    lengths = np.random.default_rng(0).integers(1, 60_000, rows)
    before = peak_mb()
    planned(lengths, batch, 0, 0)
    cpu, wall = time.process_time(), time.perf_counter()
    steps = len(planned(lengths, batch, 0, 1))
    return {
        "plan": kind,
        "rows": rows,
        "batch": batch,
        "steps": steps,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "seconds": round(time.perf_counter() - wall, 2),
        "peak_mb": round(peak_mb() - before),
    }


def peak_mb() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS: dict[str, Callable[..., Figures]] = {"plan": plan}


def in_own_process(part: str, *arguments: object) -> Figures:
    """The figures of a part, measured in a new process."""
    command = [sys.executable, __file__, "--measure", part, *map(str, arguments)]
    figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(part, figures, flush=True)
    return figures


def main() -> None:
    """Measure the parts, and store their figures beside those of other parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        part, *values = arguments.measure
        print(json.dumps(PARTS[part](*(int(value) if value.isdecimal() else value for value in values))))
        return
    document = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if "plan" in arguments.parts:
        turns = [("loop", BATCHES[0]), *(("plan_epoch", batch) for batch in BATCHES)]
        document["plan"] = [in_own_process("plan", kind, arguments.rows, batch) for kind, batch in turns]
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
