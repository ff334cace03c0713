"""Memory of what runs for long in one process: a study's trials one after another, and many steps of random lengths.

    python benchmarks/memory_long.py study DATASET [--trials 16] [--epochs 1] [--rows 400] [--results FILE]
    python benchmarks/memory_long.py steps DATASET [--kinds lstm gru transformer cnn] [--steps 400] [--unlimited]
        [--results FILE]

`study` trains trials of several sizes one after another with the function that Ray Tune starts in a process that it
uses again: a third of them with plenty of memory, so that they retain what they free, a third with little, and a third
with plenty. Shown are the process's own memory (no mapped files) before and after each, its peak, and the plan.

`steps` trains each kind in a process of its own on sequences of 50 to 2,000 tokens, so that no batch is as long as
another, with freed memory retained: what is planned, the peak of resident memory, and how often memory was returned.
`--unlimited` returns none, as before there was a limit.

DATASET is any token dataset of task recognise; `steps` takes its tokenizer alone. Figures go to --results, by default
benchmarks/results/memory-long.json; minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa

from benchmarks.process import memory
from benchmarks.process.memory import MEBIBYTE
from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from training import networks
from training.config import ModelConfig, TrainingConfig
from training.distributed import memory_plan
from training.distributed.launching.launch import ENVIRONMENT
from training.engine import loop
from training.engine.collective import Alone
from training.engine.state import CPU
from training.splits import open_splits
from training.tasks import Task
from tuning.trials import memory_check, worker
from tuning.trials.memory_check import Machine
from tuning.trials.trial_spec import TrialSpec

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "memory-long.json"
KINDS = ("lstm", "gru", "transformer", "cnn")
SHORTEST, LONGEST = 50, 2_000
BATCH = 16
HIDDEN = 48
PLENTY, SCARCE = 16 << 30, 850 << 20
Results = dict[str, Any]


def resident() -> dict[str, int]:
    """Resident mebibytes of this process, its peak, and what of them is its own."""
    keys = {"VmHWM": "peak", "VmRSS": "resident", "RssAnon": "own"}
    return {keys[name]: taken // MEBIBYTE for name, taken in memory.status_bytes(*keys).items()}


def beginning(split: TokenDataset, rows: int) -> TokenDataset:
    """The first rows of a split."""
    rows = min(rows, len(split))
    return replace(
        split,
        tokens=split.tokens[: split.offsets[rows]],
        offsets=split.offsets[: rows + 1],
        labels=split.labels[:rows],
        table=split.table.slice(0, rows),
    )


def measure_study(dataset: Path, trials: int, epochs: int, rows: int) -> list[Results]:
    """Train trials one after another in this process."""
    import ray

    ray.get_gpu_ids = list
    splits = open_splits(dataset)
    train, validation = (beginning(split, rows) for split in splits)
    worker.open_splits = lambda *_: (train, validation)  # type: ignore[attr-defined]
    task = Task.of_dataset(train.manifest["config"])
    lengths = np.concatenate([train.lengths, validation.lengths])
    sizes = list(product((8, 16, 32, 64), (16, 32, 48, 64)))[:trials]
    measured = []
    with tempfile.TemporaryDirectory() as directory:
        for number, (embedding, hidden) in enumerate(sizes):
            is_scarce = trials // 3 <= number < 2 * trials // 3
            model = task.model(ModelConfig(kind="lstm", embedding=embedding, hidden=hidden))
            training = task.training(TrainingConfig(epochs=epochs, global_batch_size=BATCH, probe=False))
            machine = Machine("cpu", SCARCE if is_scarce else PLENTY, 1, 0, is_local=True)
            plan = memory_check.check_memory(model, training, lengths, train.tokenizer, machine, task)
            folder = Path(directory) / str(number)
            folder.mkdir()
            spec = TrialSpec(
                model,
                training.model_copy(update={"token_budget": plan.token_budget}),
                dataset,
                train.manifest["fingerprint"],
                folder,
                64,
                plan.retain_memory,
                1,
                0,
            )
            before = resident()["own"]
            memory.in_thread(lambda spec=spec: worker.run(spec, lambda _: None))  # type: ignore[misc]
            after = resident()
            measured.append(
                {
                    "embedding": embedding,
                    "hidden": hidden,
                    "retains": plan.retain_memory,
                    "planned": plan.predicted // MEBIBYTE,
                    "peak": after["peak"],
                    "share": round(after["peak"] * MEBIBYTE / plan.predicted, 2),
                    "own before": before,
                    "own after": after["own"],
                }
            )
            print(measured[-1], flush=True)
    return measured


def of_random_lengths(split: TokenDataset, rows: int, seed: int) -> TokenDataset:
    """Rows of random tokens and random lengths, in the shape of a split."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(SHORTEST, LONGEST + 1, rows)
    size = split.tokenizer.vocabulary_size
    return replace(
        split,
        tokens=generator.integers(2, size, int(lengths.sum())).astype(split.tokens.dtype),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=(np.arange(rows) % 2).astype(split.labels.dtype),
        table=split.table.take(pa.array(np.arange(rows) % len(split))),
    )


