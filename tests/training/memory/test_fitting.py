"""What is fitted after training: what it adds to the process that was started, and whether it fits."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.audit.regression_size import most_bytes
from pipelines.dataset.token_dataset import TokenDataset
from tests.training.conftest import write_dataset
from training.config import ModelConfig, TrainingConfig
from training.memory.fitting import Fitting
from training.memory.plan import DoesNotFitError
from training.memory.validation import fitting_bytes

# As `raygene train` does it after its workers have ended.
FIT = """
import sys
from pathlib import Path

import training.distributed.train
from training.bundle import kmer_baseline
from training.memory.probe import resident_bytes
from training.splits import open_splits

splits = open_splits(Path(sys.argv[1]))
assert "sklearn" not in sys.modules
before = resident_bytes("VmRSS")
kmer_baseline.fitted(*splits)
print(resident_bytes("VmHWM") - before)
"""


@pytest.mark.full
def test_a_fit_in_a_process_that_has_not_imported_scikit_learn_takes_what_is_planned(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", rows=2_000, longest=600)
    done = subprocess.run([sys.executable, "-c", FIT, dataset], capture_output=True, text=True, check=True)
    assert 0.5 * most_bytes(2_000) < int(done.stdout) < most_bytes(2_000)


def of_decoder(base_channels: int = 32, windows: int = 500, **training: Any) -> Fitting:
    model = ModelConfig(
        kind="lstm", hidden=64, layers=2, stem=64, stem_width=9, stem_stride=9, base_channels=base_channels
    )
    lengths = np.full(windows, 9_999, dtype=np.int64)
    return Fitting(model, TrainingConfig(**training), lengths, 67, "structure", windows, budget=20_000)


def of_regression(rows: int, **training: Any) -> Fitting:
    lengths = np.full(rows, 400, dtype=np.int64)
    return Fitting(ModelConfig(), TrainingConfig(**training), lengths, 67, "recognise", rows, budget=4_096)


def test_validation_that_the_decoder_cannot_be_fitted_to_is_refused_with_as_much_as_can() -> None:
    with pytest.raises(DoesNotFitError, match=r"set training\.validation_bases to [0-9]+$") as caught:
        of_decoder(windows=2_000, validation_bases=10_000_000).require(1_200_000_000)
    (fix,) = caught.value.fixes
    bases = fix.settings["training.validation_bases"]
    assert isinstance(bases, int)
    fitting = of_decoder(windows=2_000, validation_bases=bases)
    fitting.require(1_200_000_000)
    assert 0.89 * 1.2e9 < fitting.needed <= 0.9 * 1.2e9


def test_the_decoder_is_fitted_to_no_more_bases_than_there_are() -> None:
    many, few = (of_decoder(windows=windows, validation_bases=10**9).needed for windows in (50, 10))
    assert many - few == fitting_bytes(50 * 9_999, 0) - fitting_bytes(10 * 9_999, 0)


def test_a_wider_network_takes_more_to_fit_the_decoder() -> None:
    assert of_decoder(base_channels=96).needed > of_decoder(base_channels=32).needed + 10e6


def test_what_a_regression_takes_grows_with_rows_up_to_those_that_are_fitted() -> None:
    few, many, most = (of_regression(rows).needed for rows in (1_000, 50_000, 10**6))
    assert many - few == 49_000 * 4 * 4**5
    assert many < most == most_bytes(10**6) < 650e6


def test_a_regression_that_takes_more_than_is_available_is_refused() -> None:
    of_regression(100).require(680_000_000)
    many = of_regression(100_000, headroom=0.1)
    many.require(round(most_bytes(100_000) / 0.9) + 1)
    with pytest.raises(DoesNotFitError, match=r"fitting the 5-mer regression to train, .* needs .* are available: use"):
        many.require(680_000_000)


def test_that_of_a_dataset_has_its_task_and_its_rows(train_split: TokenDataset, validation_split: TokenDataset) -> None:
    model, training = ModelConfig(), TrainingConfig()
    fitting = Fitting.after_training(model, training, (train_split, validation_split), 4_096)
    assert (fitting.name, fitting.needed) == ("5-mer regression", most_bytes(len(train_split)))
    assert len(fitting.lengths) == len(train_split) + len(validation_split)
    assert replace(fitting, task="structure").name == "decoder"
