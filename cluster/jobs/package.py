"""What a job's directory holds: raygene's packages, the experiments of the examples, and the files of its command.

It has about 4 MB, two thirds of it the models that come with raygene: no data, no git history, and nothing that looks
like a secret. Files that a `.gitignore` names are left out where git can tell. Ray leaves them out in any case when it
packs the directory, which is why the `.gitignore` is sent along. An installation has no `.gitignore` of its own: that
of a project around its environment is about other files. Symbolic links are refused: what they point to is either
outside the checkout or in it twice.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.jobs.private_files import has_private_name, holds_private_key
from pipelines import storage
from pipelines.display import format_compared
from pipelines.errors import ResourceError, UsageError

PACKAGES = ("pipelines", "training", "tuning", "cluster", "raygene")
IGNORE_FILES = (".gitignore", ".rayignore")
MAX_FILE_BYTES = 1 << 20
"""Larger files of the packages are not code, and are not sent."""
INCLUDED_MODELS = "training/bundle/included/"
"""Whose weights are no code, but are sent: a job takes a model by its name as this machine does."""
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
        private: files that were not sent because they look like a secret.
        unusual: files that were not sent because they are neither files nor directories, such as a FIFO.
    """

    folder: Path
    files: int
    size: int
    too_large: dict[str, int]
    private: list[str]
    unusual: list[str]


def stage(
    root: Path,
    folder: Path,
    extra: Mapping[str, str],
    *,
    example: str | None = None,
    send_anyway: Collection[str] = (),
) -> Package:
    """Copy what a job needs into an empty directory.

    Args:
        root: the directory that holds raygene's packages.
        folder: the empty directory.
        extra: path to text of further files.
        example: a directory under `examples` to send with its data.
        send_anyway: files that are sent although they look like a secret, as `Package.private` names them.

    Raises:
        ResourceError: more bytes than Ray accepts, a symbolic link, a file that cannot be read, or no code to run.
        UsageError: a file of `send_anyway` is not there.
    """
    too_large, private, unusual = dict[str, int](), list[str](), list[str]()
    size, files = 0, 0
    candidates = {path.relative_to(root).as_posix(): path for path in sorted(_candidates(root, example))}
    if unknown := [name for name in send_anyway if name not in candidates]:
        raise UsageError(f"--send {unknown[0]}: no file of {root}", "name it as submit does, relative to that folder")
    ignored = _ignored(root, candidates)
    if unsent := ignored.intersection(send_anyway):
        raise UsageError(f"--send {min(unsent)}: .gitignore or .rayignore names it", "remove it from there")
    for name, path in candidates.items():
        if name not in send_anyway and has_private_name(name):
            private.append(name)
            continue
        if name in ignored or (_is_hidden(name) and name not in send_anyway):
            continue
        if path.is_symlink():
            raise ResourceError(
                f"{path}: a symbolic link, which cannot be sent with a job", "replace it by the file itself"
            )
        if not path.is_file():
            unusual.append(name)
            continue
        try:
            length = path.stat().st_size
            if length > MAX_FILE_BYTES and not name.startswith(("examples/", INCLUDED_MODELS)):
                too_large[name] = length
                continue
            if name not in send_anyway and length <= MAX_FILE_BYTES and holds_private_key(path):
                private.append(name)
                continue
            content = path.read_bytes()
        except OSError as error:
            raise _unreadable(error, path) from error
        _write(folder / name, content)
        files, size = files + 1, size + length
    if not (folder / ENTRY).is_file():
        raise ResourceError(
            f"{root}: {ENTRY} is {'ignored' if ENTRY in ignored else 'missing'}, and a job could not run without it",
            "remove it from .gitignore and .rayignore" if ENTRY in ignored else "reinstall raygene",
        )
    for name, text in extra.items():
        _write(folder / name, text.encode())
        files, size = files + 1, size + len(text)
    if size > MAX_BYTES:
        total, largest = format_compared(size, MAX_BYTES)
        raise ResourceError(
            f"{root}: {total} of code, but a job takes {largest}",
            f"move files that are not code out of {', '.join(PACKAGES)}",
        )
    return Package(folder, files, size, too_large, private, unusual)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise storage.write_error(path, error) from error


def _unreadable(error: OSError, path: Path | None = None) -> ResourceError:
    return ResourceError(
        f"{path or error.filename}: cannot be read ({error.strerror or error}), so that it cannot be sent with a job",
        "correct its permissions, or remove it",
    )


def _candidates(root: Path, example: str | None) -> Iterator[Path]:
    for name in (*IGNORE_FILES, "pyproject.toml"):
        if (root / name).is_file():
            yield root / name
    for package in PACKAGES:
        if (root / package).is_dir():
            yield from _files(root / package)
    if (root / "examples").is_dir():
        yield from (root / "examples").glob("*/*.yaml")
        if example is not None:
            yield from (path for path in _files(root / "examples" / example) if path.suffix != ".yaml")


def _files(folder: Path) -> Iterator[Path]:
    """Everything in a folder but directories, links to them included; of hidden files those that look like a secret.

    Raises:
        ResourceError: a directory cannot be read.
    """

    def fail(error: OSError) -> None:
        raise _unreadable(error)

    for directory, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if (Path(directory) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in {*links, "__pycache__", ".git"})
        for name in (*names, *links):
            path = Path(directory) / name
            name_inside = path.relative_to(folder).as_posix()
            if not _is_hidden(name_inside) or has_private_name(name_inside):
                yield path


def _is_hidden(name: str) -> bool:
    *folders, last = name.split("/")
    return any(part.startswith(".") for part in folders) or (last.startswith(".") and last not in IGNORE_FILES)


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
