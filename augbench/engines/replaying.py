"""A step of training recorded once, and done again from then on.

A small network's step spends as long in the interpreter, in autograd and in the allocator as in
its numbers. All of these do the same at each step. A `Tape` notes the operators and kernels that
a step ends in, and the memory that each reads and writes; to replay it is to call them in turn.
On a GPU, a CUDA graph takes the place of the notes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["LONGEST", "Replayed", "Tape", "anew", "note_kernel"]

LONGEST = 0.1
"""Seconds: a longer step has little to gain, and its tape would hold much memory."""

_RECORDED = 3  # which step
_TRIALS = 8  # steps each way after it, to learn which is faster
_aten = torch.ops.aten
_EMPTY = {
    *(_aten.empty.memory_format, _aten.empty_strided.default, _aten.empty_like.default),
    *(_aten.new_empty.default, _aten.new_empty_strided.default),
}
_ZEROS = {_aten.new_zeros.default, _aten.zeros.default, _aten.zeros_like.default}
_current = threading.local()


class Tape(TorchDispatchMode):
    """Notes, as a context, what is done inside; everything that was made inside stays alive.

    `complete` says whether all of it can be done again.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.complete = True
        self._actions: list[Callable[[], object]] = []
        self._arrivals: list[tuple[Tensor, Callable[[], Tensor]]] = []
        self._arrived: Iterator[Tensor] | None = None
        self._kept: list[object] = []
        self._paused = False

    def __enter__(self) -> Tape:
        _current.tape = self
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        _current.tape = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: torch need not take a second to import its compiler."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if not self._paused:
            self._kept.append((args, kwargs, made))
            self._note(func, args, kwargs, made)
        return made

    def _note(self, func: Any, args: Any, kwargs: dict[str, Any], made: Any) -> None:
        """Note what does again, in the same memory, what an operator did."""
        results = made if isinstance(made, tuple) else (made,)
        only_tensors = all(isinstance(result, Tensor | None) for result in results)
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.complete = False  # it draws random numbers
        elif _writes(func):
            self._actions.append(partial(func, *args, **kwargs))
        elif _is_view(func) or func in _EMPTY:
            pass
        elif func in _ZEROS:
            self._actions.append(made.zero_)
        elif not only_tensors:
            self.complete = False  # it looks at a value
        else:
            form, names = _into(func)
            if form is None or any(result is None for result in results):
                self._actions.append(partial(_copy, partial(func, *args, **kwargs), results))
            else:
                into = dict(zip(names, results, strict=True))
                self._actions.append(partial(form, *args, **kwargs, **into))

    def note(self, action: Callable[[], object], *used: object) -> None:
        """Note what is not an operator of torch's, and what has to stay alive for it."""
        self._actions.append(action)
        self._kept.append(used)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Note nothing for a while."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def replay(self, *, anew: bool = True) -> None:
        """Do it all again; what came from outside the step stays as it is, unless `anew`."""
        with torch.no_grad():
            if anew:
                for value, produce in self._arrivals:
                    value.copy_(produce())
            for act in self._actions:
                act()

    def arriving(self, produce: Callable[[], Tensor]) -> Tensor:
        """A tensor from outside the step, which is produced again before each replay."""
        if self._arrived is not None:
            return next(self._arrived)
        with self.paused():
            value = produce().clone()
        self._arrivals.append((value, produce))
        return value

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        """Put a CUDA graph of the step into the place of its notes; returns the step's result.

        Nothing is done yet. Raises `RuntimeError` where torch cannot capture the step.
        """
        self._actions, self._kept = [], []
        graph, self._arrived = torch.cuda.CUDAGraph(), iter([value for value, _ in self._arrivals])
        _current.tape = self
        try:
            with torch.cuda.graph(graph):
                result = step()
        finally:
            _current.tape = self._arrived = None
        self._actions.append(graph.replay)
        return result


def anew(produce: Callable[[], Tensor]) -> Tensor:
    """What `produce` returns, also at each replay of a step that is being recorded.

    For what no operator makes from a step's inputs, such as draws.
    """
    tape: Tape | None = getattr(_current, "tape", None)
    return produce() if tape is None else tape.arriving(produce)


def note_kernel(kernel: Callable[..., None], numbers: Sequence[int], *used: Tensor) -> None:
    """Tell the tape that runs, if one does, of a call of compiled code, and the memory it used."""
    tape: Tape | None = getattr(_current, "tape", None)
    if tape is not None:
        tape.note(partial(kernel, *numbers), used)


