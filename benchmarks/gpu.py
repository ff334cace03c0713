"""Checks a machine with a GPU, NVIDIA or AMD: its devices, the tests that need one, and GPU-only code paths.

    python benchmarks/gpu.py [--device cuda] [--repeats 20] [--without-tests] [--results FOLDER]

Prints one line of JSON for each check as soon as it is done, and writes all of them to gpu-DEVICE.json in the folder
--results, by default benchmarks/results. `--device cpu` runs the checks in small without a GPU, writes nothing, and
shows that the script works.
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
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.process.options import at_least, parse
from pipelines import storage
from pipelines.errors import ResourceError
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.engine import loop
from training.engine.precision import TYPES
from training.hardware import allocator, devices
from training.hardware.gpus import build, hardware
from training.inference.scorer import ModelScorer
from training.models.attention import Packed, Padded
from training.models.positions import Positions
from training.models.recurrent import Layout, Recurrent, cells
from training.models.recurrent.cells import CELLS

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


def formats(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """The format that recurrent layers compute in for each requested, and whether weights are copied again."""
    states = torch.randn(longest, rows, 64, device=device, requires_grad=True)
    checked = []
    for name, asked in TYPES.items():
        for kind, cell_of in CELLS.items():
            ahead, back = cell_of(64, 64).to(device), cell_of(64, 64).to(device)
            with warnings.catch_warnings(record=True) as caught, torch.autocast(device.type, asked):
                warnings.simplefilter("always")
                output = cells.run(ahead, states)
                both = cells.run_both(ahead, back, states)
            (output.float().sum() + both.float().sum()).backward()  # type: ignore[no-untyped-call]
            computed = str(cells.computed_type(ahead, device, asked)).removeprefix("torch.")
            gradients = {str(weight.grad.dtype).removeprefix("torch.") for weight in ahead.parameters()}  # type: ignore[union-attr]
            copies = sum("contiguous chunk" in str(warning.message) for warning in caught)
            text = f"computed in {computed}, gradients in {', '.join(gradients)}, {copies} warnings of copied weights"
            checked.append((f"{kind}, {name} requested", text))
    return checked


def segments(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Whether segments grow, and what the allocator holds beyond tensors after batches of many lengths."""
    if device.type != "cuda":
        return [("segments of memory", "of a GPU alone")]
    body = Recurrent(ModelConfig.model_validate({"kind": "lstm", "hidden": 256}), 64).to(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    for number in range(repeats):
        both_ways(lambda batch: body(batch).states, positions(device, rows, longest - 37 * number, 64))
    peaks = (torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device))
    grow = {bool(segment.get("is_expandable")) for segment in torch.cuda.memory_snapshot()}
    used, taken = (peak / 2**20 for peak in peaks)
    return [("segments of memory", f"grow: {grow}; tensors {used:,.0f} MiB, taken {taken:,.0f} MiB")]


def products(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Products of square matrices in fp32, TF32 and bf16."""
    size = longest * 2
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    backend, timed = torch.backends.cuda.matmul, []
    before = backend.fp32_precision
    for name, precision, dtype in (
        ("fp32", "ieee", torch.float32),
        ("TF32", "tf32", torch.float32),
        ("bf16", "ieee", torch.bfloat16),
    ):
        backend.fp32_precision = precision
        spent = milliseconds(partial(torch.matmul, left.to(dtype), right.to(dtype)), device, repeats)
        timed.append((f"products, {name}", f"{2 * size**3 / spent / 1e9:,.1f} TFLOP/s"))
    backend.fp32_precision = before
    return timed


def scored(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Windows scored by the default model in batches of a training step's size, and of what the memory holds."""
    tokenizer, generator = Tokenizer(6, 3, "anchor"), np.random.default_rng(0)
    model = models.make(ModelConfig(), tokenizer.vocabulary_size).eval()
    windows = 64 * rows
    codes, lengths = generator.integers(0, 4, windows * 512).astype(np.uint8), np.full(windows, 512, np.int64)
    texts = []
    for name, budget in (("16,384 tokens", 16_384), ("as memory allows", None)):
        scorer = ModelScorer(model, tokenizer, budget).to(device)
        spent = milliseconds(partial(scorer, codes, lengths), device, max(1, repeats // 5))
        texts.append(f"{name}: {1e3 * len(codes) / spent:,.0f} bases/s")
    return [("windows of 512 scored", "; ".join(texts))]


def one_call(device: torch.device, repeats: int, rows: int, longest: int) -> list[Row]:
    """Two directions of equally long rows in one call of the library and in two, forward and backward."""
    states = torch.randn(longest, rows, 64, device=device)
    timed = []
    for kind, cell_of in CELLS.items():
        ahead, back = cell_of(64, 64).to(device), cell_of(64, 64).to(device)

        def two_calls(states: Tensor, ahead: cells.Cell = ahead, back: cells.Cell = back) -> Tensor:
            return torch.cat([cells.run(ahead, states), cells.run(back, states.flip(0)).flip(0)], dim=2)

        together = partial(cells.run_both, ahead, back)
        difference = float((together(states) - two_calls(states)).detach().abs().max())
        spent = [milliseconds(partial(both_ways, way, states), device, repeats) for way in (together, two_calls)]
        text = f"one call {spent[0]:.2f} ms, two {spent[1]:.2f} ms, largest difference {difference:.1e}"
        timed.append((f"{kind}, both directions", text))
    return timed


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
    parser.add_argument("--repeats", type=at_least(1), default=20)
    parser.add_argument("--without-tests", action="store_true", help="leave out the tests marked gpu")
    arguments = parse(parser, HERE / "results", is_folder=True)
    try:
        device = torch.device(devices.require(arguments.device))
    except ResourceError as error:
        parser.error(f"{error.problem}; --device cpu runs the timings in small")
    rows = []
    for name, text in checks(device, arguments.repeats, with_tests=not arguments.without_tests):
        rows.append((name, text))
        print(json.dumps({"check": name, "result": text}), flush=True)
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device).replace(" ", "-").lower()
        storage.write_json(arguments.results / f"gpu-{name}.json", dict(rows))


def checks(device: torch.device, repeats: int, *, with_tests: bool) -> Iterator[Row]:
    """All checks, the quick ones first; one that fails is a result, and the others go on."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        allocator.let_segments_grow()
        devices.check_computes(device)
    else:
        torch.set_num_threads(1)
    torch.manual_seed(0)
    size = (32, 2048) if on_gpu else (4, 128)
    yield from inventory(device)
    for measure in MEASURES:
        try:
            yield from measure(device, repeats, *size)
        except (RuntimeError, AssertionError) as error:
            yield (measure.__name__, f"failed: {' '.join(str(error).split())[:200]}")
    if on_gpu and with_tests:
        yield from tests()


MEASURES: tuple[Callable[[torch.device, int, int, int], list[Row]], ...] = (
    segments,
    products,
    formats,
    one_call,
    scored,
    recurrent,
    attention,
    steps,
)


if __name__ == "__main__":
    main()
