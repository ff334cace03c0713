"""Memory of whole training runs of gene structure: what is planned, and the peak of the worker's resident memory.

    python benchmarks/memory_runs.py DATASET --output DIR [--set fit|held-out] [--shapes 3] [--kinds KIND ...] [--list]
        [--results FILE]
    python benchmarks/memory_runs.py --table [--results FILE]

DATASET holds labelled windows of any genome; the beginning of its splits is cut into windows of each shape's length.
Shapes of every kind are drawn at random (window, rows, sizes, strides, layers, precision, optimizer, token budget). The
constants of `training/memory` were set by the set `fit` (four shapes a kind) and by five shapes of the seed 2026. The
set `held-out` comes from another seed, and none of its shapes was measured before.

A shape is two epochs with validation, checkpoints and logs, in a new process: `training.distributed.worker.run`, the
function that Ray Train starts, with the plan that `raygene train` makes and the environment that it gives its workers.
Ray is imported, but not started: what a worker's connection takes is `RAY_BYTES`, measured on whole runs. Measured is
VmHWM of the process at its end. What is measured is kept in DIR, so that the same command continues after an
interruption. When all shapes of the set `held-out` are measured, figures go to --results, by default
benchmarks/results/memory-structure-runs.json, from which `--table` makes the table of docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
import torch

from benchmarks.process import memory
from benchmarks.process.options import at_least, parse
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.stores import worker_folder
from training import networks
from training.config import ModelConfig, TrainingConfig
from training.distributed import memory_plan, worker
from training.distributed.launching.launch import ENVIRONMENT
from training.distributed.messages import WorkerEvent, WorkerSpec
from training.memory.plan import MemoryPlan
from training.splits import open_splits
from training.tasks import Task

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "memory-structure-runs.json"
KINDS = ("lstm", "gru", "transformer", "cnn")
WITHIN = 0.1
SEEDS = {"fit": 1, "held-out": 2027}
WINDOWS = (4_995, 9_999, 15_003, 20_007)
TRAIN_BASES = 480_000
MOST_BASES = 4_000_000
MOST_STEPS = 60
VALIDATION_BASES = 250_000
RAY_BYTES = 10_000_000
"""What a worker's connection to Ray takes: a worker of `raygene train` had 832 MB after 20 steps of a network, this
process without Ray 825."""
SMALLEST, LARGEST, CLOSE = 30e6, 1.1e9, 0.15
"""Bytes that steps are planned to take, drawn so that small ones are as often as large ones, and how closely."""
MOST_BATCH = 120_000
MOST_OPERATIONS, MOST_OF_LONG = 0.6e12, 0.7e12
"""Of an epoch with the fewest bases, and with more of them: a shape takes a minute or two."""
MOST_RECURRENT_STEPS = 150_000
Shape = dict[str, Any]


def draw(kind: str, generator: np.random.Generator) -> Shape:
    """Sizes drawn at random: small ones as often as large ones."""

    def between(least: float, most: float) -> int:
        return round(float(np.exp(generator.uniform(np.log(least), np.log(most)))))

    def one_of(*values: Any) -> Any:
        return values[int(generator.integers(len(values)))]

    heads, stride = one_of(1, 2, 4), one_of(3, 9, 9)
    model = {
        "kind": kind,
        "embedding": 4 * between(2, 10),
        "hidden": 2 * heads * between(6, 24) if kind == "transformer" else 2 * between(12, 96),
        "layers": one_of(1, 2, 2, 3),
        "stem": 2 * between(16, 80),
        "stem_width": stride + one_of(0, 0, 6),
        "stem_stride": stride,
        "dropout": one_of(0.0, 0.0, 0.1),
        "base_channels": one_of(16, 24, 32, 48, 64, 96),
        "base_layers": one_of(1, 2, 3, 4),
        "output_layers": one_of(0, 1, 2),
    }
    if kind == "transformer":
        model |= {"heads": heads, "window": between(16, 160)}
    window = one_of(*WINDOWS)
    training = {
        "epochs": 2,
        "global_batch_size": between(1, MOST_BATCH / window),
        "precision": one_of("fp32", "fp32", "bf16"),
        "optimizer": one_of("adamw", "adamw", "sgd"),
        "validation_bases": one_of(100_000, 200_000),
    }
    if budget := one_of(None, None, 131_072):
        training["token_budget"] = max(budget, window)
    return {"window": window, "model": model, "training": training}


def operations(shape: Shape, bases: int) -> float:
    """Floating-point operations of training on a number of bases, about."""
    model = ModelConfig.model_validate(shape["model"])
    positions = bases / model.stem_stride
    directions = 2 if model.kind in ("lstm", "gru") else 1
    attended = 2 * model.window * model.hidden if model.kind == "transformer" else 0
    at_bases = model.base_channels**2 * model.base_width * (model.base_layers + model.output_layers)
    return 6 * at_bases * bases + 72 * positions * model.layers * directions * (model.hidden**2 + attended)


def shapes_of(name: str, kinds: list[str], count: int, dataset: Path) -> dict[str, Shape]:
    """As many shapes of each kind as are wanted, by name; their steps are of all sizes, and none takes a CPU long."""
    shapes = {}
    for kind in kinds:
        generator = np.random.default_rng([SEEDS[name], KINDS.index(kind)])
        for number in range(1, count + 1):
            wanted = np.exp(generator.uniform(np.log(SMALLEST), np.log(LARGEST)))
            shape = draw(kind, generator)
            while is_slow(shape) or abs(plan_of(shape, dataset).step / wanted - 1) > CLOSE:
                shape = draw(kind, generator)
            shapes[f"{name}-{kind}-{number}"] = shape
    return shapes


def is_slow(shape: Shape) -> bool:
    """Whether an epoch takes a CPU longer than a minute or so."""
    model, training = shape["model"], shape["training"]
    reads = 2 * model["layers"] * TRAIN_BASES / model["stem_stride"] / training["global_batch_size"]
    return operations(shape, TRAIN_BASES) > MOST_OPERATIONS or (model["kind"] == "gru" and reads > MOST_RECURRENT_STEPS)


def steps_of(shape: Shape) -> int:
    """Steps of an epoch: many, for gaps in the heap grow with them, but no more than a CPU does in half a minute."""
    batch = shape["window"] * shape["training"]["global_batch_size"]
    most = min(MOST_STEPS, MOST_BASES // batch)
    return max(TRAIN_BASES // batch, min(most, int(MOST_OF_LONG / operations(shape, batch))))


def sections(shape: Shape, dataset: Path) -> tuple[ModelConfig, TrainingConfig, tuple[TokenDataset, TokenDataset]]:
    """Model, optimisation and splits of a shape, completed as `raygene train` completes them."""
    window = shape["window"]
    splits = splits_of(dataset, window, steps_of(shape) * window * shape["training"]["global_batch_size"])
    task = Task.of_dataset(splits[0].manifest["config"])
    model = task.model(ModelConfig.model_validate(shape["model"]))
    networks.check(task, model)
    return model, task.training(TrainingConfig.model_validate(shape["training"] | {"probe": False})), splits


@cache
def splits_of(dataset: Path, window: int, bases: int) -> tuple[TokenDataset, TokenDataset]:
    """The beginning of train and of validation, cut into windows of another length."""
    train, validation = open_splits(dataset)
    return cut(train, window, bases), cut(validation, window, VALIDATION_BASES)


def cut(split: TokenDataset, window: int, bases: int) -> TokenDataset:
    """Windows of a length, side by side from the beginning of the first stretch of a split."""
    rows = bases // window
    config = split.manifest["config"] | {"window": {"length": window}}
    offsets = np.arange(rows + 1, dtype=np.int64) * window
    if offsets[-1] > split.stretches[0, 1]:
        raise SystemExit(f"{split.split}: the first stretch has fewer than {bases:,} bases: take a larger dataset")
    table = split.table.slice(0, 1).take(np.zeros(rows, np.int64))
    for name, values in (("start", offsets[:-1]), ("end", offsets[1:])):
        field = table.schema.field(name)
        first = int(split.table["start"][0].as_py())
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(first + values, field.type))
    assert split.states is not None
    return replace(
        split,
        manifest=split.manifest | {"config": config},
        tokens=split.tokens[: offsets[-1]],
        offsets=offsets,
        labels=np.repeat(split.labels[:1], rows),
        table=table,
        states=split.states[: offsets[-1]],
    )


def plan_of(shape: Shape, dataset: Path) -> MemoryPlan:
    """What `raygene train` plans."""
    model, training, splits = sections(shape, dataset)
    return memory_plan.plan_process(model, training, splits, "cpu")


def parts_of(plan: MemoryPlan) -> dict[str, int]:
    """The parts of a plan that a worker's peak consists of, in bytes."""
    return {
        "planned": plan.worker,
        "step": plan.step,
        "process": round(plan.full.process),
        "copies": plan.copies,
        "retained": plan.retained,
        "besides": plan.besides,
        "mapped": plan.mapped,
    }


