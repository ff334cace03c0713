"""A map by child processes of this machine, for what is done before Ray has been opened.

A child is a new interpreter that imports the function by its name: it neither copies the threads of this process nor
runs the user's script again. It ends with this process, once its call has returned.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, TypeVar

from pipelines.errors import RaygeneError, ResourceError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# A child has to find modules where this process has found them before it imports any of them.
_BEGIN = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "import pickle, sys; from multiprocessing.connection import Connection; channel = Connection({handle}); "
    "sys.path[:] = pickle.loads(channel.recv_bytes()); from pipelines.ray_map import children; children.serve(channel)"
)


def map_in_children(
    function: Callable[[_Item], _Result], items: Sequence[_Item], processes: int
) -> Generator[_Result, None, None]:
    """Map items by child processes, and yield the results in the order of the items.

    Args:
        function: maps an item; it, items and results are pickled.
        items: at most twice as many as there are processes are ahead of the result that is yielded next.
        processes: how many children there are; one takes about a second to start.

    Raises:
        Exception: what the function has raised, of the first item for which it did.
        ResourceError: a child died.
    """
    idle: SimpleQueue[Connection] = SimpleQueue()

    def call(item: _Item) -> Any:
        channel = idle.get()
        try:
            channel.send_bytes(pickle.dumps((function, item)))
            return pickle.loads(channel.recv_bytes())
        except (EOFError, OSError) as error:
            raise ResourceError(
                "a process of this machine died", "free memory, or fix what it says above, then run again"
            ) from error
        finally:
            idle.put(channel)

    # The children end first, and with them the calls for which the threads wait.
    with ThreadPoolExecutor(processes) as threads, ExitStack() as children:
        for _ in range(processes):
            idle.put(children.enter_context(_child()))
        ahead: deque[Future[Any]] = deque()
        for item in items:
            ahead.append(threads.submit(call, item))
            if len(ahead) > 2 * processes:
                yield _result(ahead.popleft())
        while ahead:
            yield _result(ahead.popleft())


def _result(future: Future[Any]) -> Any:
    result, error = future.result()
    if error is not None:
        raise error
    return result


@contextmanager
def _child() -> Iterator[Connection]:
    """The channel of a child that serves until the block ends."""
    channel, other_end = Pipe()
    with channel:
        with other_end:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BEGIN.format(handle=other_end.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[other_end.fileno()],
            )
        try:
            with suppress(OSError):
                channel.send_bytes(pickle.dumps(sys.path))
            yield channel
        finally:
            process.kill()
            process.wait()


def serve(channel: Connection) -> None:
    """Be a child: answer every call with its result or error, and end when the channel does."""
    # The terminal sends these to parent and child alike; the parent decides.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            function, item = pickle.loads(channel.recv_bytes())
            channel.send_bytes(pickle.dumps(_answer(function, item)))
    os._exit(0)


def _answer(function: Callable[[Any], Any], item: Any) -> tuple[Any, Exception | None]:
    try:
        return function(item), None
    except RaygeneError as error:
        return None, error
    except Exception as error:
        # It is raised where its traceback does not lead here.
        error.add_note(traceback.format_exc())
        return None, error
