"""The operators and kernels that a step ends in, noted with the memory that each reads and writes.

A recorded step is a list of calls without arguments:

    step:    y = x @ w          tape:  mm.out(x, w, out=y)
             y = y.relu()              relu.out(y, out=z)      the same y, at the same address
             w -= 0.1 * slope          w.sub_(slope, alpha=0.1)

To replay it is to call them in turn: views, allocations and autograd's bookkeeping are gone, since
they gave the same addresses each time. On a GPU, a CUDA graph takes the place of the list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Tape", "memory_of", "note_kernel", "refresh_each_replay"]

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
            self._made |= {memory_of(one): one for one in results if isinstance(one, Tensor)}
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.complete = False  # it draws random numbers
        elif _writes(func):
            self.written += [
                one for one in _changed(func, args, kwargs) if memory_of(one) not in self._made
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

    def replay(self, *, refresh: bool = True) -> None:
        """Do it all again; `refresh` what came from outside the step, or leave it as it is."""
        with torch.no_grad():
            if refresh:
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
                    self._floats[memory_of(one)] = (one.untyped_storage().nbytes(), one.dtype)
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


def refresh_each_replay(produce: Callable[[], Tensor]) -> Tensor:
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


def memory_of(value: Tensor) -> int:
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
