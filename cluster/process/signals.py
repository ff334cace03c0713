"""Ends this process as defined at SIGINT, SIGTERM and SIGHUP: one line, and 128 plus the signal's number as its status.

Where the end takes longer than `ANSWER_AFTER_S`, another line comes before it, which says that the signal was heard.

Before the verb begins there is nothing to save, and a signal ends the process at once. While it works, the first signal
raises KeyboardInterrupt, so that the verb can save and release what it holds; a second one ends it at once, and so does
the end of `DEADLINE_S`. From the first signal on nobody else writes to the terminal: threads of Ray and Python would
tell of what they lost. After the verb has ended, signals are ignored: its result is complete.

A thread sees to it that this holds where the main thread is in code that does not return to Python: it nudges the main
thread, and ends the process itself when the deadline has passed. Where Python cannot pass KeyboardInterrupt on, as in a
`__del__`, it is raised again.

An ending by a signal skips Python's finalisation (`os._exit`), in which a half-started Ray crashes.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn, TextIO

from cluster.process import children
from pipelines.display import log_of_another_program

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEADLINE_S = 20.0
"""Seconds from the first signal, or from the end of what a verb saves after it, to the end of the process."""
START_DEADLINE_S = 3.0
"""The same while Ray starts: there is nothing to save yet, and a half-started Ray may wait for processes that ended."""
DEBOUNCE_S = 1.0
"""A signal that follows so soon is the same request: `timeout` sends it to the process and then to its group. Longer
than `_NUDGE_AFTER_S`, after which the second of two that came at once may be handled."""
ANSWER_AFTER_S = 0.4
ANSWER = "stopping; interrupt again to end at once"
_NUDGE = signal.SIGURG
_NUDGE_AFTER_S = 0.5
_ACTION_BYTES = 512
"""More than a `struct sigaction` has on any system."""
_HOLD_S = 0.01
_STDERR = 2
_C = ctypes.CDLL(None)
_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"


@dataclass
class _State:
    """Of this process.

    Attributes:
        message: the line for a signal; None: this process is not run by `handled`.
        is_working: whether KeyboardInterrupt is raised at a signal.
        deadline_s: how long the ending may take.
        is_silenced: whether others are kept from the terminal.
        number: the first signal.
        at: when it came.
        ending: status and line of an ending that was decided; None before.
        has_come: whether a signal has come, handled or not.
        is_answered: whether something was written since the first signal.
        is_reported: whether the line is written.
        is_finished: whether the verb has ended.
        is_lost: whether KeyboardInterrupt was raised where Python could not pass it on.
        stderr: descriptor of standard error.
        own_stderr: a stream on it, once others are kept from the terminal.
    """

    message: Callable[[int], str] | None = None
    may_silence: bool = True
    is_working: bool = False
    deadline_s: float = DEADLINE_S
    is_silenced: bool = False
    number: int | None = None
    at: float = 0.0
    ending: tuple[int, str] | None = None
    has_come: bool = False
    is_answered: bool = False
    is_reported: bool = False
    is_finished: bool = False
    is_lost: bool = False
    stderr: int = _STDERR
    own_stderr: TextIO | None = None


_state = _State()


def install(message: Callable[[int], str], *, silence: bool) -> None:
    """Handle signals from now on; to be called first, by the main thread of a process that is a command.

    A signal that is ignored already stays so: `nohup` and a shell's background jobs count on it.

    Args:
        message: the line for the number of a signal.
        silence: keep others from writing to the terminal after a signal.
    """
    _state.message, _state.may_silence = message, silence
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)
    signal.signal(_NUDGE, _on_nudge)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _thread.start_new_thread(_attend, (reading, threading.get_ident()))
    children.adopt_orphans()


def begin_work() -> None:
    """From now on the first signal raises KeyboardInterrupt in the main thread."""
    _state.is_working = True


def received() -> int | None:
    """The number of the first signal; None if there was none."""
    return _state.number


def own_stderr() -> TextIO | None:
    """The stream on which this project still writes after a signal; None before.

    It may differ from `sys.stderr`: a live bar puts back the stream that it found when it began.
    """
    return _state.own_stderr


def mark_answered() -> None:
    """Note that a line was written: if a signal has come, it is its answer."""
    _state.is_answered = _state.has_come or _state.number is not None


def mark_reported(number: int) -> None:
    """Note that the line for a signal is written, so that it is not written again."""
    _state.is_reported = True
    _state.ending = _state.ending or (128 + number, "")


def begin_ending(status: int | None = None, line: str = "") -> None:
    """Keep others from writing to the terminal, and end this process at the deadline if it has not ended by then.

    Without effect in a process that is not run as a command.

    Args:
        status: exit status of this ending; None: that of the signal.
        line: what is written then, after the program's name.
    """
    if _state.message is None:
        return
    if status is not None and _state.ending is None:
        _state.ending = status, line
    _silence_others()
    # Without a lock of `threading`, which the interrupted code may hold.
    _thread.start_new_thread(_end_in, (_state.deadline_s,))


def finish(status: int) -> int:
    """Ignore signals from now on, and end what this process has started; after a signal or a failure end it here too.

    Returns:
        `status`, for `sys.exit`.
    """
    ignore()
    _state.is_finished = True
    children.kill_all()
    is_cut_short = _state.number is not None or _state.ending is not None
    # A Ray that did not start, or did not end, is in no state to be finalised.
    if not is_cut_short and (status == 0 or "ray" not in sys.modules):
        return status
    _state.is_reported = True
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def ignore() -> None:
    """Ignore signals from now on."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def kept_handlers(deadline_s: float = DEADLINE_S) -> Iterator[None]:
    """Keep the handlers of `NUMBERS` while Ray starts or ends in the block: its own exit without a word.

    Args:
        deadline_s: seconds that an ending by a signal may take in the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    original = signal.signal

    def keep(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if number in NUMBERS else original(number, handler)

    signal.signal = keep  # type: ignore[assignment]
    _state.deadline_s = deadline_s
    is_over = threading.Event()
    threading.Thread(target=_hold_actions, args=(_actions(), is_over), daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
        signal.signal = original
        _state.deadline_s = DEADLINE_S
        for number in NUMBERS:
            signal.signal(number, signal.getsignal(number))


def _join_standard_error(original: TextIO) -> bool:
    """Give descriptor 2 back after `_set_apart`, and tell whether it was; after a signal it stays apart until the end.

    Args:
        original: what `sys.stderr` was before.
    """
    if _state.is_silenced or _state.stderr == _STDERR:
        return False
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os.dup2(_state.stderr, _STDERR)
    _state.stderr, own, sys.stderr = _STDERR, sys.stderr, original
    own.close()
    return True


@contextmanager
def standard_error_kept() -> Iterator[None]:
    """Keep others from standard error in the block: Ray's core writes a stack at a signal that comes while it starts.

    Its handler is there before ours can be put back. Without effect in a process that is not run as a command, and
    where others may write.
    """
    if _state.message is None or not _state.may_silence or _state.stderr != _STDERR:
        yield
        return
    original = sys.stderr
    sys.stderr = _set_apart(sys.stderr, _STDERR)
    try:
        yield
    finally:
        _join_standard_error(original)


@contextmanager
def standard_error_filtered(harmless: re.Pattern[str]) -> Iterator[None]:
    """Hold back what others write to standard error in the block, and write it at the end but for harmless lines.

    It waits in a file: a pipe could fill up while the thread that reads it waits for the interpreter. Without effect in
    a process that is not run as a command, and where others may write.

    Args:
        harmless: found in lines that are left out.
    """
    if _state.message is None or not _state.may_silence or _state.stderr != _STDERR:
        yield
        return
    original = sys.stderr
    with tempfile.TemporaryFile() as held_back:
        sys.stderr = _set_apart(sys.stderr, _STDERR)
        if _state.stderr != _STDERR:
            os.dup2(held_back.fileno(), _STDERR)
        try:
            yield
        finally:
            if _join_standard_error(original):
                held_back.seek(0)
                text = held_back.read().decode(errors="replace")
                lines = [line for line in text.splitlines(keepends=True) if not harmless.search(line)]
                sys.stderr.write(log_of_another_program("".join(lines)))


def _actions() -> dict[int, ctypes.Array[ctypes.c_char]]:
    """What the system does at each of `NUMBERS` now: number to a `struct sigaction`, sigaction(2)."""
    actions = {int(number): ctypes.create_string_buffer(_ACTION_BYTES) for number in NUMBERS}
    for number, action in actions.items():
        _C.sigaction(number, None, action)
    return actions


def _hold_actions(actions: dict[int, ctypes.Array[ctypes.c_char]], is_over: threading.Event) -> None:
    """Take signals back, again and again, from handlers that are set in C, past Python.

    Ray's core sets one in the middle of its start, which writes a stack at SIGTERM before it calls ours; and when it
    ends it leaves SIGTERM to the system, which ends the process without a word.
    """
    while not is_over.wait(_HOLD_S):
        for number, action in actions.items():
            _C.sigaction(number, action, None)


def _on_signal(number: int, frame: FrameType | None) -> None:
    is_first = _state.number is None
    if not is_first and time.monotonic() - _state.at < DEBOUNCE_S:
        return
    if is_first:
        _state.number, _state.at = number, time.monotonic()
    if not is_first or not _state.is_working:
        _end_now()
    begin_ending()
    raise KeyboardInterrupt(number)


def _attend(arrivals: int, main_thread: int) -> None:
    """Have every signal handled.

    Args:
        arrivals: a descriptor from which the number of each can be read when it has come.
        main_thread: which runs its handler, but only between two steps of Python.
    """
    while arrived := os.read(arrivals, 1):
        number = arrived[0]
        if number not in NUMBERS:
            continue
        if not _state.has_come:
            _state.has_come = True
            _thread.start_new_thread(_answer, ())
        time.sleep(_NUDGE_AFTER_S)
        # Interrupts a call of the system. The interpreter may also have lost the first of two signals until now.
        signal.pthread_kill(main_thread, _NUDGE)
        if _state.number is None:
            _thread.start_new_thread(_end_if_unhandled, (number, _state.deadline_s))


def _answer() -> None:
    """Say that a signal was heard, unless the command ends at once or has said something else."""
    time.sleep(ANSWER_AFTER_S)
    if not (_state.is_answered or _state.is_reported or _state.is_finished):
        _state.is_answered = True
        _write(ANSWER)


def _write(line: str) -> None:
    """Write a line to the terminal, in place of a bar that may be on it."""
    with suppress(OSError):
        start = _SHOW_CURSOR if os.isatty(_state.stderr) else b""
        os.write(_state.stderr, start + f"raygene: {line}\n".encode(errors="replace"))


def _end_if_unhandled(number: int, seconds: float) -> None:
    time.sleep(seconds)
    if _state.number is None and signal.getsignal(number) is _on_signal:
        _state.number = number
        _end_now()


def _end_in(seconds: float) -> None:
    time.sleep(seconds)
    _end_now()


def _end_now() -> NoReturn:
    """Write the line unless that is done, kill what was started, and exit, from whatever thread."""
    number = _state.number or signal.SIGINT
    status, line = _state.ending or (128 + number, _state.message(number) if _state.message else "")
    if not _state.is_reported:
        _state.is_reported = True
        _write(line)
    children.kill_all()
    os._exit(status)


def _ignore(*arguments: object) -> None:
    pass


def _on_nudge(number: int, frame: FrameType | None) -> None:
    if _state.is_lost:
        _state.is_lost = False
        raise KeyboardInterrupt(_state.number)


def _on_unraisable(unraisable: Any) -> None:
    """Note an interrupt that Python drops, and raise it again when the main thread has left this function."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        _state.is_lost = True
        _thread.start_new_thread(_nudge_in, (_NUDGE_AFTER_S, threading.get_ident()))


def _nudge_in(seconds: float, main_thread: int) -> None:
    time.sleep(seconds)
    signal.pthread_kill(main_thread, _NUDGE)


def _silence_others() -> None:
    """Leave standard output and error to this project: the descriptors that others write to lead nowhere."""
    if _state.is_silenced or not _state.may_silence:
        return
    _state.is_silenced = True
    sys.unraisablehook = _on_unraisable
    threading.excepthook = _ignore
    sys.stdout = _set_apart(sys.stdout, 1)
    if _state.stderr == _STDERR:
        sys.stderr = _set_apart(sys.stderr, _STDERR)
    else:
        # The interrupted code may not have come to replace the stream.
        sys.stderr = os.fdopen(os.dup(_state.stderr), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    _state.own_stderr = sys.stderr


def _set_apart(stream: TextIO, descriptor: int) -> TextIO:
    """The same stream on a descriptor of its own, while `descriptor` leads nowhere; `stream` if that is impossible."""
    with suppress(OSError, ValueError, RuntimeError):
        stream.flush()
        copy = os.dup(descriptor)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
        if descriptor == _state.stderr:
            _state.stderr = copy
        return os.fdopen(copy, "w", buffering=1, encoding=stream.encoding, errors="backslashreplace")
    return stream
