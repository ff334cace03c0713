from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from training.engine.process import heap

RETAINING = """
import resource, torch
from pathlib import Path
from training.engine.process import heap

# Larger than what the library keeps by itself, smaller than a heap of a thread other than the first.
NUMBERS = 10 << 20

def faults():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(8):
        torch.empty(NUMBERS).fill_(1)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

print(faults())
before = resident()
with heap.retain_freed_memory():
    blocks = [torch.ones(NUMBERS) for _ in range(6)]
    del blocks
    for _ in range(3):
        faults()
    print(faults())
    print(resident() - before)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library only")
def test_freed_blocks_are_used_again_within_and_given_back_after() -> None:
    done = subprocess.run([sys.executable, "-c", RETAINING], capture_output=True, text=True, check=True)
    before, within, full, empty = map(int, done.stdout.split())
    assert within < before / 4
    assert full > 200
    assert empty < 80


RELEASING = """
import resource
import numpy as np
from pathlib import Path
from training.engine.process import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

with heap.release_freed_memory():
    before = resident()
    blocks = [np.ones(1 << 20, np.float32) for _ in range(40)]
    last = np.ones(1 << 20, np.float32)
    print(resident() - before)
    del blocks
    print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library only")
def test_freed_blocks_go_back_at_once_where_memory_is_scarce() -> None:
    done = subprocess.run([sys.executable, "-c", RELEASING], capture_output=True, text=True, check=True)
    full, empty = map(int, done.stdout.split())
    assert full > 150
    assert empty < 40


GAPS = """
import numpy as np
from training.engine.process import heap

MEBIBYTES = 1 << 20

def held():
    return (heap.resident_bytes() - before) // MEBIBYTES

with heap.retain_freed_memory():
    blocks = [np.ones(MEBIBYTES // 4) for _ in range(60)]
    # Above them: too large for what compiling the imports has freed.
    last = np.ones(MEBIBYTES)
    del blocks
before = heap.resident_bytes()
with heap.release_freed_memory() as freed:
    for _ in range(2):
        blocks = [np.ones(MEBIBYTES // 16) for _ in range(200)]
        del blocks
        print(held())
        freed.settle()
        print(held())
    blocks = [np.ones(MEBIBYTES // 16) for _ in range(200)]
    del blocks
print(held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library only")
def test_gaps_that_a_model_before_has_left_go_back_where_memory_is_scarce() -> None:
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True)
    *filled, after = map(int, done.stdout.split())
    assert min(filled[::2]) > 80
    assert max(*filled[1::2], after) < 20


HELD = """
import numpy as np
from training.engine.process import heap

MEBIBYTES = 1 << 20

with heap.retain_freed_memory({allowance}) as freed:
    freed.settle()
    before = heap.resident_bytes()
    for _ in range(4):
        blocks = [np.ones(MEBIBYTES, np.float32) for _ in range(40)]
        last = np.ones(MEBIBYTES, np.float32)
        del blocks
        freed.step_ended()
    print((heap.resident_bytes() - before) // MEBIBYTES)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library only")
@pytest.mark.parametrize(("allowance", "least", "most"), [(64 << 20, 0, 60), (256 << 20, 150, 200)])
def test_what_exceeds_an_allowance_goes_back_after_a_step(allowance: int, least: int, most: int) -> None:
    script = HELD.format(allowance=allowance)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most


class Process:
    """Resident bytes that a test sets, and how often they were trimmed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = self.resident = 1000
        self.trims = 0
        monkeypatch.setattr(heap, "resident_bytes", lambda: self.resident)

    def trim(self) -> None:
        self.resident, self.trims = self.held, self.trims + 1


def settled(freed: heap.FreedMemory) -> None:
    """Do the first steps."""
    freed.settle()
    freed.step_ended()
    freed.step_ended()


def test_memory_is_given_back_only_beyond_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(monkeypatch)
    freed = heap.FreedMemory(process.trim, 100)
    settled(freed)
    begun = process.trims
    for process.resident in (1050, 1100, 1101):
        freed.step_ended()
    assert (process.trims - begun, process.resident) == (1, 1000)


def test_what_the_first_steps_load_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(monkeypatch)
    freed = heap.FreedMemory(process.trim, 100)
    freed.settle()
    process.held = 1500
    freed.step_ended()
    freed.step_ended()
    begun, process.resident = process.trims, 1600
    freed.step_ended()
    assert process.trims == begun


def test_steps_that_take_more_than_was_planned_do_not_give_back_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(monkeypatch)
    freed = heap.FreedMemory(process.trim, 100)
    settled(freed)
    for _ in range(1000):
        process.resident = 1150
        freed.step_ended()
    assert process.trims < 12


def test_without_an_allowance_everything_is_retained(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(monkeypatch)
    freed = heap.FreedMemory(process.trim)
    freed.settle()
    process.resident = 1 << 40
    freed.step_ended()
    assert process.trims == 0
