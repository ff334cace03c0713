from __future__ import annotations

import platform
import subprocess
import sys

import pytest

RETAINING = """
import resource, torch
from pathlib import Path
from training.engine import heap

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
import resource, torch
from pathlib import Path
from training.engine import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

with heap.release_freed_memory():
    before = resident()
    blocks = [torch.ones(1 << 20) for _ in range(40)]
    last = torch.ones(1 << 20)
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
