"""Which cells are trained together, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from augbench.environment import cuda_devices
from augbench.errors import UsageError
from augbench.executors.contract import Executor
from augbench.executors.processes import WorkerProcesses
from augbench.executors.threads import cores
from augbench.options import Options, named
from augbench.plugins.registry import Registry
from augbench.protocol.study import Cell
from augbench.training.packs import early_results, plan_packs

__all__ = ["Dealer", "check_executor", "devices_of", "executor_of", "unique_cells"]


def unique_cells(cells: Iterable[Cell]) -> list[Cell]:
    """The cells without repetition: two data sets of the same content give the same ones."""
    return list({cell.key: cell for cell in cells}.values())


class Dealer:
    """Deals cells into packs, for an engine and a number of workers.

    The whole study is dealt, and packs that miss all of their cells are kept as they are, and so
    are those that were interrupted between two budgets: a study that goes on after an interruption
    trains the very packs that it would have trained without one, so that not even the order of its
    sums differs. What is left is dealt anew.
    """

    def __init__(
        self, cells: Sequence[Cell], *, engine: str, workers: int, device_kind: str
    ) -> None:
        self._workers, self._kind = workers, device_kind
        self._limit = 1 if engine == "reference" else None
        self._whole = self._deal(cells)

    def packs(self, missing: Sequence[Cell]) -> list[list[Cell]]:
        """The packs of the cells that are missing."""
        wanted = {cell.key for cell in missing}
        packs, rest = [], []
        for pack in self._whole:
            lacking = [cell for cell in pack if cell.key in wanted]
            if lacking and _trains_alike(lacking, pack):
                packs.append(lacking)
            else:
                rest += lacking
        return packs + self._deal(rest)

    def _deal(self, cells: Sequence[Cell]) -> list[list[Cell]]:
        packs = plan_packs(cells, self._workers, device_kind=self._kind, pack_limit=self._limit)
        return early_results(packs, self._workers) if self._kind == "cpu" else packs


def _trains_alike(part: Sequence[Cell], pack: Sequence[Cell]) -> bool:
    """True if a part of a pack trains and reads out the same networks together as the pack does."""
    if {cell.path_key for cell in part} != {cell.path_key for cell in pack}:
        return False
    left, all_of_them = Counter(map(_reading, part)), Counter(map(_reading, pack))
    return all(left[reading] == all_of_them[reading] for reading in left)


def _reading(cell: Cell) -> Hashable:
    """The time and way that a backbone is read out: cells alike in it are read out together."""
    return cell.pretrain_steps, cell.readout, cell.finetune.content_hash, cell.finetune_size


def devices_of(name: str) -> tuple[str, ...]:
    """The torch devices that `--device` names: one, `cuda:0,cuda:1`, or every GPU (`cuda:all`).

    Raises `UsageError` where there is no GPU, and for a list that names one twice.
    """
    if name == "auto":
        return ("cuda",) if cuda_devices() else ("cpu",)
    if name == "cuda:all":
        found = cuda_devices()
        if not found:
            raise UsageError(f"{named('device', name)}: no GPU is found here; use cpu")
        return tuple(f"cuda:{number}" for number in range(found))
    devices = tuple(part.strip() for part in name.split(","))
    if "" in devices or len(set(devices)) < len(devices):
        raise UsageError(
            f"{named('device', name)}: expected devices without repetition, as in cuda:0,cuda:1"
        )
    return devices


def check_executor(options: Options, registry: Registry) -> None:
    """Raise the `UsageError` for an executor that is not there or does not take its parameters."""
    if options.executor is not None:
        registry.resolve("executor", options.executor)


def executor_of(options: Options, registry: Registry) -> Executor:
    """The executor that was asked for; by default worker processes, one a core or one a GPU."""
    devices = devices_of(options.device)
    if options.executor is not None:
        component = registry.resolve("executor", options.executor)
        made: Executor = registry.create(component)()
        return made
    workers = options.workers
    if workers == 0:
        from augbench.executors.serial import ThisProcess

        return ThisProcess(registry)
    if workers is None:
        # A GPU is fed best by one process; the CPU by one thread on each core.
        workers = cores() if devices == ("cpu",) else len(devices)
    return WorkerProcesses(workers, devices)
