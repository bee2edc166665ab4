"""Registering a study before it is computed, and telling afterwards where it departed from that.

A registration is a file beside the store: what will be computed, what it is judged by, and when
that was written down. Nosek et al. 2018, *The preregistration revolution*, PNAS 115. It proves to
others what it proves to its author: commit or send it before the study runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augbench.environment import version_of
from augbench.errors import StoreError, UsageError
from augbench.options import differing, named
from augbench.statistics import ALPHA
from augbench.text import cut
from augbench.writing import save

if TYPE_CHECKING:
    from augbench.results import StudyResult
    from augbench.running.plan import Plan
    from augbench.store import PlannedCell

__all__ = [
    "Registration",
    "deviations",
    "register",
    "registered_line",
    "registration_of",
    "registrations",
]

_KEY_LETTERS = 16
"""Of a cell's key, which has 64: two cells of a study share them once in 10¹³ studies."""
_NAMED = 4
"""Differing settings that a report names one by one."""


@dataclass(frozen=True)
class Registration:
    """What was registered of a study.

    `file_hash` is the SHA-256 of the study file's bytes; `description` is the study as the store
    describes it; `cells` are the first letters of the keys of its planned cells. `endpoint` and
    `family` say what the primary tests are, in words.
    """

    registered_at: str
    file: str
    file_hash: str
    version: str
    metric: str
    endpoint: str
    family: str
    alpha: float
    seeds: int
    description: Mapping[str, Any]
    cells: tuple[str, ...]

    @property
    def day(self) -> str:
        """The day it was registered on, UTC, as 2026-01-31."""
        return self.registered_at[:10]

    def computed(self, result: StudyResult) -> dict[str, PlannedCell]:
        """The cells of a study that are registered and have a result, by the letters of the key."""
        planned = set(self.cells)
        keys = {cell.key[:_KEY_LETTERS]: cell for cell in result.all_cells if cell.status == "ok"}
        return {key: cell for key, cell in keys.items() if key in planned}


def register(plan: Plan, file: Path) -> tuple[Registration, Path]:
    """Write down what the study of a file will compute; returns that and where it stands.

    It stands in the folder of the study's store. Raises `UsageError` if any of its cells has a
    result there, if the very study is registered already, or if it has no baseline, so nothing to
    compare; `StoreError` if the folder cannot be written.
    """
    from augbench.store import FILE_NAME, REGISTRATIONS, Store

    out, study = Path(plan.options.out), plan.study
    if study.baseline is None or len(study.arms) < 2:
        raise UsageError(
            f"{file}: a study is registered for its comparisons, and this one has no baseline and "
            f"arm to compare with it; name them with {named('augmentations')}"
        )
    keys = list(dict.fromkeys(cell.key for cell in plan.cells))
    if (out / FILE_NAME).exists():
        with Store.read(out) as store:
            known = len(store.finished(keys))
        if known:
            raise UsageError(
                f"{known} of the study's {len(keys)} cells have a result in {out} already; a study "
                f"is registered before anything of it is computed: name another folder with "
                f"{named('out')}"
            )
    study_bytes = file.read_bytes()
    made = Registration(
        registered_at=datetime.now(UTC).isoformat(timespec="seconds"),
        file=file.name,
        file_hash=hashlib.sha256(study_bytes).hexdigest(),
        version=version_of("augbench"),
        metric=plan.options.metric,
        endpoint=_endpoint(plan),
        family=_family(plan),
        alpha=ALPHA,
        seeds=study.seeds,
        description=json.loads(json.dumps(study.to_json())),
        cells=tuple(key[:_KEY_LETTERS] for key in keys),
    )
    path = out / REGISTRATIONS.replace("*", made.file_hash[:12])
    if path.exists():
        raise UsageError(f"{file} is registered already, in {path}")
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(made), indent=1, ensure_ascii=False)
    save(path, text + "\n", hint=f"name a writable folder with {named('out')}")
    return made, path


def registration_of(result: StudyResult, folder: Path) -> Registration | None:
    """The registration in a folder that is of a study; None without any.

    It shares half of the study's cells with it, or half of its own; of several, the one that shares
    the most, then the earliest. Raises `StoreError` for a file that cannot be
    read.
    """
    of_study = {cell.key[:_KEY_LETTERS] for cell in result.all_cells}
    shared = [
        (len(of_study & set(one.cells)), one.registered_at, one) for one in registrations(folder)
    ]
    found = sorted(
        (one for one in shared if 2 * one[0] >= min(len(of_study), len(one[2].cells)) > 0),
        key=lambda one: (-one[0], one[1]),
    )
    return found[0][2] if found else None


