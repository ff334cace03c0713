"""What it costs to open a large split, to plan an epoch of it, to inspect it, and to evaluate on it.

    python benchmarks/opening.py [plan] [decode] [inspect] [evaluate] [stretch] [--rows 10000000] [--tokens 200000000]
        [--datasets ROWSxTOKENS …] [--results FILE]

Each figure is of a process of its own: CPU and wall seconds of a plan, the second in its process, and how much memory
the process takes at most beyond what it took before. `loop` is the same plan as a loop over windows of rows. Figures go
to --results, by default benchmarks/results/opening.json. `decode` opens a split for the first time, with one thread and
with one for each CPU of this process. `inspect` inspects datasets, and `evaluate` scores and compares a small model on
their test split and writes its mistakes and predictions. The first two datasets have the same number of rows, one of
them five times as many tokens; the third has four times as many rows (`--datasets 200000x40 200000x200 800000x40`: rows
of train, and tokens of each). `stretch` counts what the labels of stretches of a fifth of the tokens, and of all of
them, hold. The memory of these three is that of the process alone: pages of mapped files, which the system takes back
when it needs them, do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.process.options import at_least, parse
from benchmarks.process.results import read_results
from pipelines import fingerprint, schema, storage
from pipelines.audit import inspection
from pipelines.build import encode_tokens
from pipelines.config import DatasetConfig, validate
from pipelines.dataset import row_groups
from pipelines.dataset.manifest import FORMAT, sealed_text
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.structure import states, statistics
from pipelines.structure.states import CDS_0
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.bundle.bundle import Bundle
from training.config import ModelConfig
from training.data.step_plan import WINDOW, plan_epoch
from training.evaluation import predictions
from training.evaluation.recognition import evaluate, mistakes

RESULTS = Path(__file__).parent / "results" / "opening.json"
BATCHES, TOKEN_BUDGET = (64, 8, 1), 65_536
ROW_TOKENS, PART_ROWS = 1_000, 20_000
# Of twice the rows that the k-mer regression takes at most.
DATASETS = ("200000x40", "200000x200", "800000x40")
Figures = dict[str, Any]


def obvious_plan(lengths: NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The same steps as those of `plan_epoch`, a NumPy call or two for each window and step."""
    generator = np.random.default_rng(fingerprint.seed(seed, "epoch", epoch))
    order = generator.permutation(len(lengths))
    steps = []
    for first in range(0, len(order), batch * WINDOW):
        window = order[first : first + batch * WINDOW]
        window = window[np.argsort(-lengths[window], kind="stable")]
        steps += [window[start : start + batch] for start in range(0, len(window), batch)]
    return [steps[number] for number in generator.permutation(len(steps))]


def plan(kind: str, rows: int, batch: int) -> Figures:
    """Plan two epochs, and measure the second."""
    planned: Callable[..., Sequence[NDArray[np.int64]] | Any] = obvious_plan if kind == "loop" else plan_epoch
    lengths = np.random.default_rng(0).integers(1, 60_000, rows)
    before = peak_mb()
    planned(lengths, batch, 0, 0)
    cpu, wall = time.process_time(), time.perf_counter()
    steps = len(planned(lengths, batch, 0, 1))
    return {
        "plan": kind,
        "rows": rows,
        "batch": batch,
        "steps": steps,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "seconds": round(time.perf_counter() - wall, 2),
        "peak_mb": round(peak_mb() - before),
    }


def decode(folder: str, threads: int) -> Figures:
    """Open a split for the first time."""
    row_groups.thread_count = lambda: threads  # type: ignore[assignment]
    os.environ["RAYGENE_CACHE"] = tempfile.mkdtemp(dir=folder)
    before = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    tokens = len(TokenDataset.open(folder, "train").tokens)
    figures = {
        "threads": threads,
        "tokens": tokens,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "seconds": round(time.perf_counter() - wall, 2),
        "peak_mb": round(peak_mb() - before),
    }
    shutil.rmtree(os.environ["RAYGENE_CACHE"])
    return figures


def inspect(folder: str) -> Figures:
    """Inspect a dataset whose splits are decoded."""
    size = opened_size(folder)
    with measured() as figures:
        inspection.inspect(Path(folder))
    return size | figures


