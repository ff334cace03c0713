"""Training with two workers instead of one: how many times as fast, and where the rest of the second CPU goes.

    python benchmarks/two_workers.py --dataset DIR [--experiment YAML] [--batches 16 64] [--steps 60] [--repeats 5]
        [--ray] [--results FILE]

Each turn trains the same steps of the same model three times: by one process, by two that share each step (gloo), and
by two that know nothing of each other, which is the most that the machine allows. With `--ray`, whole epochs by one and
by two workers of `raygene train` follow. Every process computes on one thread. Besides wall time there are figures that
other work on the machine changes little: CPU time of a step, which bounds the ratio, and the share of the wall time
that a worker waits for the sum over workers. Medians of one run go to --results, by default
benchmarks/results/two-workers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch.distributed as dist

from benchmarks.process.commands import raygene
from benchmarks.process.options import at_least, parse
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import layout, loop
from training.engine.collective import Alone, Collective, Distributed
from training.engine.observer import Observer, Phase, StepFigures
from training.engine.state import Record, State

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "yeast" / "experiment.yaml"
WARM = 10
"""Steps that are not counted: kernels are made and memory is touched in them."""
RAY_EPOCHS = 4
Figures = dict[str, float]


class Clocks(Observer):
    """Adds up the clocks of steps, without what lies between epochs, and stops the loop after so many.

    Args:
        steps: to count.
    """

    def __init__(self, steps: int) -> None:
        self._last, self._done, self._counted, self._tokens = WARM + steps, 0, 0, 0
        self._wall = self._cpu = self._waited = 0.0
        self._since = self._now()

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        if name == "reduce" and self._done >= WARM:
            self._waited += time.perf_counter() - wall - (time.thread_time() - cpu)

    def step_ended(self, state: State, figures: StepFigures) -> None:
        self._done += 1
        now = self._now()
        if self._done > WARM:
            self._counted += 1
            self._tokens += figures.tokens
            self._wall += now[0] - self._since[0]
            self._cpu += now[1] - self._since[1]
        self._since = now

    def epoch_ended(self, record: Record, state: State) -> None:
        self._since = self._now()

    def should_stop(self) -> bool:
        return self._done >= self._last - 1

    def figures(self) -> Figures:
        """Of the steps that were counted."""
        return {
            "tokens_per_second": self._tokens / self._wall,
            "cpu_ms": 1000 * self._cpu / self._counted,
            "waited_share": self._waited / self._wall,
        }

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def measure(directory: Path, sections: dict[str, Any], steps: int, collective: Collective) -> Figures:
    """The figures of some steps of one worker, in this process."""
    torch.set_num_threads(1)
    train, validation = TokenDataset.open(directory, "train"), TokenDataset.open(directory, "validation")
    config = TrainingConfig.model_validate({**sections["training"], "epochs": 1000, "workers": collective.workers})
    network = models.fresh(ModelConfig.model_validate(sections["model"]), train.tokenizer, 0)
    layout.set_layout(network, config, train, collective=collective)
    clocks = Clocks(steps)
    loop.fit(loop.start(network, config), train, validation, config, collective, torch.device("cpu"), clocks)
    return clocks.figures()


def worker(arguments: argparse.Namespace) -> None:
    """Be one process: alone, or one of two that share a file."""
    if arguments.meet:
        address = f"file://{arguments.meet}"
        dist.init_process_group("gloo", init_method=address, rank=arguments.rank, world_size=2)
    collective: Collective = Distributed() if arguments.meet else Alone()
    figures = measure(arguments.dataset, json.loads(arguments.worker), arguments.steps, collective)
    print(json.dumps(figures), flush=True)
    if arguments.meet:
        dist.barrier()
        dist.destroy_process_group()


def processes(dataset: Path, sections: dict[str, Any], steps: int, count: int, *, together: bool) -> list[Figures]:
    """The figures of so many processes at the same time, in the environment of raygene's workers."""
    from cluster.connection import environment
    from training.distributed.launching.launch import ENVIRONMENT

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--dataset", str(dataset), "--steps", str(steps)]
        command += ["--worker", json.dumps(sections)]
        if together:
            command += ["--meet", str(Path(folder, "meet"))]
        started = [
            subprocess.Popen(
                [*command, "--rank", str(rank)],
                env=os.environ | environment(verbose=False) | ENVIRONMENT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(count)
        ]
        printed = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process failed")
    return [json.loads(text.splitlines()[-1]) for text in printed]


def of_ray(dataset: Path, sections: dict[str, Any], workers: int) -> float:
    """Tokens a second of the epochs after the first of `raygene train`, the median."""
    with tempfile.TemporaryDirectory() as folder:
        training = {**sections["training"], "workers": workers, "epochs": RAY_EPOCHS}
        experiment = Path(folder, "experiment.json")
        experiment.write_text(json.dumps({**sections, "training": training}))
        output = Path(folder, "run")
        raygene("train", experiment, "--dataset", dataset, "--output", output, is_quiet=True)
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(line["tokens_per_second"] for line in lines[1:])


def turn(dataset: Path, sections: dict[str, Any], steps: int, *, ray: bool) -> Figures:
    """One turn of all cases."""
    [one] = processes(dataset, sections, steps, 1, together=False)
    two = processes(dataset, sections, steps, 2, together=True)
    apart = processes(dataset, sections, steps, 2, together=False)
    figures = {
        "one worker, tokens/s": one["tokens_per_second"],
        "two workers, tokens/s": min(rank["tokens_per_second"] for rank in two),
        "two apart, tokens/s": sum(process["tokens_per_second"] for process in apart),
        "one worker, CPU ms a step": one["cpu_ms"],
        "two workers, CPU ms a step of the busier": max(rank["cpu_ms"] for rank in two),
        "two workers, share of the time that one waits for the other": statistics.mean(
            rank["waited_share"] for rank in two
        ),
    }
    if ray:
        figures |= {
            f"raygene train, {workers} workers, tokens/s": of_ray(dataset, sections, workers) for workers in (1, 2)
        }
    return figures


def summary(turns: Sequence[Figures]) -> dict[str, float]:
    """Medians of the figures of some turns, and medians of the ratios within a turn."""
    document = {name: float(f"{statistics.median(one[name] for one in turns):.4g}") for name in turns[0]}
    ratios = {
        "two workers over one": ("two workers, tokens/s", "one worker, tokens/s"),
        "two apart over one": ("two apart, tokens/s", "one worker, tokens/s"),
        "limit by CPU time": ("one worker, CPU ms a step", "two workers, CPU ms a step of the busier"),
        "raygene train, two over one": ("raygene train, 2 workers, tokens/s", "raygene train, 1 workers, tokens/s"),
    }
    for name, (above, below) in ratios.items():
        if above in turns[0]:
            document[name] = round(statistics.median(one[above] / one[below] for one in turns), 3)
    return document


def main() -> None:
    """Measure in turns and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="as raygene build writes it")
    parser.add_argument("--experiment", type=Path, default=EXAMPLE, help="its model and training sections are used")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--steps", type=at_least(1), default=60)
    parser.add_argument("--repeats", type=at_least(1), default=5)
    parser.add_argument("--ray", action="store_true", help="also whole runs of raygene train")
    for name in ("worker", "meet"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parse(parser, HERE / "results" / "two-workers.json")
    if arguments.worker:
        worker(arguments)
        return
    import yaml

    experiment = yaml.safe_load(arguments.experiment.read_text())
    results: dict[int, list[Figures]] = {}
    for number in range(arguments.repeats):
        for batch in arguments.batches:
            training = {**experiment.get("training", {}), "global_batch_size": batch}
            sections = {"model": experiment.get("model", {}), "training": training}
            dataset = arguments.dataset.absolute()
            results.setdefault(batch, []).append(turn(dataset, sections, arguments.steps, ray=arguments.ray))
            print(f"turn {number + 1}, batch {batch}: {json.dumps(summary(results[batch][-1:]))}", flush=True)
    document: dict[str, Any] = {
        "model": experiment.get("model", {}),
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "by batch": {str(batch): summary(turns) for batch, turns in results.items()},
    }
    print(json.dumps(document, indent=1))
    storage.write_json(arguments.results, document)


if __name__ == "__main__":
    main()
