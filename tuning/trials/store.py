"""What a study has on disk: a folder for each trial with its row, epochs and checkpoints, and the table of all rows.

A row is written whole or not at all, before its trial starts and when it ends. After a kill of anything the rows say
what has ended, what was interrupted, and in which order trials were proposed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from pipelines import storage
from pipelines.address import masked
from pipelines.errors import ResourceError
from training.engine.checkpoints import Checkpoints
from training.observability import journal
from tuning.trial import Row, State, Trial, clock_time

TRIALS, TABLE, UNREADABLE = "trials", "trials.jsonl", "unreadable"
# Files of a trial's folder.
ROW, EPOCHS, CHECKPOINTS, ERROR = "trial.json", "epochs.jsonl", "checkpoints", "error.txt"


class TrialStore:
    """The rows of a study, which one process writes.

    Args:
        output: the study's directory.
        read_only: whether another process may be writing; nothing is written or moved.

    Attributes:
        set_aside: folders whose row this version cannot read; they were moved here, and their trials run again.

    Raises:
        ResourceError: a row cannot be read, or the directory cannot be written.
    """

    def __init__(self, output: Path, *, read_only: bool = False) -> None:
        self.output = output
        self.set_aside: list[Path] = []
        trials = []
        for path in sorted(output.glob(f"{TRIALS}/*/{ROW}")):
            try:
                trials.append(Trial.of_json(json.loads(path.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                # The process that writes has deleted it meanwhile.
                continue
            except OSError as error:
                raise ResourceError(
                    f"{path}: cannot be read ({error.strerror or error})",
                    "see why, and run again: its trial is not lost",
                ) from error
            except (ValueError, RecursionError):
                if not read_only:
                    self.set_aside.append(self._move_aside(path.parent))
        self._trials = {trial.key: trial for trial in sorted(trials, key=lambda trial: trial.number)}
        if not read_only:
            self._write_table()

    @property
    def trials(self) -> list[Trial]:
        """All trials, by number."""
        return sorted(self._trials.values(), key=lambda trial: trial.number)

    @property
    def next_number(self) -> int:
        """The number of the next trial."""
        return 1 + max((trial.number for trial in self._trials.values()), default=0)

    @property
    def next_configuration(self) -> int:
        """The number of the next configuration."""
        return 1 + max((trial.configuration for trial in self._trials.values()), default=0)

    def has(self, key: str) -> bool:
        """Whether there is a row with this key."""
        return key in self._trials

    def folder(self, trial: Trial) -> Path:
        """The folder of a trial."""
        return self.output / TRIALS / trial.key[:16]

    def checkpoints(self, trial: Trial) -> Checkpoints:
        """The checkpoints of a trial: its own, or those of the Ray Train run in its folder."""
        folder = self.folder(trial)
        return Checkpoints(next(iter(folder.glob("run/checkpoints-*")), folder / CHECKPOINTS))

    def epochs(self, trial: Trial) -> list[Row]:
        """The figures of a trial's epochs so far."""
        return journal.read(self.folder(trial) / EPOCHS)

    def write(self, trial: Trial) -> None:
        """Write a row, which replaces the one with the same key.

        Raises:
            ResourceError: the directory cannot be written.
        """
        storage.write_text(self.folder(trial) / ROW, json.dumps(trial.to_json(), indent=1) + "\n")
        self._trials[trial.key] = trial
        self._write_table()

    def end(self, trial: Trial, state: State, reason: str = "") -> Trial:
        """Write the last row of a trial, with the figures of its epochs, and return it.

        Raises:
            ResourceError: the directory cannot be written.
        """
        order = 1 + max((other.ended or 0 for other in self._trials.values()), default=0)
        ended = replace(
            trial.with_epochs(self.epochs(trial)),
            state=state,
            reason=masked(reason),
            ended=order,
            ended_at=clock_time(),
        )
        self.write(ended)
        return ended

    def delete(self, trial: Trial) -> None:
        """Delete the row and folder of a trial that has trained nothing."""
        shutil.rmtree(self.folder(trial), ignore_errors=True)
        self._trials.pop(trial.key, None)
        self._write_table()

    def _move_aside(self, folder: Path) -> Path:
        target = self.output / UNREADABLE / folder.name
        storage.make_directory(target.parent)
        shutil.rmtree(target, ignore_errors=True)
        try:
            folder.rename(target)
        except OSError as error:
            raise storage.write_error(target, error) from error
        return target

    def _write_table(self) -> None:
        journal.write(self.output / TABLE, [trial.to_json() for trial in self.trials])
