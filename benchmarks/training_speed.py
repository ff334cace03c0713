"""Useful tokens a second of training, compared with a baseline loop; padding, waiting, kinds, precisions and batches.

    python benchmarks/training_speed.py --dataset DIR [--rows 6000] [--repeats 3] [--threads 2] [--only NAME …]
        [--results FOLDER]
    python benchmarks/training_speed.py --fasta FASTA --annotation GFF3        # builds the dataset: whole genes, 3-mers

The baseline is the loop everybody writes first: it takes random batches of 32, pads or packs them, and reads the loss
back every step. Both train the same network on the same rows with as many sequences a step, may use as many threads,
and run in a process of their own. Repeats take turns; after every turn the medians of all so far, and how many turns
these are, go to training-DEVICE.json in the folder --results, by default benchmarks/results. Slow cases take fewer
rows; `bare loop` and `one Ray worker` take all of the train split, whatever --rows says: a small dataset is quick.
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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from benchmarks.process.commands import raygene
from benchmarks.process.options import at_least, parse
from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import layout, loop
from training.engine.collective import Alone
from training.observability import journal
from training.observability.runlog import METRICS

HERE = Path(__file__).parent
BATCH = 32
SHORT = 512
PLAIN = {"stem": 0, "pooling": "mean", "dropout": 0.0, "embedding": 32, "hidden": 32}
KINDS = ("lstm", "gru", "transformer")
Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A case to measure.

    Attributes:
        side: `ours`, `bare` (several epochs of ours), `ray` (the same on one worker), or a
            baseline, `padded` or `packed`.
        model: keys of the model in addition to those of `PLAIN`.
        training: keys of the optimisation.
        rows: of the dataset; None: all that are measured.
        longest: tokens of a row that are used, from its start; None: all.
        threads: the threads it may use; None: `--threads`.
    """

    side: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    rows: int | None = None
    longest: int | None = None
    threads: int | None = None


def cases(gpu: bool) -> dict[str, Case]:
    """Everything that is measured, by name."""
    few = None if gpu else 32
    named = {
        "baseline, padded": Case("padded"),
        "baseline, packed": Case("packed", rows=few),
        "baseline, padded, one thread": Case("padded", threads=1),
        "baseline, packed, one thread": Case("packed", rows=few, threads=1),
        "lstm": Case("ours"),
        "lstm, packed": Case("ours", training={"layout": "packed"}, rows=few),
        "bare loop": Case("bare"),
        "one Ray worker": Case("ray"),
    }
    for kind in KINDS:
        rows = None if gpu or kind == "lstm" else 600
        named[f"{kind}, short"] = Case("ours", {"kind": kind}, rows=rows, longest=SHORT)
        named[f"{kind}, short, bf16"] = Case("ours", {"kind": kind}, {"precision": "bf16"}, rows, longest=SHORT)
        if gpu:
            named[f"{kind}, short, fp16"] = Case("ours", {"kind": kind}, {"precision": "fp16"}, longest=SHORT)
        named[f"{kind}, short, stem of stride 2"] = Case("ours", {"kind": kind, "stem": 64}, rows=rows, longest=SHORT)
    for batch in (8, 128, 512):
        named[f"lstm, short, batch {batch}"] = Case("ours", training={"global_batch_size": batch}, longest=SHORT)
    if gpu:
        wide = {"embedding": 256, "hidden": 512, "layers": 4, "heads": 8}
        for kind in ("lstm", "transformer"):
            named[f"{kind}, short, wide, bf16"] = Case(
                "ours", {"kind": kind, **wide}, {"precision": "bf16", "global_batch_size": 512}, longest=SHORT
            )
    return named


class Baseline(nn.Module):
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


def run_baseline(dataset: TokenDataset, device: torch.device, *, packed: bool) -> Figures:
    """An epoch of random batches, the loss read back every step."""
    torch.manual_seed(0)
    model = Baseline(dataset.tokenizer.vocabulary_size, packed=packed).to(device)
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
    tokens = len(dataset.tokens)
    return {"tokens_per_second": tokens / seconds, "padding_share": 1 - tokens / padded_tokens}


