"""Checks a machine with a GPU, NVIDIA or AMD: its devices, the tests that need one, and GPU-only code paths.

    python benchmarks/gpu.py [--device cuda] [--repeats 20]

Prints one table and writes it to benchmarks/results/gpu-DEVICE.json. `--device cpu` runs the timings in small without a
GPU, writes nothing, and shows that the script works.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence

from pipelines.errors import ResourceError
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.engine import loop
from training.hardware import devices
from training.hardware.gpus import build, hardware
from training.models.attention import Packed, Padded
from training.models.positions import Positions
from training.models.recurrent import CELLS, Layout, Recurrent

HERE = Path(__file__).parent
KINDS = ("lstm", "gru", "transformer")
PRECISIONS = ("fp32", "bf16", "fp16")
Row = tuple[str, str]


def inventory(device: torch.device) -> list[Row]:
    """What the machine, torch and Ray see."""
    torch_build = build()
    rows = [("hardware", str(hardware())), ("torch", f"{torch_build.version}, reaches {torch_build.usable} GPUs")]
    for number in range(torch_build.usable):
        about = torch.cuda.get_device_properties(number)
        rows.append((f"GPU {number}", f"{about.name}, {about.total_memory / 2**30:.0f} GiB"))
    rows += [(name, os.environ[name]) for name in sorted(os.environ) if name.endswith("VISIBLE_DEVICES")]
    if device.type == "cuda":
        import ray

        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        rows.append(("Ray sees", f"{ray.cluster_resources().get('GPU', 0):g} GPUs"))
        ray.shutdown()
    return rows


def tests() -> list[Row]:
    """Run every test marked gpu: counts by outcome, and the names of those that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", "-q", f"--junitxml={report}"]
        subprocess.run(command, cwd=HERE.parent, check=False)
        cases = list(ElementTree.parse(report).iter("testcase"))
    outcomes = {case.get("name", ""): next((child.tag for child in case), "passed") for case in cases}
    counts = Counter(outcomes.values())
    rows = [("tests", ", ".join(f"{count} {how}" for how, count in sorted(counts.items())) or "none")]
    return rows + [(name, how) for name, how in outcomes.items() if how in ("failure", "error")]


def milliseconds(work: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Median time of a piece of work, after three runs to warm up."""
    times = []
    for number in range(repeats + 3):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= 3:
            times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def positions(device: torch.device, rows: int, longest: int, width: int) -> Positions:
    """Random vectors of rows whose lengths spread evenly from an eighth of the longest on, longest first."""
    lengths = torch.linspace(longest, longest // 8, rows).long()
    mask = torch.arange(longest) < lengths[:, None]
    states = torch.randn(rows, longest, width) * mask[..., None]
    return Positions(states.to(device), mask.to(device), lengths.to(device), lengths.numpy())


def both_ways(forward: Callable[..., Tensor], *inputs: Any) -> None:
    """Run forward, and backward of the sum of the output."""
    forward(*inputs).float().sum().backward()  # type: ignore[no-untyped-call]


def attention(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Forward and backward of attention, 8 heads of 64, padded and packed."""
    batch = positions(device, rows, longest, 8)
    timed = []
    for half in (torch.bfloat16, torch.float16):
        vectors = [torch.randn(rows, longest, 8, 64, device=device, dtype=half, requires_grad=True) for _ in range(3)]
        for window in (0, 128):
            name = f"attention, {str(half).removeprefix('torch.')}, {f'window {window}' if window else 'all positions'}"
            padded, packed = Padded(batch, window), Packed(batch, window)
            spent = milliseconds(partial(both_ways, padded.attend, *vectors), device, repeats)
            text = f"padded {spent:.2f} ms"
            if Packed.is_available(vectors[0], 64):
                flat = [vector.detach()[batch.mask].requires_grad_() for vector in vectors]
                spent = milliseconds(partial(both_ways, packed.attend, *flat), device, repeats)
                text += f", packed {spent:.2f} ms"
            timed.append((name, text))
    return timed


def recurrent(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Forward and backward of one layer in two directions in either layout, and of the library's own network."""
    batch = positions(device, rows, longest, 64)
    counts, timed = batch.lengths.cpu(), []
    for kind in ("lstm", "gru"):
        body = Recurrent(ModelConfig.model_validate({"kind": kind, "hidden": 64}), 64).to(device)
        texts = []
        for layout in get_args(Layout):
            body.layout = layout
            spent = milliseconds(partial(both_ways, lambda body: body(batch).states, body), device, repeats)
            texts.append(f"{layout} {spent:.2f} ms")
        library = CELLS[kind](64, 64, bidirectional=True, batch_first=True).to(device)
        packed = pack_padded_sequence(batch.states, counts, batch_first=True)
        spent = milliseconds(
            partial(both_ways, lambda network, inputs: network(inputs)[0].data, library, packed), device, repeats
        )
        timed.append((f"{kind}, 64 both ways", f"{', '.join(texts)}, the library's packed {spent:.2f} ms"))
    return timed


def steps(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Whole training steps of each kind and precision, and their peak of memory."""
    tokenizer = Tokenizer(6, 1, "anchor")
    counts = np.linspace(longest, longest // 8, rows).astype(np.int64)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(2, tokenizer.vocabulary_size, int(counts.sum())))
    batch = TokenBatch(tokens, torch.from_numpy(counts), torch.from_numpy(np.arange(rows) % 2).float(), counts)
    timed = []
    for kind in KINDS:
        for precision in PRECISIONS:
            config = TrainingConfig.model_validate({"precision": precision})
            model = ModelConfig.model_validate({"kind": kind, "hidden": 128, "embedding": 64})
            state = loop.start(models.fresh(model, tokenizer, 0).to(device), config, device)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            spent = milliseconds(partial(step, state, batch, config, device), device, repeats)
            text = f"{spent:.2f} ms a step, {1e3 * counts.sum() / spent:,.0f} tokens/s"
            if device.type == "cuda":
                text += f", {torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MiB"
            timed.append((f"{kind}, {precision}", text))
    return timed


def step(state: loop.State, batch: TokenBatch, config: TrainingConfig, device: torch.device) -> None:
    """One optimizer step."""
    state.optimizer.zero_grad(set_to_none=True)
    on_device = batch.to(device)
    with state.precision.autocast():
        logits = state.model(on_device)
    state.precision.backward(binary_cross_entropy_with_logits(logits, on_device.labels))
    state.precision.step(state.optimizer, state.model, config.max_grad_norm)


def main() -> None:
    """Check, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    try:
        device = torch.device(devices.require(arguments.device))
    except ResourceError as error:
        parser.error(f"{error.problem}; --device cpu runs the timings in small")
    rows = inventory(device)
    if device.type == "cuda":
        devices.check_computes(device)
        rows += tests()
    else:
        torch.set_num_threads(1)
    torch.manual_seed(0)
    size = (32, 2048) if device.type == "cuda" else (4, 128)
    for measure in (attention, recurrent, steps):
        rows += measure(device, arguments.repeats, *size)
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device).replace(" ", "-").lower()
        (HERE / "results" / f"gpu-{name}.json").write_text(json.dumps(dict(rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