def _copy(produce: Callable[[], Any], results: Sequence[Tensor | None]) -> None:
    """Produce values again, and put them where the first ones were."""
    values = produce()
    for result, value in zip(
        results, values if isinstance(values, tuple) else (values,), strict=True
    ):
        if result is not None:
            result.copy_(value)


@lru_cache(maxsize=256)
def _writes(func: Any) -> bool:
    return any(one.alias_info and one.alias_info.is_write for one in func._schema.arguments)


@lru_cache(maxsize=256)
def _is_view(func: Any) -> bool:
    returns = func._schema.returns
    return bool(returns) and all(one.alias_info is not None for one in returns)


@lru_cache(maxsize=256)
def _into(func: Any) -> tuple[Any, tuple[str, ...]]:
    """The form of an operator that writes into given tensors, and their names, if it has one."""
    wanted = [(one.name, str(one.type)) for one in func._schema.arguments]
    for name in func.overloadpacket.overloads():
        form = getattr(func.overloadpacket, name)
        given = form._schema.arguments
        out = tuple(one.name for one in given if one.is_out)
        plain = [(one.name, str(one.type)) for one in given if not one.is_out]
        if len(out) == len(func._schema.returns) and plain == wanted:
            return form, out
    return None, ()


class Replayed:
    """A step that is replayed from a tape, where that is possible and faster.

    `step` takes tensors, of the same shapes each time, and returns one; beside that, it only
    changes the tensors of `state`. The third step is recorded, then replayed from the same state:
    where that does not give the same bits, or where the steps that follow show that it gains no
    time, the tape is not used. On a GPU, where it is a graph, sums of many threads may come in
    another order, and a graph always gains: it is launched at once.
    """

    def __init__(self, step: Callable[..., Tensor], state: Sequence[Tensor]) -> None:
        self._step, self._state = step, state
        self._calls = 0
        self._tape: Tape | None = None
        self._inputs: list[Tensor] = []
        self._output = torch.empty(0)
        self._took: tuple[list[float], list[float]] = [], []  # seconds as it is, and replayed

    @property
    def in_use(self) -> bool:
        """Whether the next step may be a replay."""
        return self._tape is not None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The step's result, which the next step may overwrite."""
        self._calls += 1
        trials = self._calls - _RECORDED
        on_gpu = inputs[0].is_cuda
        if trials == 0 and (on_gpu or self._took[0][-1] < LONGEST):
            return self._record(inputs)
        trying = trials <= 2 * _TRIALS and not on_gpu
        replaying = self._tape is not None and (not trying or trials % 2 == 1)
        start = time.perf_counter()
        output = self._replay(inputs) if replaying else self._step(*inputs)
        if trying or trials < 0:
            self._took[replaying].append(time.perf_counter() - start)
        if trying and trials == 2 * _TRIALS and self._tape is not None:
            # Of the step as it is, the first ones also prepared the others. Medians, since
            # whatever else the machine does may fall on any step.
            plain, replayed = self._took[0][_RECORDED - 1 :], self._took[1]
            if median(replayed) >= median(plain):
                self._tape = None
        return output

    def _replay(self, inputs: Sequence[Tensor]) -> Tensor:
        assert self._tape is not None
        for own, one in zip(self._inputs, inputs, strict=True):
            own.copy_(one)
        self._tape.replay()
        return self._output

    def _record(self, inputs: Sequence[Tensor]) -> Tensor:
        """Do the step, noting what it does; then again, to see whether the notes are right."""
        self._inputs = [one.clone() for one in inputs]
        before = _copies(self._state)
        with Tape() as tape:
            self._output = self._step(*self._inputs)
        if not tape.complete:
            return self._output
        output, after = self._output.clone(), _copies(self._state)
        _restore(self._state, before)
        same: Callable[[Tensor, Tensor], bool] = torch.equal
        if output.is_cuda:
            same = _close
            try:
                self._output = tape.capture(lambda: self._step(*self._inputs))
            except RuntimeError:  # torch cannot, or has no memory for it
                _restore(self._state, after)
                return output
        tape.replay(anew=False)
        if all(map(same, [output, *after], [self._output, *self._state])):
            self._tape = tape
        else:
            _restore(self._state, after)
        return output


def _copies(state: Sequence[Tensor]) -> list[Tensor]:
    return [one.detach().clone() for one in state]


def _restore(state: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for one, value in zip(state, values, strict=True):
            one.copy_(value)


def _close(one: Tensor, other: Tensor) -> bool:
    """Equal but for the order of sums, NaN to NaN, measured against the largest value."""
    largest = float(one.detach().nan_to_num(0, 0, 0).abs().max()) if one.numel() else 0
    return torch.allclose(one, other, rtol=0, atol=1e-5 * largest, equal_nan=True)