def ours(dataset: TokenDataset, device: torch.device, case: Case, epochs: int) -> Figures:
    """The epochs of the loop after the first, without Ray: their median."""
    config = TrainingConfig.model_validate(
        {"global_batch_size": BATCH, "learning_rate": 1e-3, **case.training, "epochs": epochs}
    )
    network = models.fresh(ModelConfig.model_validate({**PLAIN, **case.model}), dataset.tokenizer, 0).to(device)
    layout.set_layout(network, config, dataset)
    state = loop.start(network, config, device)
    loop.fit(state, dataset, first_rows(dataset, 64), config, Alone(), device)
    return medians(state.records[1:])


def on_ray(directory: Path, threads: int, epochs: int) -> Figures:
    """The same as `ours` on one worker of Ray Train, over the whole train split."""
    import logging

    import ray

    from cluster import connection
    from pipelines.progress import Silent
    from training.distributed.train import train

    connection.silence_ray()
    ray.init(
        address="local", num_cpus=threads, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    training = TrainingConfig(epochs=epochs, global_batch_size=BATCH, learning_rate=1e-3)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run")
        train(ModelConfig.model_validate(PLAIN), training, directory, output, Silent(), {})
        records = journal.read(output / METRICS)
    ray.shutdown()
    return medians(records[1:])


def medians(records: Sequence[dict[str, Any]]) -> Figures:
    """Of each figure of some epochs."""
    names = ("tokens_per_second", "padding_share", "wait_share")
    return {name: statistics.median(record[name] for record in records) for name in names}


def first_rows(dataset: TokenDataset, rows: int) -> TokenDataset:
    """Some rows of a dataset, both labels in equal parts as far as there are as many."""
    half = [np.flatnonzero(dataset.labels == label)[: rows // 2] for label in (0, 1)]
    return chosen(dataset, np.sort(np.concatenate(half)), None)


def chosen(dataset: TokenDataset, rows: NDArray[np.int64], longest: int | None) -> TokenDataset:
    """The rows of these numbers, or their first tokens, as a dataset of their own."""
    parts = [dataset[int(row)][0][:longest] for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    labels, table = dataset.labels[rows], dataset.table.take(rows)
    return replace(dataset, tokens=np.concatenate(parts), offsets=offsets, labels=labels, table=table)


def measure(case: Case, directory: Path, rows: int, threads: int) -> Figures:
    """One case in this process."""
    torch.set_num_threads(case.threads or threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if case.side == "ray":
        return on_ray(directory, threads, epochs=4)
    whole = TokenDataset.open(directory, "train")
    if case.side == "bare":
        return ours(whole, device, case, epochs=4)
    dataset = first_rows(whole, min(case.rows or rows, rows))
    dataset = chosen(dataset, np.arange(len(dataset)), case.longest)
    if case.side == "ours":
        return ours(dataset, device, case, epochs=2)
    return run_baseline(dataset, device, packed=case.side == "packed")


def apart(name: str, directory: Path, rows: int, threads: int) -> Figures:
    """One case in a process of its own; `ours` has the environment of raygene's workers."""
    from cluster.connection import environment
    from training.distributed.launching.launch import ENVIRONMENT

    is_baseline = name.startswith("baseline")
    variables = os.environ | ({} if is_baseline else environment(verbose=False) | ENVIRONMENT)
    command = [sys.executable, __file__, "--measure", name, "--dataset", str(directory)]
    command += ["--rows", str(rows), "--threads", str(threads)]
    finished = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"{name}: {finished.stderr[-2000:]}")
    figures: Figures = json.loads(finished.stdout.splitlines()[-1])
    return figures


def dense_limit(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product on the device, the best of ten."""
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(10):
        if device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def flops_a_token(model: ModelConfig, longest: int) -> float:
    """FLOP of forward and backward: products of the body, 2 a multiplication and addition, backward twice forward.

    Chowdhery et al. 2022 (PaLM), appendix B, for the transformer; positions are counted before a stem's stride.
    """
    width, positions = model.hidden, 1 / (model.stem_stride if model.stem else 1)
    if model.kind == "transformer":
        forward = model.layers * (24 * width**2 + 4 * width * longest * positions)
    else:
        gates, directions = {"lstm": 4, "gru": 3}[model.kind], 2 if model.bidirectional else 1
        entering = [model.stem or model.embedding] + [width * directions] * (model.layers - 1)
        forward = sum(directions * 2 * gates * width * (width + inputs) for inputs in entering)
    return 3 * forward * positions


def built(fasta: Path, annotation: Path, folder: Path) -> Path:
    """A dataset of whole genes, in 3-mers at every base."""
    experiment = folder / "experiment.yaml"
    source = {"genome": "genome", "fasta": str(fasta.absolute()), "annotation": str(annotation.absolute())}
    sections = {"sources": [source], "negatives": {"unplaced": "keep"}, "tokenizer": {"k": 3, "stride": 1}}
    experiment.write_text(json.dumps(sections))
    raygene("build", experiment, "--output", folder / "dataset", is_quiet=True)
    return folder / "dataset"


def report(results: dict[str, list[Figures]], arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """The document to store."""
    measured: dict[str, Any] = {
        name: {figure: round(statistics.median(turn[figure] for turn in turns), 4) for figure in turns[0]}
        for name, turns in results.items()
    }
    limits = {name: dense_limit(device, dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    by_name = cases(device.type == "cuda")
    for name, figures in measured.items():
        case, precision = by_name[name], by_name[name].training.get("precision", "fp32")
        if case.side in ("ours", "bare", "ray") and precision in limits and case.longest:
            model = ModelConfig.model_validate({**PLAIN, **case.model})
            share = figures["tokens_per_second"] * flops_a_token(model, case.longest) / limits[precision]
            figures["share_of_dense_limit"] = round(share, 4)
    document: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": arguments.threads,
        "rows": arguments.rows,
        "turns": min(map(len, results.values())),
        "sequences a step": BATCH,
        "dense_limit_gflops": {name: round(limit / 1e9, 1) for name, limit in limits.items()},
        "measured": measured,
    }
    speed = {name: figures["tokens_per_second"] for name, figures in measured.items()}
    baselines = [tokens for name, tokens in speed.items() if name.startswith("baseline")]
    if baselines and "lstm" in speed:
        document["lstm over the fastest baseline"] = round(speed["lstm"] / max(baselines), 2)
    if {"bare loop", "one Ray worker"} <= set(speed):
        document["one Ray worker over the bare loop"] = round(speed["one Ray worker"] / speed["bare loop"], 3)
    return document


def main() -> None:
    """Measure in turns and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--annotation", type=Path)
    parser.add_argument(
        "--rows", type=at_least(1), default=6000, help="of the train split, at most; few have more padding"
    )
    parser.add_argument("--repeats", type=at_least(1), default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the figures of some cases are printed, not stored")
    parser.add_argument("--measure", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parse(parser, HERE / "results", is_folder=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    by_name = cases(device.type == "cuda")
    if arguments.measure:
        print(json.dumps(measure(by_name[arguments.measure], arguments.dataset, arguments.rows, arguments.threads)))
        return
    if not arguments.dataset and not (arguments.fasta and arguments.annotation):
        parser.error("name a dataset with --dataset, or a genome with --fasta and --annotation")
    results: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = (arguments.dataset or built(arguments.fasta, arguments.annotation, Path(folder))).absolute()
        for _ in range(arguments.repeats):
            for name in arguments.only or by_name:
                results.setdefault(name, []).append(apart(name, directory, arguments.rows, arguments.threads))
                print(f"{name}: {results[name][-1]['tokens_per_second']:,.0f} tokens/s", flush=True)
            document = report(results, arguments, device)
            if not arguments.only:
                target = arguments.results / f"training-{document['device'].replace(' ', '-').lower()}.json"
                storage.write_json(target, document)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
