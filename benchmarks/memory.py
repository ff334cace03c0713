"""Memory of a training step: predicted by the formula, and measured as the peak of resident memory of a fresh process.

    python benchmarks/memory.py [--task recognise] [--shapes 14] [--seed 2026] [--largest 3.0]
        [--kinds KIND …] [--results FOLDER]
    python benchmarks/memory.py --task structure --shapes 3

Shapes of every kind are drawn at random (rows, length, sizes, layers, stem, window, pooling, precision, optimizer).
None of them was used to fit the formula. Each is two steps in a process of its own: model, forward, backward and
optimizer. On a machine with a GPU the allocator's peak on it is measured as well. Figures go to the folder --results,
by default benchmarks/results: to memory-DEVICE.json, those of task structure to memory-structure-DEVICE.json.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.process.options import at_least, parse
from pipelines import storage
from training.config import ModelConfig, TrainingConfig
from training.memory.formula import IMPORTED, Work, estimate
from training.memory.probe import probe

HERE = Path(__file__).parent
KINDS = ("lstm", "gru", "transformer", "cnn")
TASKS = ("recognise", "structure")
SMALLEST = 5e6
MOST_OPERATIONS = 3e11
MOST_STEPS = 6_000
Case = tuple[ModelConfig, TrainingConfig, int, Work]


def draw(task: str, kind: str, generator: np.random.Generator, device: str, largest: float) -> Case:
    """A case that is neither trivial nor beyond `largest` bytes or some seconds of a CPU."""
    while True:
        case = _draw_structure(kind, generator, device) if task == "structure" else _draw(kind, generator, device)
        model, training, vocabulary_size, work = case
        predicted = estimate(model, training, vocabulary_size, work)
        beyond = predicted.peak - predicted.process
        positions = work.tokens // (model.stem_stride if model.stem else 1)
        directions = 2 if model.bidirectional else 1
        wide = min(2 * model.window, positions) if model.window else positions
        attended = wide * model.hidden if kind == "transformer" else 0
        at_bases = model.base_channels**2 * model.base_width * (model.base_layers + model.output_layers)
        bases = work.tokens * work.rows if task == "structure" else 0
        at_positions = model.layers * directions * (model.hidden**2 + attended)
        operations = 6 * at_bases * bases + 72 * work.rows * positions * at_positions
        steps = positions * model.layers * directions if kind == "gru" else 0
        if SMALLEST < beyond < largest and operations < MOST_OPERATIONS and steps < MOST_STEPS:
            return case


def _drawing(generator: np.random.Generator) -> tuple[Callable[[float, float], int], Callable[..., Any]]:
    """Functions that draw a whole number between two, small ones as often as large ones, and one of some values."""

    def between(least: float, most: float) -> int:
        return round(float(np.exp(generator.uniform(np.log(least), np.log(most)))))

    def one_of(*values: Any) -> Any:
        return values[int(generator.integers(len(values)))]

    return between, one_of


def _draw_structure(kind: str, generator: np.random.Generator, device: str) -> Case:
    between, one_of = _drawing(generator)
    heads, stride = one_of(1, 2, 4), one_of(3, 9, 9)
    model = ModelConfig.model_validate(
        {
            "kind": kind,
            "embedding": between(4, 64),
            "hidden": 2 * heads * between(2, 32) if kind == "transformer" else 2 * between(8, 96),
            "layers": one_of(1, 2, 2, 3, 6) if kind == "cnn" else one_of(1, 2, 2, 3),
            "heads": heads,
            "window": one_of(0, between(16, 160)),
            "stem": 2 * between(12, 96),
            "stem_width": stride + one_of(0, 0, 6),
            "stem_stride": stride,
            "kernel_width": one_of(3, 5),
            "dropout": one_of(0.0, 0.1),
            "base_channels": one_of(16, 24, 32, 32, 48, 64),
            "base_layers": one_of(0, 1, 2, 3, 4),
            "base_width": one_of(5, 9, 9, 15),
            "output_layers": one_of(0, 1, 2),
        }
    )
    precision = one_of("fp32", "fp32", "bf16")
    training = TrainingConfig(precision=precision, optimizer=one_of("adamw", "adam", "sgd"))
    rows, tokens = between(1, 24), between(2_000, 30_000)
    work = Work(rows, tokens, "cuda" if device == "cuda" else "cpu", task="structure")
    return model, training, one_of(7, 67, 1027, 16_387), work


def _draw(kind: str, generator: np.random.Generator, device: str) -> Case:
    between, one_of = _drawing(generator)
    heads = one_of(1, 2, 4, 8)
    model = ModelConfig.model_validate(
        {
            "kind": kind,
            "embedding": between(8, 160),
            "hidden": 2 * heads * between(2, 64) if kind == "transformer" else between(8, 320),
            "layers": one_of(1, 1, 2, 3, 4),
            "bidirectional": one_of(True, True, False),
            "heads": heads,
            "window": one_of(0, 0, between(4, 160)),
            "stem": one_of(0, between(16, 160)),
            "stem_width": one_of(1, 3, 8, 9, 15),
            "stem_stride": one_of(1, 2, 3, 4, 8),
            "pooling": one_of("mean", "max", "last", "mean+max", "attention"),
            "dropout": one_of(0.0, 0.1),
            "frames": one_of(1, 1, 3),
            "absolute_positions": one_of(False, False, True),
        }
    )
    # oneDNN has no LSTM in fp16 to train with.
    precision = one_of("fp32", "fp32", "fp32", "bf16") if device == "cpu" else one_of("fp32", "bf16", "fp16")
    training = TrainingConfig(
        precision=precision, optimizer=one_of("adamw", "adam", "sgd"), freeze_embedding=one_of(0, 0, -1)
    )
    rows, tokens = between(1, 192), between(60, 16_000 if kind != "transformer" else 6_000)
    return model, training, one_of(67, 1027, 4099, 65_539), Work(rows, tokens, "cuda" if device == "cuda" else "cpu")


def measure(case: Case) -> dict[str, Any]:
    """Predicted and measured bytes of a case."""
    model, training, vocabulary_size, work = case
    probed = probe(model, training, vocabulary_size, work)
    predicted = estimate(model, training, vocabulary_size, work, probed.imported or IMPORTED)
    model_keys = model.model_dump(mode="json", exclude_defaults=True)
    training_keys = training.model_dump(mode="json", exclude_defaults=True)
    return {
        "kind": model.kind,
        "rows": work.rows,
        "tokens": work.tokens,
        "vocabulary_size": vocabulary_size,
        "model": {"kind": model.kind, **model_keys},
        "training": training_keys,
        "process": round(predicted.process),
        "predicted": predicted.peak,
        "measured": probed.peak,
        "error": predicted.peak / probed.peak - 1 if probed.fits else None,
        "reason": probed.reason,
    }


def format_row(row: dict[str, Any]) -> str:
    """A line of the table."""
    error = "does not fit" if row["error"] is None else f"{row['error']:+.1%}"
    sizes = " ".join(f"{key} {value}" for key, value in {**row["model"], **row["training"]}.items() if key != "kind")
    return (
        f"{row['kind']:12}{row['rows']:5} x {row['tokens']:<6}{row['predicted'] / 1e6:9,.0f}"
        f"{row['measured'] / 1e6:9,.0f} MB{error:>9}  {sizes}"
    )


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, default="recognise")
    parser.add_argument("--shapes", type=at_least(1), default=14, help="of each kind")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--largest", type=float, default=3.0, help="GB beyond the bare process, at most")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parse(parser, HERE / "results", small=("kinds", "largest"), is_folder=True)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        rows: list[dict[str, Any]] = []
        for kind in arguments.kinds:
            generator = np.random.default_rng([arguments.seed, KINDS.index(kind)])
            for _ in range(arguments.shapes):
                rows.append(measure(draw(arguments.task, kind, generator, device, arguments.largest * 1e9)))
                print(format_row(rows[-1]), flush=True)
        summary = {}
        for kind in arguments.kinds:
            errors = np.array([row["error"] for row in rows if row["kind"] == kind and row["error"] is not None])
            summary[kind] = {
                "shapes": len(errors),
                "largest_error": float(np.abs(errors).max()),
                "mean_error": float(np.abs(errors).mean()),
                "within_a_tenth": int((np.abs(errors) <= 0.1).sum()),
            }
            print(f"{kind}: {summary[kind]}")
        name = torch.cuda.get_device_name() if device == "cuda" else f"{platform.processor() or platform.machine()} CPU"
        document = {
            "device": name,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "libc": " ".join(platform.libc_ver()),
            "seed": arguments.seed,
            "summary": summary,
            "shapes": rows,
        }
        task = "structure-" if arguments.task == "structure" else ""
        machine = "cpu" if device == "cpu" else name.replace(" ", "-").lower()
        path = arguments.results / f"memory-{task}{machine}.json"
        storage.write_json(path, document)
        print(f"written: {path}")


if __name__ == "__main__":
    main()
