from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "cluster" / "recipes" / "Dockerfile.cuda"


def test_everything_it_copies_is_there() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(), re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources)


def test_its_torch_is_the_pinned_one() -> None:
    pinned = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    stated = re.search(r"^ARG TORCH=(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert pinned
    assert stated
    assert pinned[1] == stated[1]
