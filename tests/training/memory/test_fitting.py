"""What the fit of the 5-mer regression adds to the process that was started, the import of scikit-learn included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.audit.regression_size import most_bytes
from tests.training.conftest import write_dataset

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