def registered_line(result: StudyResult, folder: Path) -> str:
    """One line: when a study was registered, and its deviations; "" if it was not."""
    registration = registration_of(result, folder)
    if registration is None:
        return ""
    found = deviations(registration, result)
    told = f"deviations: {'; '.join(found)}" if found else "no deviations"
    return f"registered on {registration.day}, {told}"


def registrations(folder: Path) -> Iterator[Registration]:
    """The registrations in a folder, by name; raises `StoreError` for one that cannot be read."""
    from augbench.store import REGISTRATIONS

    for path in sorted(folder.glob(REGISTRATIONS)):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            yield Registration(**{**fields, "cells": tuple(fields["cells"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{path}: expected a registration as `augbench register` writes it, got "
                f"{type(error).__name__}: {error}; restore the file, or move it away"
            ) from None


def deviations(registration: Registration, result: StudyResult) -> tuple[str, ...]:
    """Where a study departed from what was registered, each in a few words; none where nowhere."""
    return tuple(_deviations(registration, result))


def _deviations(registration: Registration, result: StudyResult) -> Iterator[str]:
    planned = set(registration.cells)
    done = {cell.key: cell for cell in result.all_cells if cell.status == "ok"}
    lacking = len(planned) - len(registration.computed(result))
    if lacking:
        yield f"{lacking} of {len(planned)} registered cells have no result in this study"
    # What trials have chosen cannot be registered as cells; their search is, with the settings. An
    # arm for which they chose its own settings is one cell with the untuned arm, which has to be.
    own = {cell.key[:_KEY_LETTERS] for cell in result.all_cells if cell.role != "tuned"}
    extra = len(own - planned)
    if extra:
        yield f"{extra} cells were not registered"
    began = datetime.fromisoformat(registration.registered_at).timestamp()
    early = sum(cell.finished_at is not None and cell.finished_at < began for cell in done.values())
    if early:
        yield f"{early} results are older than the registration"
    if result.metric != registration.metric:
        yield f"this is about {result.metric}, and {registration.metric} is registered"
    if not result.condition(result.pairs[0]).primary:
        yield "this is not the study's primary condition, which is registered"
    if version_of("augbench") != registration.version:
        yield f"AugBench {version_of('augbench')}, registered with {registration.version}"
    stored = json.loads(json.dumps(dict(result.stored.description)))
    settings = _differing(registration.description, stored)
    yield from settings[:_NAMED]
    if len(settings) > _NAMED:
        yield f"{len(settings) - _NAMED} more settings"


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions, as `seeds is 6, registered 7`."""
    lines = []
    for path, registered, stored in differing(first, second):
        if path == ("arms",):
            lines += _others(registered, stored, lambda arm: str(arm["shown"]))
        elif isinstance(registered, list) and isinstance(stored, list):
            words = _others(registered, stored, _short) or ["in another order"]
            lines += [f"{'.'.join(path)} {each}" for each in words]
        elif "spec" not in path:  # of a data set: where it stands, which its content hash outlives
            lines.append(f"{'.'.join(path)} is {_short(stored)}, registered {_short(registered)}")
    return lines


def _others(
    registered: Sequence[Any], stored: Sequence[Any], told: Callable[[Any], str]
) -> list[str]:
    """The items that a list lacks, and those that it has besides, in words; none of the same."""
    return [
        f"{words} {', '.join(map(told, some))}"
        for words, some in (
            ("without", [one for one in registered if one not in stored]),
            ("with, unregistered,", [one for one in stored if one not in registered]),
        )
        if some
    ]


def _short(value: Any) -> str:
    return cut("nothing" if value is None else json.dumps(value, ensure_ascii=False), 40)


def _endpoint(plan: Plan) -> str:
    study, (pretrain, finetune) = plan.study, plan.study.pairs[0]
    where = f"{pretrain.name} → {finetune.name}, {study.judged_by.label}"
    readout = study.readouts[0] + (", tuned" if study.search is not None else "")
    sizes = study.samples_per_class
    what = (
        f"area under the curve of {plan.options.metric} over {sizes[0]} to {sizes[-1]} samples per "
        "class"
        if len(sizes) > 1
        else f"{plan.options.metric} at {sizes[0]} samples per class"
    )
    assert study.baseline is not None
    return (
        f"{what}, each arm minus {study.baseline.label}, paired by seed, by two-sided sign flips; "
        f"{where}, readout {readout}"
    )


def _family(plan: Plan) -> str:
    study = plan.study
    arms, sizes = len(study.arms) - 1, len(study.samples_per_class)
    each = f"its area and {sizes} sizes" if sizes > 1 else "its one size"
    return (
        f"{arms} {'arm' if arms == 1 else 'arms, each'} with {each}, corrected together by the "
        "step-down greatest statistic; every other condition is exploratory"
    )