def evaluate_model(folder: str) -> Figures:
    """Evaluate a model on a dataset whose splits are decoded, as the verb does but for its page."""
    size, tokenizer = opened_size(folder), Tokenizer.load(Path(folder))
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    model = models.fresh(config, tokenizer, 0).eval()
    about = {"task": "recognise", "threshold": 0.5, "dataset": {"fingerprint": "of another dataset"}}
    bundles = {"model": Bundle(model, tokenizer, about)}
    with measured() as figures:
        evaluation = evaluate(bundles, Path(folder), "test", TOKEN_BUDGET)
        mistakes.write(evaluation, Path(folder) / "mistakes.bed")
        predictions.write(evaluation, Path(folder) / "predictions.tsv")
    return size | {"mistakes": sum(mistakes.count(evaluation.dataset, evaluation.models[0]).values())} | figures


def opened_size(folder: str) -> Figures:
    """Rows and tokens of a dataset, all splits of which are decoded then."""
    os.environ["RAYGENE_CACHE"] = str(Path(folder) / "cache")
    splits = [TokenDataset.open(folder, split) for split in ("train", "validation", "test")]
    return {"rows": sum(map(len, splits)), "tokens": sum(len(split.tokens) for split in splits)}


def stretch(folder: str, bases: int) -> Figures:
    """Count what the labels of a stretch hold: a gene of 900 bases in every 3,000, on either strand."""
    gene = np.tile(np.array([CDS_0, CDS_0 + 1, CDS_0 + 2], np.uint8), 300)
    strand = np.concatenate([np.zeros(2100, np.uint8), gene])
    turned = states.pack(np.zeros(3000, np.uint8), strand[::-1])
    unit = np.concatenate([states.pack(strand, np.zeros(3000, np.uint8)), turned])
    path = Path(folder) / f"states-{bases}"
    np.tile(unit, bases // len(unit)).tofile(path)
    packed = np.memmap(path, np.uint8, "r")
    with measured() as figures:
        statistics.of_pieces(packed, lambda start, end: np.zeros(end - start, np.uint8))
    return {"bases": len(packed)} | figures


@contextmanager
def measured() -> Iterator[Figures]:
    """Seconds of a block, and how far its process grows, pages of mapped files apart."""
    figures: Figures = {}
    ended, before = threading.Event(), own_mb()
    most = [before]

    def watch() -> None:
        while not ended.wait(0.02):
            most[0] = max(most[0], own_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield figures
        figures["cpu_seconds"] = round(time.process_time() - cpu, 2)
        figures["seconds"] = round(time.perf_counter() - wall, 2)
    finally:
        # A process waits for its threads: after an error it would never end.
        ended.set()
        watcher.join()
    figures["growth_mb"] = round(most[0] - before)


def own_mb() -> float:
    """Memory of this process, pages of mapped files apart."""
    return _status_mb("RssAnon")


def write_dataset(folder: Path, train_rows: int, row_tokens: int) -> None:
    """Write a dataset of random tokens in rows of one length; validation and test have a tenth of the rows of train."""
    tokenizer, generator = Tokenizer(3, 1, "anchor"), np.random.default_rng(0)
    files, counts, first = [], [], 0
    for split, share in (("train", 1.0), ("validation", 0.1), ("test", 0.1)):
        count = max(round(train_rows * share), 2)
        for part, begin in enumerate(range(0, count, PART_ROWS)):
            rows = rows_of(generator, first + begin, min(PART_ROWS, count - begin), row_tokens)
            files.append(encode_tokens.write_part(rows, folder, f"split={split}/part-{part:05d}.parquet", tokenizer))
        first += count
        counts += [
            {"genome": "random", "chromosome": "chr", "split": split, "label": label, "rows": count // 2}
            | {"source": "gene" if label else "shuffle"}
            for label in (0, 1)
        ]
    tokenizer.save(folder)
    source = {"genome": "random", "fasta": "random.fa", "annotation": "random.gff3"}
    config = validate(DatasetConfig, {"sources": [source], "tokenizer": {"k": 3, "stride": 1}}, "random")
    genes = {"annotated": first, "usable": first, "kept": first, "negatives": first, "shortened": 0}
    position = {"genome": "random", "chromosome": "chr", "start": 0, "end": row_tokens + 2}
    manifest = {
        "format": FORMAT,
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": fingerprint.of_value([train_rows, row_tokens]),
        "config": config.model_dump(mode="json"),
        "counts": counts,
        "dropped": {},
        "files": files,
        "genes": {"random": genes},
        "inputs": [],
        "longest": {"bases": row_tokens + 2, **position, "strand": "+", "interval_id": 0},
        "tokenizer": {"fingerprint": tokenizer.fingerprint, **tokenizer.parameters, "size": tokenizer.vocabulary_size},
        "versions": {},
    }
    (folder / "manifest.json").write_text(sealed_text(manifest))


def rows_of(generator: np.random.Generator, first: int, count: int, row_tokens: int) -> pa.Table:
    """Rows of random tokens, genes and negatives in turn."""
    ids = pa.array(generator.integers(3, 67, count * row_tokens, dtype=np.uint16))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * row_tokens)
    numbers = np.arange(first, first + count)
    return pa.table(
        {
            "interval_id": numbers,
            "genome": ["random"] * count,
            "chromosome": ["chr"] * count,
            "start": numbers * 2 * row_tokens,
            "end": numbers * 2 * row_tokens + row_tokens + 2,
            "strand": ["+"] * count,
            "label": pa.array((numbers % 2), pa.int8()),
            "source": ["gene" if number % 2 else "shuffle" for number in range(first, first + count)],
            "gene_id": [f"gene{number}" for number in range(first, first + count)],
            "biotype": pa.nulls(count, pa.string()),
            "tokens": pa.ListArray.from_arrays(offsets, ids),
            "token_count": pa.array([row_tokens] * count, pa.int32()),
            **{name: generator.random(count, np.float32) for name in ("gc", "soft_masked_share")},
            "unknown_share": np.zeros(count, np.float32),
        }
    )


def peak_mb() -> float:
    """The most memory that this process has had so far, pages of mapped files included."""
    # What `getrusage` gives begins with the peak of the process that started this one.
    return _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


PARTS: dict[str, Callable[..., Figures]] = {
    "plan": plan,
    "decode": decode,
    "inspect": inspect,
    "evaluate": evaluate_model,
    "stretch": stretch,
}


def in_own_process(part: str, *arguments: object) -> Figures:
    """The figures of a part, measured in a new process."""
    command = [sys.executable, __file__, "--measure", part, *map(str, arguments)]
    figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(part, figures, flush=True)
    return figures


def main() -> None:
    """Measure the parts, and store their figures beside those of other parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rows", type=at_least(1), default=10_000_000)
    parser.add_argument("--tokens", type=int, default=200_000_000)
    parser.add_argument(
        "--datasets", nargs="+", default=DATASETS, metavar="ROWSxTOKENS", help="to inspect and evaluate"
    )
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    arguments = parse(parser, RESULTS)
    if arguments.measure:
        part, *values = arguments.measure
        print(json.dumps(PARTS[part](*(int(value) if value.isdecimal() else value for value in values))))
        return
    target = arguments.results
    document = read_results(target)
    if "plan" in arguments.parts:
        turns = [("loop", BATCHES[0]), *(("plan_epoch", batch) for batch in BATCHES)]
        document["plan"] = [in_own_process("plan", kind, arguments.rows, batch) for kind, batch in turns]
    with tempfile.TemporaryDirectory() as name:
        if "decode" in arguments.parts:
            write_dataset(Path(name), arguments.tokens // ROW_TOKENS, ROW_TOKENS)
            counts = (1, row_groups.thread_count()) * 2
            document["decode"] = [in_own_process("decode", name, threads) for threads in counts][2:]
        if "stretch" in arguments.parts:
            sizes = (arguments.tokens // 5, arguments.tokens)
            document["stretch"] = [in_own_process("stretch", name, bases) for bases in sizes]
        inspected: dict[str, list[Figures]] = {part: [] for part in ("inspect", "evaluate") if part in arguments.parts}
        for size in arguments.datasets if inspected else ():
            rows, row_tokens = map(int, size.split("x"))
            folder = Path(name) / size
            folder.mkdir()
            write_dataset(folder, rows, row_tokens)
            for part, figures in inspected.items():
                figures.append(in_own_process(part, folder))
        document |= inspected
    storage.write_json(target, document)


if __name__ == "__main__":
    main()
