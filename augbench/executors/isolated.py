"""Run something in a child process that a plugin may end, and take what it answers."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from augbench.errors import AugbenchError
from augbench.executors.child import Child, Ended
from augbench.executors.threads import worker_environment
from augbench.options import spelling, written_as
from augbench.plugins.guard import Place
from augbench.plugins.printing import Printed, tell

__all__ = ["ChildEndedError", "Isolated"]

_SILENCE = 900.0
"""Seconds without an answer that mean that the child hangs: it may be loading a large data set."""


class ChildEndedError(AugbenchError):
    """The child ended before it had answered everything; `how` in words, `place` where it was."""

    def __init__(self, how: str, place: Place | None) -> None:
        super().__init__(f"the process {how}{f' in {place.who}' if place else ''}")
        self.how, self.place = how, place


@dataclass
class Isolated:
    """A child process that runs `serve` (`module:function`) on one message; a context.

    The function answers with any number of values and returns; an `AugbenchError` among them is
    raised here. What it prints is told in a line, or is seen at once where it `shows_output`, as
    the progress of a download.
    """

    serve: str
    message: object
    silence: float = _SILENCE
    shows_output: bool = False

    def __enter__(self) -> Isolated:
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._child = Child(
            *("augbench.executors.isolated:serve", self._inbox, worker_environment()),
            shows_output=self.shows_output,
        )
        self._child.send((self.serve, self.message, dict(spelling())))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it does; may be called from another thread."""
        self._child.close()

    def answers(self) -> Iterator[Any]:
        """Yield what the child answers. Raises `ChildEndedError` if it ends before its time."""
        while True:
            try:
                _, value = self._inbox.get(timeout=self.silence)
            except queue.Empty:
                self._child.kill(f"was stopped after {self.silence:.0f} s without an answer")
                _, value = self._inbox.get()
            if isinstance(value, _Done):
                return
            if isinstance(value, Ended):
                raise ChildEndedError(value.how, value.place)
            if isinstance(value, AugbenchError):
                raise value
            if isinstance(value, Printed):
                tell(value, "a process that looks at plugins")
                continue
            yield value


class _Done:
    """Everything has been answered."""


def serve(messages: queue.SimpleQueue[Any], emit: Any) -> None:
    """Be the child: run the function that the one message names."""
    import importlib

    name, message, words = messages.get()
    module, _, function = name.partition(":")
    try:
        with written_as(words):
            getattr(importlib.import_module(module), function)(message, emit)
    except AugbenchError as error:
        emit(error)
    else:
        emit(_Done())
