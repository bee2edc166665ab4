"""What becomes of a pack whose process ended: who is to blame, and what is trained again.

The process said whose code it entered (`Place`). Where that names a cell, or an arm at its first
look, these cells alone fail; where nothing tells, as when memory ran out, the pack is tried once
more and then halved, until the cell that ends its process is alone. Whatever is not to blame is
trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from augbench.executors.contract import Emit, Finished, Pack
from augbench.options import named
from augbench.plugins.guard import Place
from augbench.protocol.cell_result import CellResult, Failure
from augbench.protocol.study import Cell
from augbench.training.packs import units_of

__all__ = ["Loss", "Recovery"]


@dataclass(frozen=True)
class Loss:
    """The end of a process, in words, the kind of failure it is, and whose code it was in."""

    how: str
    failure: Failure
    place: Place | None = None

    def result(self, cell: Cell) -> CellResult:
        """The result of a cell that is to blame."""
        name = "TimedOut" if self.failure == "timed out" else "WorkerDied"
        where = f"in {self.place.who}" if self.place else "while this cell was trained, alone"
        hint = "" if self.place else f"; if memory ran out, use fewer {named('workers')}"
        return CellResult(
            key=cell.key,
            error=f"{name}: the process {self.how} {where}{hint}",
            lost=self.failure,
        )


class Recovery:
    """Remembers what ended processes, so that the same does not end one pack's after the other."""

    def __init__(self) -> None:
        self._doomed: list[tuple[Callable[[Cell], bool], Loss]] = []
        self._seen: set[frozenset[str]] = set()

    def next_pack(
        self, again: list[list[Cell]], fresh: Iterator[Pack], emit: Emit
    ) -> list[Cell] | None:
        """The next pack that is worth a try, those to be trained again first; None if none is left.

        The failures of cells that are not worth one are emitted.
        """
        while (pack := again.pop() if again else next(fresh, None)) is not None:
            fit, failures = self.without_doomed(pack)
            for failure in failures:
                emit(failure)
            if fit:
                return fit
        return None

    def without_doomed(self, pack: Pack) -> tuple[list[Cell], list[Finished]]:
        """The cells of a pack that are worth a try, and the failures of those that are not."""
        fit, failures = [], []
        for cell in pack:
            loss = next((loss for matches, loss in self._doomed if matches(cell)), None)
            if loss is None:
                fit.append(cell)
            else:
                failures.append(Finished(cell, loss.result(cell)))
        return fit, failures

    def after(self, pack: Sequence[Cell], loss: Loss) -> tuple[list[Finished], list[list[Cell]]]:
        """What a loss means for the cells of a pack that have not ended.

        Returns the failures of those that are to blame, and the packs to train again.
        """
        matches = _blamed(loss.place)
        if matches is None:
            keys = frozenset(cell.key for cell in pack)
            if loss.failure == "crashed" and keys not in self._seen:
                self._seen.add(keys)
                # Something outside may have ended it. The same pack gives the very same numbers.
                return [], [list(pack)]
            units = units_of(pack)
            if len(units) > 1:
                half = len(units) // 2
                halves = [_flat(units[:half]), _flat(units[half:])]
                self._seen |= {frozenset(cell.key for cell in one) for one in halves}
                return [], halves
            return [Finished(cell, loss.result(cell)) for cell in pack], []
        assert loss.place is not None
        if loss.place.first:
            self._doomed.append((matches, loss))
        guilty = [cell for cell in pack if matches(cell)]
        rest = [cell for cell in pack if not matches(cell)]
        # Cells of one arm may all do it: by themselves, they cost nobody else another start.
        alike = [cell for cell in rest if cell.pipeline.label == loss.place.pipeline]
        others = [cell for cell in rest if cell.pipeline.label != loss.place.pipeline]
        failures = [Finished(cell, loss.result(cell)) for cell in guilty]
        return failures, [part for part in (others, alike) if part]


def _blamed(place: Place | None) -> Callable[[Cell], bool] | None:
    """Tells the cells to blame for what happened at a place; None where it does not say."""
    if place is None:
        return None
    path, pipeline, dataset = place.path, place.pipeline, place.dataset
    if path:
        return lambda cell: cell.path_key == path
    if pipeline:
        return lambda cell: cell.pipeline.label == pipeline
    if dataset:
        return lambda cell: dataset in (cell.pretrain.content_hash, cell.finetune.content_hash)
    return None


def _flat(units: Iterable[Sequence[Cell]]) -> list[Cell]:
    return [cell for unit in units for cell in unit]
