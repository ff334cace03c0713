"""What a campaign has on disk: a folder for every trial with its row, epochs and checkpoints, and the table of all.

A row is written whole or not at all, before its trial starts and when it ends; after a kill of anything the rows tell what
is done, what goes on, and in which order all of it was proposed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from pipelines import storage
from pipelines.errors import ResourceError
from training.engine.checkpoints import Checkpoints
from training.observability import journal
from tuning.trial import Row, State, Trial

TRIALS, TABLE, ROW, EPOCHS, CHECKPOINTS, TROUBLE = (
    "trials",
    "trials.jsonl",
    "trial.json",
    "epochs.jsonl",
    "checkpoints",
    "error.txt",
)
ASIDE = "unreadable"


class TrialStore:
    """The rows of a campaign; one process writes it.

    Args:
        output: the campaign's directory.
        reading: only look, while another process may be writing.

    Attributes:
        aside: folders whose row is none, of another version for instance; moved out of the way, and run anew.

    Raises:
        ResourceError: a row cannot be read, or the place cannot be written.
    """

    def __init__(self, output: Path, *, reading: bool = False) -> None:
        self.output = output
        self.aside: list[Path] = []
        found = []
        for path in sorted(output.glob(f"{TRIALS}/*/{ROW}")):
            try:
                found.append(Trial.of_json(json.loads(path.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                # Taken back meanwhile by the process that writes.
                continue
            except OSError as error:
                raise ResourceError(
                    f"{path}: cannot be read ({error.strerror or error})",
                    "see why, and run again: its trial is not lost",
                ) from error
            except (KeyError, ValueError, TypeError):
                if not reading:
                    self.aside.append(self._set_aside(path.parent))
        self._rows = {trial.key: trial for trial in sorted(found, key=lambda one: one.number)}
        if not reading:
            self._write()

    @property
    def trials(self) -> list[Trial]:
        """All, in the order of proposal."""
        return sorted(self._rows.values(), key=lambda trial: trial.number)

    @property
    def following(self) -> int:
        """The number of the next trial."""
        return 1 + max((trial.number for trial in self._rows.values()), default=0)

    def knows(self, key: str) -> bool:
        """Whether there is a row of this key."""
        return key in self._rows

    def folder(self, trial: Trial) -> Path:
        """Where a trial lies."""
        return self.output / TRIALS / trial.key[:16]

    def checkpoints(self, trial: Trial) -> Checkpoints:
        """A trial's checkpoints: its own, or those of Ray Train's run in it."""
        folder = self.folder(trial)
        return Checkpoints(next(iter(folder.glob("run/checkpoints-*")), folder / CHECKPOINTS))

    def epochs(self, trial: Trial) -> list[Row]:
        """The figures of a trial's epochs so far."""
        return journal.read(self.folder(trial) / EPOCHS)

    def forget(self, trial: Trial) -> None:
        """Take away the row of a trial that never began."""
        shutil.rmtree(self.folder(trial), ignore_errors=True)
        self._rows.pop(trial.key, None)
        self._write()

    def _set_aside(self, folder: Path) -> Path:
        target = self.output / ASIDE / folder.name
        storage.make_directory(target.parent)
        shutil.rmtree(target, ignore_errors=True)
        try:
            folder.rename(target)
        except OSError as error:
            raise storage.write_error(target, error) from error
        return target

    def keep(self, trial: Trial) -> None:
        """Write a row in the place of the one before.

        Raises:
            ResourceError: the place cannot be written.
        """
        storage.write_text(self.folder(trial) / ROW, json.dumps(trial.to_json(), indent=1) + "\n")
        self._rows[trial.key] = trial
        self._write()

    def end(self, trial: Trial, state: State, reason: str = "") -> Trial:
        """Write the last row of a trial, with what its epochs came to."""
        order = 1 + max((one.ended or 0 for one in self._rows.values()), default=0)
        closed = replace(trial.with_epochs(self.epochs(trial)), state=state, reason=reason, ended=order)
        self.keep(closed)
        return closed

    def _write(self) -> None:
        journal.write(self.output / TABLE, [trial.to_json() for trial in self.trials])
