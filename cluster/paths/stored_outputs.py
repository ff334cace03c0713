"""Outputs at addresses (`s3://…`): a verb writes into a copy on this node, which is put into the store.

A folder, such as that of a run or a study, is fetched when the verb begins, so that it goes on from what is there. What
has changed is put every `PUSH_S` seconds, and when the verb ends, by an error or a signal as well. Of a file, what
belongs to it in the folder around it is fetched: files that begin with its name without the last ending. One command
writes a folder, or a file, at a time. Workers write into the same copy: to those on other machines it is served.
"""

from __future__ import annotations

import argparse
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cluster.paths.output_paths import PathRole
from pipelines import fingerprint, remote
from pipelines.display import counted
from pipelines.errors import RaygeneError, UsageError
from pipelines.stores import copy_names, lease, worker_folder, working_copy
from pipelines.stores.lease import Lease
from pipelines.stores.store import Store
from pipelines.stores.working_copy import WorkingCopy

PUSH_S = 30.0
"""Seconds between two looks at what has changed: what a killed command loses at most."""
LAST = ("*epoch-*.pt", "*manifest.json", "*config.json")
"""Files that say that those beside them are complete: checkpoints do of logs."""
SKIP = ("*.lock",)
WRITE_ON_WORKERS = frozenset({"train", "tune", "profile", "scan", "annotate"})
"""Verbs whose workers write files of their outputs themselves."""
_log = logging.getLogger("raygene")
Note = Callable[[str], None]


@dataclass(frozen=True)
class _Output:
    """An option whose value is at an address.

    Attributes:
        flag: of the option.
        name: of its value among the arguments.
        folder: the folder itself, or that around a file.
        file: the file's name; empty for a folder.
    """

    flag: str
    name: str
    folder: Store
    file: str

    def wants(self, name: str) -> bool:
        """Whether a file of the folder is part of this output, by its name relative to the folder."""
        stem = PurePosixPath(self.file).stem
        return not self.file or name == self.file or name.startswith((f"{stem}.", f".{self.file}."))


@contextmanager
def local(parser: argparse.ArgumentParser, arguments: argparse.Namespace, note: Note) -> Iterator[None]:
    """Replace the addresses of outputs among a verb's arguments by paths, in place, and put there what it writes.

    Args:
        parser: of the verb.
        arguments: parsed by it.
        note: called with a line about what was fetched and put.

    Raises:
        UsageError: an address that names no file, or lies in a dataset or bundle.
        BusyError: another command writes there.
        StorageError: the store cannot be read or written.
        DependencyError: no driver for that kind of address.
    """
    outputs = _outputs(parser, arguments)
    is_dry = bool(getattr(arguments, "dry_run", False))
    is_report = bool(getattr(arguments, "report_only", False))
    arguments.stored_copies = []
    with ExitStack() as stack:
        for folder in dict.fromkeys(output.folder for output in outputs):
            of_folder = [output for output in outputs if output.folder == folder]
            for output in of_folder:
                _require_outside_sealed(output)
            copy = stack.enter_context(
                _looked_at(folder, of_folder, is_dry=is_dry)
                if is_dry or is_report
                else _written(folder, of_folder, note)
            )
            arguments.stored_copies.append(copy.path)
            for output in of_folder:
                setattr(arguments, output.name, str(copy.path / output.file) if output.file else str(copy.path))
        yield


@contextmanager
def served(arguments: argparse.Namespace) -> Iterator[None]:
    """Have workers on other machines read and write the copies, while the context lasts.

    Args:
        arguments: of the verb, after `local`; Ray is connected.

    Raises:
        UsageError: datasets would be built into a study's copy by several machines.
    """
    copies: list[Path] = getattr(arguments, "stored_copies", [])
    verb = getattr(arguments, "verb", "")
    if copies and verb == "tune" and arguments.dataset is None:
        _require_one_machine()
    with ExitStack() as stack:
        for path in copies if verb in WRITE_ON_WORKERS else []:
            stack.enter_context(worker_folder.served(path))
        yield


def _require_one_machine() -> None:
    import ray

    from pipelines.ray_map.nodes import living_records

    machines = {node["NodeID"] for node in living_records() if node["Resources"].get("CPU")}
    if machines - {ray.get_runtime_context().get_node_id()}:
        raise UsageError(
            "--output: an address, and the study would build its datasets there on other machines",
            "build one with raygene build --output ADDRESS and name it with --dataset, or use a folder that every "
            "machine mounts",
        )


