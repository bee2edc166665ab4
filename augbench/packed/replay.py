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

__all__ = ["LONGEST", "ReplayError", "Replayed", "Tape", "anew", "note_kernel"]

LONGEST = 0.1
"""Seconds: a longer step has little to gain, and its tape would hold much memory."""

_RECORDED = 3  # which step
_TRIALS = 8  # steps each way after it, to learn which is faster
_CHECKED_AGAIN = (2, 20)  # which replays are compared with the step as it is, once more
_aten = torch.ops.aten
_EMPTY = {
    *(_aten.empty.memory_format, _aten.empty_strided.default, _aten.empty_like.default),
    *(_aten.new_empty.default, _aten.new_empty_strided.default),
}
_ZEROS = {_aten.new_zeros.default, _aten.zeros.default, _aten.zeros_like.default}
_NOT_INTO = {_aten.native_batch_norm.default}
"""Operators whose form for given memory cannot be trusted: its results are produced and copied.

On a CPU, this one leaves its outputs unwritten where its input is transposed (torch 2.14).
"""
_current = threading.local()


class ReplayError(RuntimeError):
    """A replay that gave other numbers than the step itself: what it computed is not to be used."""


class Tape(TorchDispatchMode):
    """Notes, as a context, what is done inside; everything that was made inside stays alive.

    `complete` says whether all of it can be done again; `written` holds the tensors from outside
    into which an operator wrote.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.complete = True
        self.written: list[Tensor] = []
        self.arrivals: list[Tensor] = []
        self._producers: list[Callable[[], Tensor]] = []
        self._arrived: Iterator[Tensor] | None = None
        self._actions: list[Callable[[], object]] = []
        self._kept: list[object] = []
        self._made: dict[int, Tensor] = {}  # by the address of its memory
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
        if not _writes(func) and not _is_view(func):
            self._made |= {_memory(one): one for one in results if isinstance(one, Tensor)}
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.complete = False  # it draws random numbers
        elif _writes(func):
            self.written += [
                one for one in _changed(func, args, kwargs) if _memory(one) not in self._made
            ]
            self._actions.append(partial(func, *args, **kwargs))
        elif _is_view(func) or func in _EMPTY:
            pass
        elif func in _ZEROS:
            self._actions.append(made.zero_)
        elif not only_tensors:
            self.complete = False  # it looks at a value
        else:
            form, names = _into(func)
            if form is None or func in _NOT_INTO or any(result is None for result in results):
                self._actions.append(partial(_copy, partial(func, *args, **kwargs), results))
            else:
                into = dict(zip(names, results, strict=True))
                self._actions.append(partial(form, *args, **kwargs, **into))

    def note(self, action: Callable[[], object], *used: object) -> None:
        """Note what is not an operator of torch's, and what has to stay alive for it."""
        if not self._paused:
            self._actions.append(action)
            self._kept.append(used)

    def replay(self, *, anew: bool = True) -> None:
        """Do it all again; what came from outside the step stays as it is, unless `anew`."""
        with torch.no_grad():
            if anew:
                for value, produce in zip(self.arrivals, self._producers, strict=True):
                    value.copy_(produce())
            for act in self._actions:
                act()

    def arriving(self, produce: Callable[[], Tensor]) -> Tensor:
        """A tensor from outside the step, which is produced again before each replay."""
        if self._arrived is not None:
            return next(self._arrived)
        self._paused = True
        try:
            value = produce().clone()
        finally:
            self._paused = False
        self.arrivals.append(value)
        self._producers.append(produce)
        return value

    @contextmanager
    def supplying(self) -> Iterator[None]:
        """Give a step the arrivals that the tape holds, instead of new ones; note nothing."""
        _current.tape, self._arrived, self._paused = self, iter(self.arrivals), True
        try:
            yield
        finally:
            _current.tape, self._arrived, self._paused = None, None, False

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        """Put a CUDA graph of the step into the place of its notes; returns the step's result.

        Nothing is done yet. Raises `RuntimeError` where torch cannot capture the step.
        """
        self._actions, self._kept, self._made = [], [], {}
        graph, addresses = torch.cuda.CUDAGraph(), _Addresses()
        with self.supplying(), torch.cuda.graph(graph), addresses:
            result = step()
        self._made = addresses.as_tensors(result.device)
        self._actions.append(graph.replay)
        return result

    @torch.no_grad()
    def spoil(self) -> None:
        """Overwrite whatever the step made: an operator that writes nothing then shows.

        Floats become NaN. Whole numbers become zeros, since as indices they must stay in range.
        """
        for value in self._made.values():
            memory = value.new_empty(0).set_(value.untyped_storage())
            memory.fill_(float("nan") if value.is_floating_point() else 0)


class _Addresses(TorchDispatchMode):
    """Notes where a step's values lie, without keeping them alive.

    The memory of a CUDA graph is reused within the graph, and kept by it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._floats: dict[int, tuple[int, torch.dtype]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not _writes(func) and not _is_view(func):
            for one in made if isinstance(made, tuple) else (made,):
                if isinstance(one, Tensor) and one.is_cuda and one.is_floating_point():
                    self._floats[_memory(one)] = (one.untyped_storage().nbytes(), one.dtype)
        return made

    def as_tensors(self, device: torch.device) -> dict[int, Tensor]:
        """Tensors on the same memory."""
        return {
            address: torch.as_tensor(_CudaArray(address, size), device=device).view(dtype)
            for address, (size, dtype) in self._floats.items()
            if size
        }


class _CudaArray:
    """Bytes of GPU memory at an address, as torch takes them from other libraries."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
            "version": 2,
        }


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


