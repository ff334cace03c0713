"""Useful tokens a second of training, beside the loop everybody writes first; padding, waiting, kinds, precisions and batches.

    python benchmarks/training.py --dataset DIR [--rows 1500] [--repeats 3] [--threads 2] [--only NAME …]

The loop beside takes random batches of 32, pads or packs them, and reads the loss back every step. Both sides train the
same network on the same rows with as many sequences a step. Repeats take turns; medians of one run go to
benchmarks/results/training-DEVICE.json. On a GPU, half precision as well.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

# This file has a package's name, and Python and Ray look for packages beside the script first.
sys.path[0] = sys.argv[0] = str(Path(__file__).parents[1])

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from cluster import connection
from pipelines.dataset import TokenDataset
from pipelines.progress import Silent
from training import loop, models
from training.collective import Alone
from training.config import ModelConfig, TrainingConfig
from training.run import train

HERE = Path(__file__).parent
BATCH = 32
SHORT = 512
PLAIN = {"stem": 0, "pooling": "mean", "dropout": 0.0, "embedding": 32, "hidden": 32}
Measure = Callable[[], dict[str, float]]


class FirstTry(nn.Module):
    """Embedding, bidirectional LSTM, mean, one logit: on padded or on packed sequences."""

    def __init__(self, vocabulary: int, *, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(vocabulary, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 1)

    def forward(self, padded: Tensor, lengths: Tensor) -> Tensor:
        vectors = self.embedding(padded)
        if self.packed:
            states, _ = self.lstm(pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False))
            states, _ = pad_packed_sequence(states, batch_first=True)
        else:
            states, _ = self.lstm(vectors)
        mask = (padded != 0)[..., None]
        return self.head((states * mask).sum(1) / lengths[:, None]).squeeze(-1)


def first_try(dataset: TokenDataset, device: torch.device, *, packed: bool) -> dict[str, float]:
    """An epoch of random batches, the loss read back every step."""
    torch.manual_seed(0)
    model = FirstTry(dataset.tokenizer.vocabulary_size, packed=packed).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    order = np.random.default_rng(0).permutation(len(dataset))
    began, padded_tokens, losses = time.perf_counter(), 0, []
    for first in range(0, len(order), BATCH):
        rows = [dataset[int(row)] for row in order[first : first + BATCH]]
        padded = pad_sequence([torch.from_numpy(tokens.astype(np.int64)) for tokens, _ in rows], batch_first=True)
        lengths = torch.tensor([len(tokens) for tokens, _ in rows])
        labels = torch.tensor([float(label) for _, label in rows])
        padded_tokens += padded.numel()
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(padded.to(device), lengths.to(device)), labels.to(device))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    seconds = time.perf_counter() - began
    return {
        "tokens_per_second": len(dataset.tokens) / seconds,
        "padding_share": 1 - len(dataset.tokens) / padded_tokens,
    }


def ours(
    dataset: TokenDataset, device: torch.device, model: dict[str, Any], training: dict[str, Any]
) -> dict[str, float]:
    """The second of two epochs of the loop, without Ray."""
    config = TrainingConfig.model_validate({"epochs": 2, "batch": BATCH, "learning_rate": 1e-3, **training})
    network = models.fresh(ModelConfig.model_validate({**PLAIN, **model}), dataset.tokenizer, 0).to(device)
    state = loop.start(network, config, device)
    few = first_rows(dataset, 64)
    loop.fit(state, dataset, few, config, Alone(), device)
    return {name: state.records[-1][name] for name in ("tokens_per_second", "padding_share", "wait_share")}


def first_rows(dataset: TokenDataset, rows: int) -> TokenDataset:
    """Some rows of a dataset, both labels in equal parts as far as there are as many."""
    half = [np.flatnonzero(dataset.labels == label)[: rows // 2] for label in (0, 1)]
    return chosen(dataset, np.sort(np.concatenate(half)))


def chosen(dataset: TokenDataset, rows: NDArray[np.int64]) -> TokenDataset:
    """The rows of these numbers as a dataset of their own."""
    counts = dataset.lengths[rows]
    tokens = np.concatenate([dataset[int(row)][0] for row in rows])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return replace(dataset, tokens=tokens, offsets=offsets, labels=dataset.labels[rows], table=dataset.table.take(rows))


def cut(dataset: TokenDataset, longest: int) -> TokenDataset:
    """The first tokens of every row."""
    counts = np.minimum(dataset.lengths, longest)
    tokens = np.concatenate([dataset[row][0][:longest] for row in range(len(dataset))])
    return replace(dataset, tokens=tokens, offsets=np.concatenate([[0], np.cumsum(counts)]))


def comparisons(dataset: TokenDataset, device: torch.device) -> dict[str, Measure]:
    """Everything that is measured, by name: whole rows beside the first try, the kinds on the first `SHORT` tokens."""
    short = cut(dataset, SHORT)
    half = "bf16"
    kinds = {kind: {"kind": kind} for kind in ("lstm", "gru", "transformer")}
    strided = {"stem": 64, "stem_stride": 2}
    found: dict[str, Measure] = {
        "first try, padded": partial(first_try, dataset, device, packed=False),
        "first try, packed": partial(first_try, dataset, device, packed=True),
    }
    found["lstm"] = partial(ours, dataset, device, {}, {})
    found |= {f"{kind}, short": partial(ours, short, device, model, {}) for kind, model in kinds.items()}
    found |= {
        f"{kind}, short, stem of stride 2": partial(ours, short, device, {**model, **strided}, {})
        for kind, model in kinds.items()
    }
    found |= {f"lstm, short, batch {batch}": partial(ours, short, device, {}, {"batch": batch}) for batch in (8, 128)}
    found |= {
        f"{kind}, short, {half}": partial(ours, short, device, model, {"precision": half})
        for kind, model in kinds.items()
    }
    return found


def on_ray(directory: Path, threads: int) -> dict[str, float]:
    """One worker of Ray Train beside the bare loop, over the whole train split: medians of epochs after the first."""
    model = ModelConfig.model_validate(PLAIN)
    training = TrainingConfig(epochs=4, batch=BATCH, learning_rate=1e-3)
    split, validation = TokenDataset.open(directory, "train"), TokenDataset.open(directory, "validation")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = loop.start(models.fresh(model, split.tokenizer, 0).to(device), training, device)
    loop.fit(state, split, validation, training, Alone(), device)
    import ray

    connection.quieten()
    ray.init(
        address="local", num_cpus=threads, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(model, training, directory, Path(folder, "run"), Silent(), {})
    ray.shutdown()
    records = {"bare loop": state.records, "Ray Train": bundle.config["records"]}
    speeds = {
        name: statistics.median(record["tokens_per_second"] for record in some[1:]) for name, some in records.items()
    }
    return {**speeds, "Ray over bare": round(speeds["Ray Train"] / speeds["bare loop"], 3)}


def main() -> None:
    """Measure in turns and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    given = parser.parse_args()
    connection.prepare_environment(verbose=False)
    torch.set_num_threads(given.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    dataset = first_rows(TokenDataset.open(given.dataset, "train"), given.rows)
    measures = {key: one for key, one in comparisons(dataset, device).items() if not given.only or key in given.only}
    results: dict[str, list[dict[str, float]]] = {key: [] for key in measures}
    for _ in range(given.repeats):
        for key, measure in measures.items():
            results[key].append(measure())
            print(f"{key}: {results[key][-1]['tokens_per_second']:,.0f} tokens/s", flush=True)
    medians = {
        key: {figure: round(statistics.median(one[figure] for one in some), 4) for figure in some[0]}
        for key, some in results.items()
    }
    document: dict[str, Any] = {
        "device": name,
        "threads": given.threads,
        "rows": len(dataset),
        "tokens": len(dataset.tokens),
        "sequences a step": BATCH,
        "measured": medians,
    }
    if {"first try, padded", "first try, packed", "lstm"} <= set(medians):
        fastest = max(medians[f"first try, {how}"]["tokens_per_second"] for how in ("padded", "packed"))
        document["lstm over the faster first try"] = round(medians["lstm"]["tokens_per_second"] / fastest, 2)
    if not given.only:
        document["one worker"] = on_ray(given.dataset, given.threads)
    target = HERE / "results" / f"training-{name.replace(' ', '-').lower()}.json"
    target.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