def resident() -> dict[str, int]:
    """Resident bytes of this process, its peak, and what of them are files."""
    return memory.status_bytes("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem")


class Events:
    """Takes a worker's events in place of Ray's queue, and reads the memory at each."""

    def __init__(self) -> None:
        self.readings: list[dict[str, Any]] = []

    def send(self, event: WorkerEvent) -> None:
        name = type(event).__name__
        if name not in ("PositionReached", "StepsLogged"):
            self.readings.append({"at": name, **resident()})
        if error := getattr(event, "error", None):
            raise error

    send_and_wait = send


def train_here(shape: Shape, dataset: Path, directory: Path) -> None:
    """Run the worker's function in a thread of this process, as Ray Train does, and store what memory it took."""
    import ray
    import ray.train.torch

    class Context:
        def get_world_size(self) -> int:
            return 1

        def get_world_rank(self) -> int:
            return 0

        get_local_rank = get_world_rank

    ray.train.get_context = Context  # type: ignore[assignment]
    ray.get_gpu_ids = list
    model, training, splits = sections(shape, dataset)
    worker.opened_splits = lambda *_: splits  # type: ignore[attr-defined]
    plan = memory_plan.plan_process(model, training, splits, "cpu")
    spec = WorkerSpec(
        model=model,
        training=training.model_copy(update={"token_budget": plan.token_budget}),
        dataset=dataset,
        fingerprint=splits[0].manifest["fingerprint"],
        output=worker_folder.of(directory),
        checkpoints="checkpoints",
        run="benchmark",
        threads=1,
        allowance=plan.allowance,
    )
    steps = memory.record_steps()
    began, events = time.time(), Events()
    events.readings.append({"at": "imports", **resident()})
    memory.in_thread(lambda: worker.run(spec, events))  # type: ignore[arg-type]
    measured = {"measured": resident()["VmHWM"], "seconds": round(time.time() - began, 1), "readings": events.readings}
    (directory / "measured.json").write_text(json.dumps({**measured, "steps": steps}))


