from __future__ import annotations

import re
from pathlib import Path

from cluster.jobs.package import PACKAGES

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "cluster" / "recipes" / "Dockerfile.cuda"


def copied() -> set[str]:
    """Every path of the checkout that the image copies."""
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    return {source for line in lines for source in line.split()[:-1]}


def test_everything_it_copies_is_there() -> None:
    # The packages among them: without a COPY line that is found, there would be nothing to check.
    assert {*PACKAGES, "pyproject.toml", "constraints.txt"} <= copied()
    assert [source for source in sorted(copied()) if not (ROOT / source).exists()] == []


def test_its_torch_is_the_pinned_one() -> None:
    pinned = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    stated = re.search(r"^ARG TORCH=(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert pinned
    assert stated
    assert pinned[1] == stated[1]


def test_its_python_is_pinned_to_the_patch_and_its_user_named_by_number() -> None:
    text = DOCKERFILE.read_text()
    python = re.search(r"^ARG PYTHON=(.+)$", text, re.MULTILINE)
    assert python
    assert re.fullmatch(r"3\.\d+\.\d+", python[1])
    assert re.search(r"^FROM python:\$\{PYTHON\}-slim-\w+$", text, re.MULTILINE)
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
