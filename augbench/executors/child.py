"""A child process that serves this one, and never outlives it.

It is a fresh interpreter, not a copy of this one: no main module is imported again, no thread pool
is inherited, and it works the same on every system. Values go to it and come from it pickled, in
frames with a check sum, so that nothing that a plugin writes can pass for one. All other output of
the child goes into a file, and comes as `Printed` values.

The child ends with its parent. On Linux the kernel sees to it, whatever the child is doing; on
other systems a thread of the child does, which native code that never gives the interpreter back
can hold up.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import augbench
from augbench.executors.beacon import Beacon, Signal
from augbench.plugins.guard import Place, guarded_process, whose_code
from augbench.plugins.isolation import describe
from augbench.plugins.printing import MOST, Output, Printed, line_buffered, lines_of
from augbench.streams import steady_streams

__all__ = ["Child", "Ended", "Serve", "serve"]

_FRAME = struct.Struct("!4sQI")  # mark, length, check sum
_MARK = b"AugB"

Serve = Callable[["queue.SimpleQueue[Any]", Callable[[object], None]], None]
"""A function that a child runs, named as `module:function`: it takes messages, and answers."""


@dataclass(frozen=True)
class Ended:
    """The last that comes from a child: it has ended, in these words, and was there then."""

    how: str
    place: Place | None


def _working_directory() -> str | None:
    """None for this process's own, or another one where that has been deleted.

    Without one, libraries of torch's do not even load.
    """
    try:
        os.getcwd()
    except OSError:
        return tempfile.gettempdir()
    return None


@dataclass(frozen=True)
class _LastWords:
    """Why the child ends, said by itself."""

    text: str


class Child:
    """A child process that runs `serve` (`module:function`) with values sent to it.

    Its answers come to `inbox` as pairs (child, value), the last of them `Ended`; `Printed` values
    tell what it has printed since the answer before, unless it `shows_output` by itself.
    """

    def __init__(
        self,
        serve: str,
        inbox: queue.SimpleQueue[Any],
        environment: Mapping[str, str] | None = None,
        *,
        shows_output: bool = False,
    ) -> None:
        self._inbox = inbox
        self._beacon = Beacon()
        self._why = ""
        self._garbled = False
        self._output: BinaryIO | None = None
        self._told = 0  # bytes of it that the child itself has told of
        if not shows_output:
            # Both append to it, and the parent has what a child that is gone has written last.
            self._output = tempfile.TemporaryFile("a+b", buffering=0)  # noqa: SIM115
        paths = (str(Path(augbench.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
        path = os.pathsep.join(filter(None, paths))  # this very AugBench is found first
        try:
            self._process = subprocess.Popen(
                # -P: the working directory is not put on the path.
                [sys.executable, "-P", "-c", "from augbench.executors.child import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._output,
                env={**os.environ, **(environment or {}), "PYTHONPATH": path},
                cwd=_working_directory(),
                # A group of its own: Ctrl-C is the parent's, and what it starts ends with it.
                start_new_session=True,
            )
        except BaseException:
            self._beacon.close()
            if self._output is not None:
                self._output.close()
            raise
        self.send((os.getpid(), list(sys.path), self._beacon.path, serve, shows_output))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    def send(self, value: object) -> None:
        """Send a value; if the child is gone, its end is on its way through the inbox."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            _write(self._process.stdin, value)

    @property
    def number(self) -> int:
        """The process's number in the system."""
        return self._process.pid

    @property
    def place(self) -> Place | None:
        """The place of the code that it is in; None in nobody's."""
        return self._beacon.place

    @property
    def life(self) -> int:
        """A number that rises whenever it enters or leaves a plugin's code."""
        return self._beacon.notes

    def kill(self, why: str = "") -> None:
        """End it and all that it has started, whatever it is doing; `Ended` tells `why`."""
        self._why = self._why or why
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """End it and forget it."""
        self.kill("closed")
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._output):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
        self._beacon.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                value = _read(self._process.stdout)
                if isinstance(value, _LastWords):
                    self._why = self._why or value.text
                else:
                    if isinstance(value, Printed):
                        self._told = value.end
                    self._inbox.put((self, value))
        except (EOFError, OSError, ValueError):
            return
        except Exception as error:  # of a frame that cannot be read: its check sum, or its pickle
            # By now it may be in other code than that which wrote: who is tried alone tells.
            self._garbled = True
            self.kill(f"wrote what is no message of its own ({error})")

    def _wait(self) -> None:
        code = self._process.wait()
        # What it wrote is still in the pipe; but what it started may hold that open for ever.
        self._reader.join(timeout=2)
        how = self._why or (
            f"was killed by signal {-code}{_signal_name(-code)}"
            if code < 0
            else f"ended with code {code}"
        )
        # What another process ended, the system for lack of memory perhaps, is nobody's fault;
        # and nobody knows whose code wrote what could not be read.
        outside = (code in (-9, -15) and not self._why) or self._garbled
        with contextlib.suppress(ValueError, OSError):  # closed meanwhile: nobody waits for it
            if last := self._last_words():
                self._inbox.put((self, last))
        with contextlib.suppress(ValueError):
            self._inbox.put((self, Ended(how, None if outside else self.place)))

    def _last_words(self) -> Printed | None:
        """The output that a child which is gone has not told of; None without any."""
        if self._output is None:
            return None
        self._output.seek(self._told)
        lines, place = lines_of(self._output.read()), self.place
        if not lines:
            return None
        return Printed(place.who if place else "", tuple(lines[-MOST:]), len(lines))


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""


class _NoFrameError(Exception):
    """Bytes that are no frame."""


def _write(file: Any, value: object) -> None:
    data = pickle.dumps(value)
    file.write(_FRAME.pack(_MARK, len(data), zlib.crc32(data)) + data)
    file.flush()


def _read(file: Any) -> Any:
    head = file.read(_FRAME.size)
    if len(head) < _FRAME.size:
        raise EOFError
    mark, length, check = _FRAME.unpack(head)
    if mark != _MARK:
        raise _NoFrameError(f"{head!r}")
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    if zlib.crc32(data) != check:
        raise _NoFrameError("its check sum is wrong")
    return pickle.loads(data)


def serve() -> None:
    """Be the child: run what the parent's first message names until the parent is gone."""
    # The parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    # What a plugin prints must not get between the messages, what it reads is not for it.
    os.dup2(2, 1)
    steady_streams()
    line_buffered()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        parent, path, beacon, name, shows_output = _read(source)
    except EOFError:
        os._exit(1)
    _end_with(parent)
    sys.path[:] = path
    output = None if shows_output else Output(2)
    guarded_process(Signal(beacon), output.collect if output else None)
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(source, messages), daemon=True).start()

    def emit(value: object) -> None:
        try:
            for one in (*(output.take(whose_code()) if output else ()), value):
                _write(sink, one)
        except OSError:
            os._exit(1)  # the parent is gone, and with it whoever could store a result

    module, _, function = name.partition(":")
    run: Serve = getattr(importlib.import_module(module), function)
    code = 0
    try:
        run(messages, emit)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except Exception as error:
        emit(_LastWords(f"ended with {describe(error)}"))
        code = 1
    sink.flush()
    # Threads and exit handlers of plugins must not keep it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _receive(source: BinaryIO, messages: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            messages.put(_read(source))
    except BaseException:
        os._exit(1)  # the parent has closed the pipe, or is gone


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, where it can."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it was gone before
            os._exit(1)