def measure(name: str, shape: Shape, dataset: Path, output: Path) -> dict[str, Any]:
    """Planned and measured bytes of a shape; what was measured before is read again."""
    plan = plan_of(shape, dataset)
    directory = output / name
    stored = directory / "measured.json"
    if not stored.exists():
        directory.mkdir(parents=True, exist_ok=True)
        request = [json.dumps(shape), str(dataset), str(directory)]
        environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, __file__, "--train-here", *request], check=True, env=environment)
    measured = json.loads(stored.read_text())
    measured["measured"] += RAY_BYTES
    del measured["readings"]
    steps = measured["steps"]
    measured |= {"steps": len(steps), "returned": memory.times_returned(steps)}
    return {
        "name": name,
        **shape,
        "token_budget": plan.token_budget,
        **parts_of(plan),
        **measured,
        "error": plan.worker / measured["measured"] - 1,
    }


def format_row(row: dict[str, Any]) -> str:
    """A line of the table."""
    sizes = " ".join(f"{key} {value}" for key, value in {**row["model"], **row["training"]}.items() if key != "kind")
    return (
        f"{row['name']:24}{row['window']:7}{row['planned'] / 1e6:9,.0f}{row['measured'] / 1e6:9,.0f} MB"
        f"{row['error']:+9.1%}  step {row['step'] / 1e6:,.0f}  {row['seconds']} s  {sizes}"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of each kind: how many shapes, how large, and how far off the plan was."""
    lines = [
        "| model | shapes | measured, from and to | within 10 % | furthest below | furthest above | mean error |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        of_kind = [row for row in rows if row["model"]["kind"] == kind]
        errors, sizes = [row["error"] for row in of_kind], [row["measured"] / 1e9 for row in of_kind]
        within = sum(abs(error) <= WITHIN for error in errors)
        lines.append(
            f"| {kind} | {len(of_kind)} | {min(sizes):.2f} to {max(sizes):.2f} GB | {within} | {min(errors):+.1%} | "
            f"{max(errors):+.1%} | {sum(map(abs, errors)) / len(errors):.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and store."""
    if sys.argv[1:2] == ["--train-here"]:
        of_shape, of_dataset, directory = sys.argv[2:]
        train_here(json.loads(of_shape), Path(of_dataset), Path(directory))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?", help="labelled windows of a genome (task structure)")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", action="store_true", help="show the table of the last results, and measure nothing")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--set", choices=list(SEEDS), default="held-out")
    parser.add_argument("--shapes", type=at_least(1), default=3, help="of each kind")
    parser.add_argument("--list", action="store_true", help="show the shapes and what is planned, and measure nothing")
    arguments = parse(parser, RESULTS)
    if arguments.table:
        print(table(json.loads(arguments.results.read_text())["shapes"]))
        return
    if arguments.dataset is None or arguments.output is None:
        parser.error("give DATASET and --output")
    dataset, output = arguments.dataset.absolute(), arguments.output.absolute()
    shapes = shapes_of(arguments.set, arguments.kinds, arguments.shapes, dataset)
    if arguments.list:
        for name, shape in shapes.items():
            print(name, {key: round(value / 1e6) for key, value in parts_of(plan_of(shape, dataset)).items()}, shape)
        return
    rows = []
    for name, shape in shapes.items():
        rows.append(measure(name, shape, dataset, output))
        print(format_row(rows[-1]), flush=True)
    if arguments.set == "held-out" and arguments.kinds == list(KINDS):
        errors = [abs(row["error"]) for row in rows]
        summary = {"shapes": len(rows), "largest_error": max(errors), "mean_error": sum(errors) / len(errors)}
        versions = {"torch": torch.__version__, "python": platform.python_version(), "libc": platform.libc_ver()}
        storage.write_json(arguments.results, {**versions, **summary, "shapes": rows})
        print(f"{summary}\nwritten: {arguments.results}")


if __name__ == "__main__":
    main()
