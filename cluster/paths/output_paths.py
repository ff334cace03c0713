"""Keeps what a verb writes apart from what it reads, before any work.

Every option that takes a path declares by its `type` whether that is read or written. A verb adds the files whose names
follow from an option, such as the BED next to a GFF3 and those in a directory of results: an input may lie in that
directory under another name. Files are compared by their identity on disk, so that links,
relative paths and file systems that ignore case make no difference.
"""

from __future__ import annotations

import argparse
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cluster.experiment import Experiment, inputs
from pipelines import remote
from pipelines.errors import UsageError
from pipelines.stores.store import Store
from training.bundle import included_models

FlaggedPath = tuple[str, Path]
"""A flag, and the path that it gives."""


class PathRole(Enum):
    """What a verb does with the path of an option; the `type` of its argument."""

    READ = "a directory with everything in it, or a file of this machine"
    READ_FILE = "a file, or its address"
    READ_DATASET = "a dataset: its directory, or its address"
    MODEL = "a bundle: its directory, its address, or the name of a model that comes with raygene"
    WRITTEN_FILE = "a file that is written"
    WRITTEN_FOLDER = "a directory to which files of known names are added"
    WRITTEN_DATASET = "a dataset, which is replaced as a whole: its directory, or its address in a store"
    WRITTEN_BUNDLE = "a model bundle, which is replaced as a whole"
    PROBED = "a directory in which a file is written and removed"
    SEARCHED = "a directory in which a file of a known name is read"

    def __call__(self, text: str) -> str:
        """The value of the argument, for argparse: `file:///…` as a path, anything else as it is."""
        path = remote.local_path(text)
        return text if path is None or "://" not in text else str(path)


READ = (PathRole.READ, PathRole.READ_FILE, PathRole.READ_DATASET, PathRole.MODEL)
"""Roles of paths that are read."""
_STORED = (PathRole.WRITTEN_DATASET,)
"""Roles of outputs that a verb writes to an address itself; others get a local copy before."""
_ADDRESSED = (
    PathRole.READ_FILE,
    PathRole.READ_DATASET,
    PathRole.MODEL,
    PathRole.PROBED,
    PathRole.WRITTEN_FILE,
    PathRole.WRITTEN_FOLDER,
    *_STORED,
)
_REPLACED = {PathRole.WRITTEN_DATASET: "dataset", PathRole.WRITTEN_BUNDLE: "model bundle"}
"""What becomes of these directories: nothing else that lies in one is left."""


class Written(NamedTuple):
    """A path that is written: the flag that gives it, and what becomes of it."""

    flag: str
    path: Path
    role: PathRole = PathRole.WRITTEN_FILE


def takes_addresses(action: argparse.Action) -> bool:
    """Whether the path of an option may be an address (`s3://…`) as well."""
    return action.type in _ADDRESSED


def output_file(flag: str, text: str) -> Path:
    """The path of a file to be written.

    Args:
        flag: that gives the path.
        text: its value.

    Raises:
        UsageError: an address, or something that is no regular file.
    """
    path = _local(flag, text)
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a directory", "name a file in it")
    first = path.absolute().parts[1:3]
    if (
        (path.exists() and not path.is_file())
        or first[:1] == ("proc",)
        or (first[:1] == ("dev",) and first[1] != "shm")
    ):
        # It would be replaced: /dev/null by a file of that name.
        raise UsageError(f"{flag} {path}: is not a regular file", "name a file")
    return path


def _local(flag: str, text: str) -> Path:
    path = remote.local_path(text)
    if path is None:
        raise UsageError(f"{flag} {text}: an address, but its files are on this machine", "name a local path")
    return path