def _outputs(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[_Output]:
    outputs = []
    for action in parser._actions:
        value = getattr(arguments, action.dest, None)
        if action.type not in (PathRole.WRITTEN_FILE, PathRole.WRITTEN_FOLDER) or not isinstance(value, str):
            continue
        if remote.local_path(value) is not None:
            continue
        flag = action.option_strings[0] if action.option_strings else str(action.metavar)
        if action.type is PathRole.WRITTEN_FOLDER:
            outputs.append(_Output(flag, action.dest, Store(value), ""))
        else:
            parent, name = remote.parent_of(value)
            outputs.append(_Output(flag, action.dest, Store(parent), name))
    return outputs


def _require_outside_sealed(output: _Output) -> None:
    """Refuse a folder that is a dataset or a bundle: both are known by their files, and would be damaged."""
    for kind, names in (("dataset", ("manifest.json", "tokenizer.json")), ("model bundle", ("model.safetensors",))):
        if all(output.folder.exists(name) for name in names):
            raise UsageError(f"{output.flag}: {output.folder} is a {kind}", "write beside it")


@contextmanager
def _looked_at(folder: Store, outputs: list[_Output], *, is_dry: bool) -> Iterator[WorkingCopy]:
    """A copy of its own, for a look at a folder that another command may be writing; only reports are put."""
    path = working_copy.copy_path(folder)
    copy = WorkingCopy(folder, path.with_name(f"{path.name}-{uuid.uuid4().hex[:8]}"), LAST, SKIP)
    copy_names.remember(copy.path, str(folder))
    try:
        copy.pull(_wanted(outputs))
        yield copy
        if not is_dry:
            copy.push(_wanted(outputs), delete=False)
    finally:
        copy.remove()


@contextmanager
def _written(folder: Store, outputs: list[_Output], note: Note) -> Iterator[WorkingCopy]:
    """The copy of a folder that no other command writes meanwhile."""
    wanted = _wanted(outputs)
    with ExitStack() as stack:
        leases = [
            stack.enter_context(lease.hold(folder.folder(name)))
            for name in sorted({f".{output.file}.writer" if output.file else "" for output in outputs})
        ]
        copy = WorkingCopy(folder, _copy_path(folder, outputs), LAST, SKIP)
        copy_names.remember(copy.path, str(folder))
        if fetched := copy.pull(wanted):
            note(f"{folder}: {counted(len(fetched), 'file')} fetched")
        pusher = _Pusher(copy, wanted, leases)
        try:
            yield copy
        except BaseException:
            # The verb's own error says more than one of putting what it left.
            try:
                pusher.finish()
            except RaygeneError as error:
                _log.warning("%s", error)
            raise
        count = pusher.finish()
        note(f"{folder}: {counted(count, 'file')} put")
        copy.remove()


def _copy_path(folder: Store, outputs: list[_Output]) -> Path:
    """The directory of a copy; other files of the same folder, which another command may write, have another one."""
    path, files = working_copy.copy_path(folder), sorted(output.file for output in outputs)
    return path.with_name(f"{path.name}-{fingerprint.of_value(files)[:8]}") if any(files) else path


def _wanted(outputs: list[_Output]) -> Callable[[str], bool]:
    return lambda name: any(output.wants(name) for output in outputs)


class _Pusher:
    """Puts what has changed in a copy, from time to time on a thread and once at the end."""

    def __init__(self, copy: WorkingCopy, wanted: Callable[[str], bool], leases: list[Lease]) -> None:
        self._copy, self._wanted, self._leases = copy, wanted, leases
        self._names: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="puts outputs into a store", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(PUSH_S):
            try:
                self._push(delete=False)
            except RaygeneError as error:
                _log.warning("%s; tried again in %d s", error, PUSH_S)

    def _push(self, *, delete: bool) -> None:
        for held in self._leases:
            held.check()
        self._names.update(self._copy.push(self._wanted, delete=delete))

    def finish(self) -> int:
        """Put the rest, and delete what is gone; return how many files were put in all.

        Raises:
            BusyError: another command has taken the folder over.
            StorageError: the store cannot be written.
        """
        self._ended.set()
        self._thread.join()
        self._push(delete=True)
        return len(self._names)