def measure_steps(dataset: Path, kind: str, steps: int, *, is_unlimited: bool) -> Results:
    """Train a model of a kind for a number of steps in this process."""
    train, validation = open_splits(dataset)
    train, validation = of_random_lengths(train, steps * BATCH, 0), of_random_lengths(validation, 4 * BATCH, 1)
    task = Task.of_dataset(train.manifest["config"])
    model = task.model(ModelConfig(kind=kind, embedding=32, hidden=HIDDEN))
    training = task.training(TrainingConfig(epochs=1, global_batch_size=BATCH, probe=False))
    plan = memory_plan.plan_process(model, training, (train, validation), "cpu")
    training = training.model_copy(update={"token_budget": plan.token_budget})
    readings = memory.record_steps()
    state = loop.start(networks.make(task, model, train.tokenizer.vocabulary_size), training, CPU)
    begun = resident()["resident"]
    memory.in_thread(
        lambda: (
            loop.fit(
                state,
                train,
                validation,
                training,
                Alone(),
                CPU,
                retain_memory=is_unlimited or plan.retain_memory,
                allowance=None if is_unlimited else plan.allowance,
            )
            and None
        )
    )
    return {
        "kind": kind,
        "steps": len(readings),
        "limited": not is_unlimited,
        "step": plan.step // MEBIBYTE,
        "planned": (plan.peak - round(plan.full.process) + plan.copies + plan.retained) // MEBIBYTE,
        "taken": resident()["peak"] - begun,
        "after 10 steps": (readings[min(9, len(readings) - 1)][0] // MEBIBYTE) - begun,
        "returned": memory.times_returned(readings[2:]),
    }


def in_new_process(*arguments: str) -> Results:
    """What this program prints last with other arguments, in the environment of a worker."""
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments]
    printed = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
    result: Results = json.loads(printed.splitlines()[-1])
    return result


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("study", "steps"))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--trials", type=at_least(1), default=16)
    parser.add_argument("--epochs", type=at_least(1), default=1)
    parser.add_argument("--rows", type=at_least(1), default=400, help="of train and of validation, at most")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--steps", type=at_least(1), default=400)
    parser.add_argument("--unlimited", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parse(parser, RESULTS, small=("epochs", "rows"))
    dataset = arguments.dataset.absolute()
    if arguments.here and arguments.part == "study":
        print(json.dumps({"trials": measure_study(dataset, arguments.trials, arguments.epochs, arguments.rows)}))
        return
    if arguments.here:
        (kind,) = arguments.kinds
        print(json.dumps(measure_steps(dataset, kind, arguments.steps, is_unlimited=arguments.unlimited)))
        return
    target = arguments.results
    results: Results = read_results(target)
    if arguments.part == "study":
        sizes = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs), "--rows", str(arguments.rows)]
        results["study"] = in_new_process("study", str(dataset), "--here", *sizes, "--results", str(target))["trials"]
        storage.write_json(target, results)
    else:
        flags = ["--steps", str(arguments.steps), *(["--unlimited"] if arguments.unlimited else [])]
        for kind in arguments.kinds:
            row = in_new_process("steps", str(dataset), "--here", "--kinds", kind, *flags)
            print(row, flush=True)
            which = (kind, row["limited"])
            others = [old for old in results.get("steps", []) if (old["kind"], old["limited"]) != which]
            results["steps"] = [*others, row]
            storage.write_json(target, results)
    print(f"written: {target}")


if __name__ == "__main__":
    main()
