"""Guard a plugin's code while it runs: say where this process is, and undo what must not stay.

A worker process that a plugin ends, or holds for ever, can say nothing any more: so it says before
each call whose code it enters. What a plugin may not do, but can, is turned into an error that
names it: ending the process in Python, or changing torch for everybody else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any

from augbench.errors import ContractError

__all__ = ["Guard", "Place", "guarded_process", "whose_code"]

_LONGEST = 400  # letters of a name that a place keeps


@dataclass(frozen=True)
class Place:
    """Whose code a process is in: `who` in words; and, where known, for which cells it is there.

    `path` is the key of one cell's pretraining (`Cell.path_key`); `pipeline` the label of all
    cells' augmentations; `dataset` the content hash of a data set that cells need. The `first`
    call is the one before anything trains.
    """

    who: str
    pipeline: str = ""
    path: str = ""
    dataset: str = ""
    first: bool = False

    @cached_property
    def encoded(self) -> bytes:
        """The place as bytes, below 3,000 of them."""
        texts = {k: v[:_LONGEST] if isinstance(v, str) else v for k, v in asdict(self).items()}
        return json.dumps(texts).encode()

    @classmethod
    def decoded(cls, data: bytes) -> Place | None:
        """The place of some bytes; None for none, and for any that no place gave."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None


@dataclass
class _Process:
    """What this process tells about itself: `note` takes each place, and b"" where it is left.

    `heard` is called with whose code it is in, "" for nobody's, before it goes into other code. In
    a process of which `interrupts` is False, no KeyboardInterrupt can be the user's.
    """

    note: Callable[[bytes], None] | None = None
    heard: Callable[[str], None] | None = None
    interrupts: bool = True
    within: list[Place] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Whose code the process is in; "" for nobody's."""
        return self.within[-1].who if self.within else ""


_process = _Process()


def guarded_process(note: Callable[[bytes], None], heard: Callable[[str], None] | None) -> None:
    """Make this a process that tells where it is and who prints, and that no Ctrl-C reaches."""
    _process.note, _process.heard, _process.interrupts = note, heard, False


def whose_code() -> str:
    """Whose code this process is in, in words; "" for nobody's."""
    return _process.who


class Guard:
    """A context for each call of one plugin's code; reused, since it stands in inner loops.

    Raises `ContractError` for a `SystemExit`, for a `KeyboardInterrupt` that is not the user's, and
    for a change of torch's global state (gradients, default dtype, threads, deterministic
    algorithms), which it undoes.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._before: list[tuple[Any, ...]] = []

    def __enter__(self) -> None:
        if _process.heard is not None:
            _process.heard(_process.who)
        _process.within.append(self._place)
        if _process.note is not None:
            _process.note(self._place.encoded)
        self._before.append(_torch_state())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        changed, who = _restored(self._before.pop()), self._place.who
        if _process.heard is not None:
            _process.heard(who)
        _process.within.pop()
        if _process.note is not None:
            _process.note(_process.within[-1].encoded if _process.within else b"")
        if isinstance(error, SystemExit) or (
            isinstance(error, KeyboardInterrupt) and not _process.interrupts
        ):
            raise ContractError(
                f"{who} raised {type(error).__name__}; a plugin must not end the program"
            ) from error
        if changed and error is None:
            raise ContractError(
                f"{who} changed torch's {' and '.join(changed)} for everybody (restored); change "
                "it within a `with` block, or not at all"
            )


def _torch_state() -> tuple[Any, ...]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "are_deterministic_algorithms_enabled"):
        return ()
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    )


def _restored(before: tuple[Any, ...]) -> list[str]:
    """Put torch's state back; returns the names of what had changed."""
    after = _torch_state()
    if before == after or not before:
        return []
    torch = sys.modules["torch"]
    restore: list[tuple[str, Callable[[Any], object]]] = [
        ("gradient mode", torch.set_grad_enabled),
        ("default dtype", torch.set_default_dtype),
        ("number of threads", torch.set_num_threads),
        ("deterministic algorithms", torch.use_deterministic_algorithms),
    ]
    changed = []
    for (name, put), old, new in zip(restore, before, after, strict=True):
        if old != new:
            put(old)
            changed.append(name)
    return changed
