from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ResourceError
from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig, TrainingConfig
from training.memory.analysis import HEADER, analyse, bases, device_to_plan_for
from training.splits import open_splits

GIB = 2**30
MODEL = ModelConfig(embedding=8, hidden=8, stem=8)


def test_the_longest_sequence_of_the_splits_that_training_reads_is_named(dataset: Path) -> None:
    analysis = analyse(MODEL, TrainingConfig(), dataset, GIB, "cpu")
    splits = open_splits(dataset)
    assert analysis.longest.tokens == max(int(split.lengths.max()) for split in splits) == analysis.plan.longest
    assert analysis.longest.split in {"train", "validation"}
    assert analysis.longest.interval.startswith("toy:chr1:0-")


def test_the_json_has_what_the_table_shows(dataset: Path) -> None:
    analysis = analyse(MODEL, TrainingConfig(), dataset, GIB, "cpu")
    figures = analysis.to_json()
    names = [row[0] for row in analysis.rows()]
    assert names[-1] == "peak"
    assert {len(row) for row in analysis.rows()} == {len(HEADER)}
    assert all(figures[f"largest_{name}"] > 0 for name in names[:-1])
    assert figures["predicted_largest"] == analysis.plan.full.peak
    assert figures["probed_longest"] is None


def test_a_requested_size_is_that_of_a_remote_gpu_unless_its_kind_is_stated() -> None:
    device = device_to_plan_for(TrainingConfig(workers=2), 24 * GIB, None)
    assert (device.kind, device.size, device.is_local) == ("cuda", 24 * GIB, False)


def test_workers_share_the_memory_of_a_machine_but_not_of_a_gpu() -> None:
    shared, own = (device_to_plan_for(TrainingConfig(workers=4), 8 * GIB, kind).size for kind in ("cpu", "cuda"))
    assert shared == 2 * GIB
    assert own == 8 * GIB


def test_this_machines_device_is_local() -> None:
    device = device_to_plan_for(TrainingConfig(device="cpu"), None, None)
    assert (device.kind, device.is_local) == ("cpu", True)


def test_a_precision_that_the_device_does_not_compute_in_is_refused(dataset: Path) -> None:
    with pytest.raises(ResourceError, match="fp16"):
        analyse(MODEL, TrainingConfig(precision="fp16"), dataset, GIB, "cpu")


def test_a_number_of_tokens_is_that_many_strides_of_bases() -> None:
    tokenizer = Tokenizer(6, 3, "drop")
    assert [bases(tokenizer, tokens) for tokens in (1, 2, 10)] == [6, 9, 33]
