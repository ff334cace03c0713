"""What a job's directory holds: the four packages, the examples' experiments, and the files of its command; no data, no history.

About 1.5 MB. Files that a `.gitignore` names stay behind when Ray packs the folder, which is why it goes along.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ResourceError

PACKAGES = ("pipelines", "training", "tuning", "cluster")
IGNORING = (".gitignore", ".rayignore")
LARGEST_FILE = 1 << 20
MOST = 100 << 20
"""Bytes that Ray takes at most."""


@dataclass(frozen=True)
class Package:
    """A folder ready for upload.

    Attributes:
        folder: the directory.
        files: how many there are.
        size: bytes.
        left: files of the packages that are too large to be code, with their bytes.
    """

    folder: Path
    files: int
    size: int
    left: dict[str, int]


def stage(root: Path, folder: Path, more: Mapping[str, str], *, example: str | None = None) -> Package:
    """Copy what a job needs into an empty folder.

    Args:
        root: the folder that holds the four packages.
        folder: where to.
        more: path to text of further files.
        example: a folder under `examples` to take along with its data.

    Raises:
        ResourceError: more than Ray takes.
    """
    left, size, files = dict[str, int](), 0, 0
    for path in sorted(_wanted(root, example)):
        name, length = path.relative_to(root).as_posix(), path.stat().st_size
        if length > LARGEST_FILE and not name.startswith("examples/"):
            left[name] = length
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        files, size = files + 1, size + length
    for name, text in more.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        files, size = files + 1, size + len(text)
    if size > MOST:
        raise ResourceError(
            f"{root}: {size / 2**20:,.0f} MiB of code, and a job takes {MOST >> 20}",
            f"move what is no code out of {', '.join(PACKAGES)}",
        )
    return Package(folder, files, size, left)


def _wanted(root: Path, example: str | None) -> Iterator[Path]:
    for name in (*IGNORING, "pyproject.toml"):
        if (root / name).is_file():
            yield root / name
    for package in PACKAGES:
        yield from _files(root / package)
    if (root / "examples").is_dir():
        yield from (root / "examples").glob("*/*.yaml")
        if example is not None:
            yield from (path for path in _files(root / "examples" / example) if path.suffix != ".yaml")


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) and path.name not in IGNORING
        if path.is_file() and not hidden and "__pycache__" not in parts:
            yield path