def declared(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> tuple[list[FlaggedPath], list[Written]]:
    """The local paths that a command line reads, and those that it writes, by the roles of its options.

    Args:
        parser: of the verb.
        arguments: parsed by it.

    Raises:
        UsageError: an address where none is taken, or a file to be written that is no regular one.
    """
    read, written = list[FlaggedPath](), list[Written]()
    for action in parser._actions:
        values = getattr(arguments, action.dest, None)
        if not isinstance(role := action.type, PathRole) or values is None or role is PathRole.PROBED:
            continue
        flag = action.option_strings[0] if action.option_strings else str(action.metavar)
        for text in values if isinstance(values, list) else [values]:
            if role is PathRole.SEARCHED:
                _local(flag, text)
            elif role in READ:
                path = model_path(text) if role is PathRole.MODEL else remote.local_path(text)
                if path is None and not takes_addresses(action):
                    path = _local(flag, text)
                read += [] if path is None else [(flag, path)]
            elif role in _STORED and remote.local_path(text) is None:
                # No local path can be the same; an address to which nothing can be written is refused here.
                Store(text)
            else:
                path = output_file(flag, text) if role is PathRole.WRITTEN_FILE else _local(flag, text)
                written.append(Written(flag, path, role))
    return read, written


def model_path(text: str) -> Path | None:
    """The directory of a bundle that is given by path or name; None for an address elsewhere.

    Raises:
        InputError: a `file://` address without an absolute path.
    """
    name = included_models.named(text)
    return included_models.directory(name) if name else remote.local_path(text)


def read_by(experiment: Experiment) -> list[FlaggedPath]:
    """Every local path that an experiment reads, with its key."""
    paths = ((key, remote.local_path(text)) for text, key in inputs(experiment).items())
    return [(key, path) for key, path in paths if path is not None]


def require_apart(written: Iterable[Written], read: Iterable[FlaggedPath] = (), given: Iterable[Written] = ()) -> None:
    """Refuse to overwrite what is read, to write into a bundle or dataset, and to write two outputs to one path.

    Args:
        written: every path that is written.
        read: every path that is read.
        given: those of the written paths that options name: an error names them before those that follow from them.

    Raises:
        UsageError: with both flags.
    """
    places = _Places.of(read)
    written = list(written)
    for output in (*given, *written):
        places.require_apart(output)
        _require_outside_sealed(output)
    outputs: dict[object, Written] = {}
    above: dict[object, Written] = {}
    for output in written:
        keys = [*_keys(output.path), _regardless_of_case(output.path)]
        if other := next((outputs[key] for key in keys if key in outputs), None):
            raise _overwrites(output, output.path, other.flag)
        directories = [key for directory in _directories_above(output.path) for key in _keys(directory)]
        # A file cannot be the directory of another output, whichever of the two comes first.
        over = [outputs[key] for key in directories if key in outputs and outputs[key].role is PathRole.WRITTEN_FILE]
        under = [above[key] for key in keys if key in above] if output.role is PathRole.WRITTEN_FILE else []
        if clashing := over + under:
            raise _overwrites(output, output.path, clashing[0].flag)
        outputs |= dict.fromkeys(keys, output)
        above |= dict.fromkeys(directories, output)


def _overwrites(output: Written, path: Path, flag: str) -> UsageError:
    return UsageError(f"{output.flag}: would overwrite {path}, which is {flag}'s", "choose another name")


@dataclass
class _Places:
    """What is read, by the keys of each path and of the directories above it."""

    paths: dict[object, FlaggedPath] = field(default_factory=dict)
    above: dict[object, FlaggedPath] = field(default_factory=dict)

    @classmethod
    def of(cls, read: Iterable[FlaggedPath]) -> _Places:
        places = cls()
        seen: set[Path] = set()
        for flag, path in read:
            for key in _keys(path):
                places.paths.setdefault(key, (flag, path))
            # Many inputs lie in few directories.
            if {Path(_real(path)).parent, path.absolute().parent} <= seen:
                continue
            for directory in _directories_above(path):
                seen.add(directory)
                for key in _keys(directory):
                    places.above.setdefault(key, (flag, path))
        return places

    def require_apart(self, output: Written) -> None:
        if same := _first(self.paths, output.path):
            raise _overwrites(output, output.path, same[0])
        for directory in _directories_above(output.path):
            if outer := _first(self.paths, directory):
                flag, path = outer
                raise UsageError(f"{output.flag} {output.path}: lies in {path}, which is {flag}'s", "write beside it")
        if output.role in _REPLACED and (inner := _first(self.above, output.path)):
            flag, path = inner
            raise UsageError(
                f"{output.flag} {output.path}: holds {path}, which is {flag}'s",
                "choose a directory of its own, such as one within it",
            )


def _first(places: Mapping[object, FlaggedPath], path: Path) -> FlaggedPath | None:
    return next((places[key] for key in _keys(path) if key in places), None)


def _keys(path: Path) -> tuple[object, ...]:
    """What identifies a path: its real path, and its device and inode if it exists."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return (_real(path),)
    return _real(path), (status.st_dev, status.st_ino)


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, or would if it existed."""
    return not set(_keys(path)).isdisjoint(_keys(other))


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        # No file has such a name; the verb says so.
        return str(path)


def _regardless_of_case(path: Path) -> object:
    """A key that two names share on a file system that takes them for one; neither file needs to exist."""
    folder, name = os.path.split(_real(path))
    return folder, unicodedata.normalize("NFC", name).casefold()


def _directories_above(path: Path) -> Iterator[Path]:
    """The directories above a path, as it is written and as it really is: a link may lie in one and lead to another."""
    yield from dict.fromkeys((*_upwards(Path(_real(path)).parent), *_upwards(path.absolute().parent)))


@cache
def _upwards(directory: Path) -> tuple[Path, ...]:
    return (directory, *directory.parents)


def _require_outside_sealed(output: Written) -> None:
    """Refuse to write into a bundle or a dataset: both are known by their files, and would be damaged."""
    itself = [] if output.role is PathRole.WRITTEN_FILE else [output.path]
    for directory in (*itself, *_directories_above(output.path)):
        kind = sealed_kind(directory)
        if kind is None or (directory == output.path and kind == _REPLACED.get(output.role)):
            continue
        what = f"is a {kind}" if directory == output.path else f"lies in {directory}, which is a {kind}"
        raise UsageError(f"{output.flag} {output.path}: {what}", "write beside it")


def sealed_kind(directory: Path) -> str | None:
    """`model bundle` or `dataset`, whose files belong together; None for any other directory."""
    if _has_files(directory, "config.json", "model.safetensors"):
        # Models of other programs have files of the same names.
        try:
            is_bundle = b"raygene-bundle" in (directory / "config.json").read_bytes()
        except OSError:
            is_bundle = False
        return "model bundle" if is_bundle else None
    if _has_files(directory, "manifest.json", "tokenizer.json") and any(directory.glob("split=*")):
        return "dataset"
    return None


def _has_files(directory: Path, *names: str) -> bool:
    return all((directory / name).is_file() for name in names)
