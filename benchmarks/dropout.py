"""What masks of dropout by row cost, and the curves of one and two workers with dropout.

    python benchmarks/dropout.py [--experiment examples/yeast/experiment.yaml] [--epochs 8] [--repeats 15] [--work DIR]
        [--results FILE]

Cost: CPU seconds of a training step (forward and backward, one thread) of the default model and of `cnn`, without
dropout, with torch's masks, and with masks by row; the three take turns, and medians are compared. Curves: the
experiment with one and two workers (processes, without Ray), its masks by row, and as earlier versions drew them, by
step and worker. Figures go to --results, by default benchmarks/results/dropout.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import torch.distributed as dist
from torch import multiprocessing

from benchmarks.process.options import at_least, parse
from cluster.experiment import load
from pipelines import storage
from pipelines.build import pipeline
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.data.dropout_keys import keys_of_rows
from training.data.step_plan import plan_epoch
from training.engine import loop
from training.engine.collective import Alone, Distributed
from training.engine.objectives.recognition import Recognition
from training.engine.process import heap

HERE = Path(__file__).parent
EXPERIMENT = HERE.parent / "examples" / "yeast" / "experiment.yaml"
KINDS: dict[str, dict[str, Any]] = {"default model": {}, "cnn": {"kind": "cnn", "stem": 0, "layers": 8, "hidden": 32}}
STEPS = 2
Figures = dict[str, Any]


def batches(train: TokenDataset, config: TrainingConfig) -> list[TokenBatch]:
    """The first steps of the first epoch, with keys of their rows."""
    objective, plan = Recognition(config, train), plan_epoch(train.lengths, config.global_batch_size, 0, 0)
    return [
        replace(objective.collate(train, 0, plan[step]), dropout_keys=torch.from_numpy(keys_of_rows(0, 0, plan[step])))
        for step in range(STEPS)
    ]


def seconds_of_step(model: torch.nn.Module, objective: Recognition, steps: list[TokenBatch]) -> float:
    """CPU seconds of forward and backward pass of a step, the mean of some."""
    began = time.process_time()
    for batch in steps:
        model.zero_grad(set_to_none=True)
        objective.loss(model, batch).backward()  # type: ignore[no-untyped-call]
    return (time.process_time() - began) / len(steps)


def cost(train: TokenDataset, changes: Figures, repeats: int) -> Figures:
    """Milliseconds of a step with each kind of mask, and what masks add to a step without them."""
    torch.set_num_threads(1)
    config = TrainingConfig(global_batch_size=64)
    objective, steps = Recognition(config, train), batches(train, config)
    without_keys = [replace(batch, dropout_keys=None) for batch in steps]
    sides = {"none": (0.0, steps), "torch": (0.1, without_keys), "by row": (0.1, steps)}
    trained = {
        side: models.fresh(ModelConfig(**changes, dropout=share), train.tokenizer, 0).train()
        for side, (share, _) in sides.items()
    }
    times: dict[str, list[float]] = {side: [] for side in sides}
    # As training on a CPU does.
    with heap.retain_freed_memory():
        for repeat in range(repeats + 1):
            for side, (_, parts) in sides.items():
                seconds = seconds_of_step(trained[side], objective, parts)
                if repeat:
                    times[side].append(seconds)
    medians = {side: 1000 * statistics.median(values) for side, values in times.items()}
    shares = {f"{side}, share of a step": round(1 - medians["none"] / medians[side], 3) for side in ("torch", "by row")}
    return {f"{side}, ms": round(value, 2) for side, value in medians.items()} | shares


def train_on_worker(rank: int, workers: int, meeting: str, request: Figures, written: str) -> None:
    """Train on one worker of a group of processes; the first one writes the records."""
    torch.set_num_threads(1)
    if workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=workers)
    config = TrainingConfig.model_validate(request["training"])
    train, validation = (TokenDataset.open(Path(request["dataset"]), split) for split in ("train", "validation"))
    model = models.fresh(ModelConfig.model_validate(request["model"]), train.tokenizer, config.seed)
    state = loop.start(model, config)
    state.dropout_by_row = request["by row"]
    loop.fit(state, train, validation, config, Distributed() if workers > 1 else Alone(), torch.device("cpu"))
    if rank == 0:
        Path(written).write_text(json.dumps(state.records))
    if workers > 1:
        dist.destroy_process_group()


def curve(request: Figures, workers: int) -> list[Figures]:
    """The records of every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "records.json"
        arguments = (workers, f"{folder}/meeting", request, str(written))
        spawn: Any = vars(multiprocessing)["spawn"]
        spawn(train_on_worker, arguments, nprocs=workers)
        records: list[Figures] = json.loads(written.read_text())
    return records


def curves(request: Figures) -> Figures:
    """AUROC and loss on validation by epoch with one and two workers, and how far they are apart."""
    found = {workers: curve(request, workers) for workers in (1, 2)}
    series = {
        name: np.array([[record[f"validation_{name}"] for record in found[workers]] for workers in (1, 2)])
        for name in ("auroc", "loss")
    }
    figures: Figures = {
        f"{workers} worker{'s' if workers > 1 else ''}, {name}": series[name][workers - 1].round(4).tolist()
        for name in series
        for workers in (1, 2)
    }
    apart = {name: float(f"{abs(np.diff(values, axis=0)).max():.2g}") for name, values in series.items()}
    return figures | {f"furthest apart, {name}": value for name, value in apart.items()}


def store(document: Figures, results: Path) -> None:
    """Write the figures so far."""
    print(json.dumps(document, indent=1), flush=True)
    storage.write_json(results, document)


def main() -> None:
    """Measure and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, default=EXPERIMENT)
    parser.add_argument("--epochs", type=at_least(1), default=8)
    parser.add_argument("--repeats", type=at_least(1), default=15)
    parser.add_argument("--work", type=Path, default=Path("dropout-work"))
    arguments = parse(parser, HERE / "results" / "dropout.json", small=("repeats",))
    work = arguments.work.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    experiment = load(arguments.experiment, {})
    if not (work / "dataset" / "manifest.json").exists():
        pipeline.build(experiment.dataset("benchmark"), work / "dataset", in_this_process, Silent())
    train = TokenDataset.open(work / "dataset", "train")
    document: Figures = {
        "experiment": arguments.experiment.parent.name,
        "epochs": arguments.epochs,
        "cost of a step of 64": {name: cost(train, changes, arguments.repeats) for name, changes in KINDS.items()},
    }
    store(document, arguments.results)
    training = experiment.training.model_copy(update={"epochs": arguments.epochs}).model_dump()
    request = {"model": experiment.model.model_dump(), "training": training, "dataset": str(work / "dataset")}
    for by_row, name in ((True, "masks by row"), (False, "masks by step and worker, as before")):
        document[name] = curves(request | {"by row": by_row})
        store(document, arguments.results)


if __name__ == "__main__":
    main()