def _memory(value: Tensor) -> int:
    """The address of the memory that a tensor, and every view of it, lies in."""
    return value.untyped_storage().data_ptr()


def _changed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors that an operator changes in place."""
    for n, argument in enumerate(func._schema.arguments):
        if argument.alias_info and argument.alias_info.is_write:
            given = args[n] if n < len(args) else kwargs.get(argument.name)
            yield from given if isinstance(given, list | tuple) else (given,)


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
    changes the tensors of `state`. The third step is recorded. The tape is used if a replay of it,
    on other inputs and into memory that was spoilt, gives the bits of the step itself (on a GPU,
    where it is a graph, sums of many threads may come in another order), and if the steps that
    follow show that it gains time (a graph always does). Some replays later the same is asked
    again of what is computed then: `ReplayError` is raised if the answer is no.
    """

    def __init__(self, step: Callable[..., Tensor], state: Sequence[Tensor]) -> None:
        self._step, self._state = step, state
        self._calls = self._replays = 0
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
        self._replays += 1
        if self._replays not in _CHECKED_AGAIN:
            self._tape.replay()
            return self._output
        before = _copies(self._state)
        self._tape.replay()
        after, output = _copies(self._state), self._output.clone()
        _restore(self._state, before)
        if not self._agrees(self._tape, before, [output, *after]):
            raise ReplayError(
                "replays of a step of training went wrong; please report this network"
            )
        return output

    def _record(self, inputs: Sequence[Tensor]) -> Tensor:
        """Do the step, noting what it does; use the notes if they are right."""
        self._inputs = [one.clone() for one in inputs]
        with Tape() as tape:
            self._output = self._step(*self._inputs)
        output, after = self._output.clone(), _copies(self._state)
        known = {_memory(one) for one in (*self._state, *self._inputs)}
        # Memory that changes and is no state would be changed twice by the check that follows.
        if tape.complete and all(_memory(one) in known for one in tape.written):
            try:
                if output.is_cuda:
                    with torch.no_grad():
                        _restore(self._inputs, inputs)
                    self._output = tape.capture(lambda: self._step(*self._inputs))
                if self._holds(tape):
                    self._tape = tape
            except RuntimeError:  # torch cannot capture it, or has no memory for it
                if not output.is_cuda:
                    raise
            _restore(self._state, after)
        return output

    def _holds(self, tape: Tape) -> bool:
        """Whether a replay, of other inputs, does what the step does, and writes all it reads."""
        given = [*self._inputs, *tape.arrivals]
        own, before = _copies(given), _copies(self._state)
        _restore(given, [_other(one) for one in given])
        tape.spoil()
        tape.replay(anew=False)
        replayed = [self._output.clone(), *_copies(self._state)]
        _restore(self._state, before)
        holds = self._agrees(tape, before, replayed)
        _restore(given, own)
        return holds

    def _agrees(self, tape: Tape, before: Sequence[Tensor], replayed: Sequence[Tensor]) -> bool:
        """Whether the step itself, done now, ends as a replay did: its output, then its state."""
        with tape.supplying():
            output = self._step(*self._inputs)
        moved = zip(
            [torch.zeros_like(output), *before], replayed, [output, *self._state], strict=True
        )
        return all(_same_move(*one) for one in moved)


def _copies(state: Sequence[Tensor]) -> list[Tensor]:
    return [one.detach().clone() for one in state]


def _restore(state: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for one, value in zip(state, values, strict=True):
            one.copy_(value)


def _other(value: Tensor) -> Tensor:
    """Other numbers of the same kind: the same ones in another order, and a ramp of their size."""
    turned = value.flip(tuple(range(value.ndim)))
    if not value.is_floating_point():
        return turned
    largest = value.abs().max() if value.numel() else value.new_ones(())
    ramp = torch.linspace(0.1, 0.9, value.numel(), device=value.device, dtype=value.dtype)
    return (turned + ramp.view_as(value) * torch.where(largest > 0, largest, 1.0)) / 2


@torch.no_grad()
def _same_move(start: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether a value went from `start` to the same place twice: NaN to NaN, and on a CPU, in bits.

    On a GPU sums may come in another order: the way it went decides, not where it stood before,
    since a step changes weights by little.
    """
    if not one.is_cuda or not one.is_floating_point():
        return bool(((one == other) | (one.isnan() & other.isnan())).all())
    if not one.numel():
        return True
    known = one.isfinite() & other.isfinite()
    if not bool((known | (one == other) | (one.isnan() & other.isnan())).all()):
        return False
    way, size = ((other - start)[known].abs(), other[known].abs())
    if not way.numel():
        return True
    rounding = 8 * torch.finfo(one.dtype).eps * float(size.max())
    return float((one - other)[known].abs().max()) <= 1e-3 * float(way.max()) + rounding
