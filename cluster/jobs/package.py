"""What a job's directory holds: the four packages, the experiments of the examples, and the files of its command.

It has about 1.25 MB: no data and no git history. Files that a `.gitignore` names are left out where git can tell. Ray
leaves them out in any case when it packs the directory, which is why the `.gitignore` is sent along. An installation
has no `.gitignore` of its own: that of a project around its environment is about other files. Symbolic links are
refused: what they point to is either outside the checkout or in it twice.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ResourceError

PACKAGES = ("pipelines", "training", "tuning", "cluster")
IGNORE_FILES = (".gitignore", ".rayignore")
MAX_FILE_BYTES = 1 << 20
"""Larger files of the packages are not code, and are not sent."""
ENTRY = "cluster/cli.py"
"""The module that a job runs first; without it nothing can run."""
MAX_BYTES = 100 << 20
"""Ray accepts no larger directory."""


@dataclass(frozen=True)
class Package:
    """A directory ready for upload.

    Attributes:
        folder: the directory.
        files: number of files in it.
        size: bytes of all files.
        too_large: files of the packages that were not sent because they are too large to be code, with their bytes.
    """

    folder: Path
    files: int
    size: int
    too_large: dict[str, int]


def stage(root: Path, folder: Path, extra: Mapping[str, str], *, example: str | None = None) -> Package:
    """Copy what a job needs into an empty directory.

    Args:
        root: the directory that holds the four packages.
        folder: the empty directory.
        extra: path to text of further files.
        example: a directory under `examples` to send with its data.

    Raises:
        ResourceError: more bytes than Ray accepts, a symbolic link, or no code to run.
    """
    too_large, size, files = dict[str, int](), 0, 0
    candidates = {path.relative_to(root).as_posix(): path for path in sorted(_candidates(root, example))}
    ignored = _ignored(root, candidates)
    for name, path in candidates.items():
        if name in ignored:
            continue
        if path.is_symlink():
            raise ResourceError(
                f"{path}: a symbolic link, which cannot be sent with a job", "replace it by the file itself"
            )
        length = path.stat().st_size
        if length > MAX_FILE_BYTES and not name.startswith("examples/"):
            too_large[name] = length
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        files, size = files + 1, size + length
    if not (folder / ENTRY).is_file():
        raise ResourceError(
            f"{root}: {ENTRY} is {'ignored' if ENTRY in ignored else 'missing'}, and a job could not run without it",
            "remove it from .gitignore and .rayignore" if ENTRY in ignored else "reinstall raygene",
        )
    for name, text in extra.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        files, size = files + 1, size + len(text)
    if size > MAX_BYTES:
        raise ResourceError(
            f"{root}: {size / 2**20:,.0f} MiB of code, but a job takes {MAX_BYTES >> 20}",
            f"move files that are not code out of {', '.join(PACKAGES)}",
        )
    return Package(folder, files, size, too_large)


def _candidates(root: Path, example: str | None) -> Iterator[Path]:
    for name in (*IGNORE_FILES, "pyproject.toml"):
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
        is_hidden = any(part.startswith(".") for part in parts) and path.name not in IGNORE_FILES
        if (path.is_file() or path.is_symlink()) and not is_hidden and "__pycache__" not in parts:
            yield path


def _ignored(root: Path, names: Iterable[str]) -> set[str]:
    """Files that a `.gitignore` or `.rayignore` names, tracked or not.

    None without git, and none where the repository is not raygene's own.
    """
    if _git(root, "rev-parse", "--show-toplevel").removesuffix("\n") != str(root.resolve()):
        return set()
    rayignore = f"core.excludesFile={root.resolve() / '.rayignore'}"
    output = _git(root, "-c", rayignore, "check-ignore", "--no-index", "--stdin", "-z", stdin="\0".join(names))
    return set(output.split("\0")) - {""}


def _git(root: Path, *arguments: str, stdin: str = "") -> str:
    """Standard output of git; empty if there is no git."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, input=stdin, capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""
