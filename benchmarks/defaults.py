"""Which keys a model for labelled sequences should have: one change after the other, compared on validation.

    python benchmarks/defaults.py --data DIR [--work DIR] [--only TASK …] [--variants NAME …] [--seeds 0] [--epochs 20]
        [--results FILE]

Datasets are built by the command line, models trained in this process on one thread; test splits are not scored.
Figures go to --results, by default benchmarks/results/defaults.json, after every run; a run that is stored there is not
repeated. A run takes from one minute (mouse) to ten (promoters).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.process.commands import raygene
from benchmarks.process.options import add_data, at_least, parse
from benchmarks.process.results import read_results
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "promoters" / "experiment.yaml"
TASKS = {
    "mouse": "gue_mouse_0",
    "human": "gue_human_tf_3",
    "tata": "gue_promoters/prom_300_tata",
    "promoters": "gue_promoters/prom_core_all",
}
"""The folder of each task under the data: binding sites on either strand, and promoters aligned to their start."""
ALIGNED = ("tata", "promoters")


@dataclass(frozen=True)
class Variant:
    """Keys of an experiment.

    Attributes:
        model, training: keys that differ from the defaults of version 0.
        k, stride: of the tokens.
    """

    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    k: int = 3
    stride: int = 1


_SMALL = {"hidden": 32, "dropout": 0.1}
_LARGE = {"hidden": 64, "dropout": 0.2}
_AVERAGE = {"ema_decay": 0.999}
_STRANDS = {"strands": "averaged"}
_SHARED = {"strands": "equivariant"}
_TURNED = {**_AVERAGE, "reverse_complement": True}
VARIANTS = {
    "6-mers, stride 3, hidden 32, dropout 0.1": Variant(_SMALL, k=6, stride=3),
    "3-mers, stride 1": Variant(_SMALL),
    "hidden 64, dropout 0.2": Variant(_LARGE),
    "averaged weights": Variant(_LARGE, _AVERAGE),
    "random reverse complement": Variant(_LARGE, _TURNED),
    "and averaged strands": Variant(_LARGE | _STRANDS, _TURNED),
    "and both strands in training": Variant(_LARGE | _STRANDS, _AVERAGE),
    "label smoothing 0.1": Variant(_LARGE | _STRANDS, _TURNED | {"label_smoothing": 0.1}),
    "dropout 0.4": Variant(_LARGE | _STRANDS | {"dropout": 0.4}, _TURNED),
    "stem of 128 channels, 15 wide": Variant(_LARGE | _STRANDS | {"stem": 128, "stem_width": 15}, _TURNED),
    "cnn, 4 blocks": Variant(_LARGE | _STRANDS | {"kind": "cnn", "layers": 4}, _TURNED),
    "transformer, 2 layers": Variant(_LARGE | _STRANDS | {"kind": "transformer", "layers": 2}, _TURNED),
    "equivariant strands": Variant(_LARGE | _SHARED, _AVERAGE),
    "equivariant, hidden 96": Variant(_LARGE | _SHARED | {"hidden": 96}, _AVERAGE),
    "equivariant, dropout 0.4": Variant(_LARGE | _SHARED | {"dropout": 0.4}, _AVERAGE),
    "equivariant, cnn, 4 blocks": Variant(_LARGE | _SHARED | {"kind": "cnn", "layers": 4}, _AVERAGE),
}
"""From the defaults of version 0 on each adds to the one before, up to averaged strands; the rest replace a part."""
ROWS_READ, FEWEST_EPOCHS, MOST_EPOCHS = 560_000, 6, 20
"""As `init` had them when the stored figures were made; what it writes now is in `cluster.presets.experiment_text`."""


def build(task: str, variant: Variant, data: Path, work: Path) -> Path:
    """The dataset of a task with a variant's tokens."""
    output = work / "datasets" / f"{task}-{variant.k}-{variant.stride}"
    files = {"train": "train", "validation": "dev", "test": "test"}
    flags = [f"--tokenizer.k={variant.k}", f"--tokenizer.stride={variant.stride}"]
    flags += [f"--sources.0.{split}={data / TASKS[task] / file}.csv.gz" for split, file in files.items()]
    raygene("build", EXAMPLE, "--output", output, *flags, is_quiet=True)
    return output


def run(task: str, variant: Variant, seed: int, dataset: Path, epochs: int | None) -> dict[str, Any]:
    """Train a model; the figures of its best epoch on validation."""
    train, validation = (TokenDataset.open(dataset, split) for split in ("train", "validation"))
    epochs = epochs or min(max(round(ROWS_READ / len(train)), FEWEST_EPOCHS), MOST_EPOCHS)
    model_config = ModelConfig(**variant.model, absolute_positions=task in ALIGNED)
    config = TrainingConfig(**variant.training, epochs=epochs, seed=seed)
    model = models.fresh(model_config, train.tokenizer, seed)
    state = loop.start(model, config)
    began = time.process_time()
    loop.fit(state, train, validation, config, Alone(), torch.device("cpu"))
    return {
        "auroc": state.best_record["validation_auroc"],
        "mcc": state.best_record["validation_mcc"],
        "loss of train": state.best_record["loss"],
        "best epoch": state.best_record["epoch"],
        "epochs": epochs,
        "weights": sum(weight.numel() for weight in model.parameters()),
        "cpu seconds": round(time.process_time() - began, 1),
    }


def main() -> None:
    """Run what is not stored yet of the requested tasks and variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--work", type=Path, default=Path("defaults-work"))
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--epochs", type=at_least(1), help="passes over train (default: so many that 560,000 rows are read)"
    )
    arguments = parse(parser, HERE / "results" / "defaults.json", small=("epochs",))
    target, data, work = arguments.results, arguments.data.absolute(), arguments.work.absolute()
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "torch": torch.__version__}
    stored = read_results(target, {"machine": machine, "tasks": {}})
    torch.set_num_threads(1)
    for task in arguments.only:
        for name in arguments.variants:
            runs = stored["tasks"].setdefault(task, {}).setdefault(name, {})
            for seed in arguments.seeds:
                if str(seed) not in runs:
                    dataset = build(task, VARIANTS[name], data, work)
                    runs[str(seed)] = run(task, VARIANTS[name], seed, dataset, arguments.epochs)
                    storage.write_json(target, stored)
                figures = runs[str(seed)]
                print(
                    f"{task}, {name}, seed {seed}: AUROC {figures['auroc']:.4f}, MCC {figures['mcc']:.3f}", flush=True
                )


if __name__ == "__main__":
    main()
