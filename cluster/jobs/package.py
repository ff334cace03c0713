"""What a job's directory holds: the four packages, the examples' experiments, and the files of its command; no data, no history.

About 1.25 MB. What a `.gitignore` names is left out where git can tell; Ray leaves it behind in any case when it packs the folder,
which is why the file goes along. An installation has none of its own: that of a project whose environment holds it is about others. Links are refused: what they point at is not in the checkout, or stands in it twice.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ResourceError

PACKAGES = ("pipelines", "training", "tuning", "cluster")
IGNORING = (".gitignore", ".rayignore")
LARGEST_FILE = 1 << 20
ENTRY = "cluster/cli.py"
"""What a job runs first."""
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
        ResourceError: more than Ray takes, a symbolic link, or no code to run.
    """
    left, size, files = dict[str, int](), 0, 0
    found = {path.relative_to(root).as_posix(): path for path in sorted(_wanted(root, example))}
    ignored = _ignored(root, found)
    for name, path in found.items():
        if name in ignored:
            continue
        if path.is_symlink():
            raise ResourceError(f"{path}: a symbolic link, which a job cannot take along", "put the file itself there")
        length = path.stat().st_size
        if length > LARGEST_FILE and not name.startswith("examples/"):
            left[name] = length
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        files, size = files + 1, size + length
    if not (folder / ENTRY).is_file():
        raise ResourceError(
            f"{root}: {ENTRY} is {'ignored' if ENTRY in ignored else 'missing'}, and a job could not run without it",
            "take it out of .gitignore and .rayignore" if ENTRY in ignored else "install raygene anew",
        )
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
        if (path.is_file() or path.is_symlink()) and not hidden and "__pycache__" not in parts:
            yield path


def _ignored(root: Path, names: Iterable[str]) -> set[str]:
    """Those that a `.gitignore` or `.rayignore` names, tracked or not; none where there is no git, or no repository of raygene's own."""
    if _git(root, "rev-parse", "--show-toplevel").removesuffix("\n") != str(root.resolve()):
        return set()
    own = f"core.excludesFile={root.resolve() / '.rayignore'}"
    told = _git(root, "-c", own, "check-ignore", "--no-index", "--stdin", "-z", given="\0".join(names))
    return set(told.split("\0")) - {""}


def _git(root: Path, *arguments: str, given: str = "") -> str:
    """What git says; nothing where there is none."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, input=given, capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""
