"""The forecast of a planned study, of findings and time: a few lines before anything trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from augbench.forecasting.duration import estimated, missing_cells, words
from augbench.forecasting.noise import stored_noise, typical_noise
from augbench.options import named
from augbench.protocol.metrics import metric as metric_named
from augbench.running.plan import Plan
from augbench.statistics import attainable_p, seeds_to_reach, study_power

__all__ = ["Expected", "expected"]

_POWER = 0.8
_STUDIES = 200  # simulated: what is told has two digits


@dataclass(frozen=True)
class Expected:
    """The finds of a study of `seeds` seeds among `arms` arms beside the baseline.

    `seeds_needed` are the least that any significant p-value takes. `detectable` is the least true
    difference, on average over the sizes, that 4 studies of 5 establish, in `unit`, and
    `detectable_at` the same at single sizes, the smallest and the largest; NaN where there is
    none, or where no noise is known. `noise` names the source of the noise, which is another
    study's if it is `typical`. `cells` are to be computed; `seconds` is None where the time is not
    known, and `basis` names what it rests on.
    """

    seeds: int
    arms: int
    seeds_needed: int
    unit: str
    detectable: float
    detectable_at: Mapping[int, float]
    noise: str
    typical: bool
    cells: int
    seconds: float | None
    basis: str

    @property
    def warning(self) -> str:
        """One line where no result could be significant; else ""."""
        if not self.arms or self.seeds >= self.seeds_needed:
            return ""
        seeds = f"{self.seeds} seed{'s' * (self.seeds != 1)}"
        if self.seeds == 1:
            least = "one seed has no noise to compare with"
        else:
            least = f"the least p-value is {attainable_p(self.seeds):.2g}"
        return (
            f"{seeds} cannot establish any difference ({least}); "
            f"{named('seeds', self.seeds_needed)} is the least that can, and cells that are stored "
            "are kept"
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """The forecast in words, a line each; without the warning."""
        return tuple(filter(None, (self._finds, self._takes)))

    @property
    def _finds(self) -> str:
        if not self.arms or self.seeds < self.seeds_needed or not self.noise:
            return ""
        among = f"{self.arms} arms" if self.arms > 1 else "one arm"
        source = f"noise of {self.noise}"
        if self.typical:
            source = f"typical noise, of {self.noise}; a pilot tells yours: augbench power"
        if math.isnan(self.detectable):
            return f"{self.seeds} seeds seldom find a difference among {among} ({source})"
        single = "; ".join(
            f"at {size}: {_number(value)}" if not math.isnan(value) else f"at {size}: hardly any"
            for size, value in self.detectable_at.items()
        )
        whole = " on average over the sizes" if single else ""
        return (
            f"{self.seeds} seeds find, four times in five, a difference of "
            f"{_number(self.detectable)} {self.unit} or more{whole}"
            f"{f' ({single})' if single else ''}, among {among} ({source})"
        )

    @property
    def _takes(self) -> str:
        if not self.cells:
            return ""
        cells = f"{self.cells:,} cell{'s' * (self.cells != 1)} to compute"
        if self.seconds is None and self.basis:
            return f"{cells}; {self.basis}"
        if self.seconds is None:
            return (
                f"{cells}; nothing alike was trained on this machine, so the time is not known: "
                "--dry-run --time measures it"
            )
        return f"{cells}, about {words(self.seconds)} ({self.basis})"


def expected(plan: Plan) -> Expected:
    """Forecast a planned study: `expected(plan("mixup", seeds=8))`; trains nothing.

    The noise is that of the latest study in the plan's store that is alike and has 3 seeds or
    more; else typical values, which exist for accuracy. The time is that of the cells which the
    store lacks, by what the store says that others took on this machine.
    """
    study, options = plan.study, plan.options
    arms = len(study.arms) - 1 if study.baseline is not None else 0
    one = metric_named(options.metric)
    missing = missing_cells(plan)
    duration = estimated(plan, missing)
    basis = "" if duration is None else duration.basis
    if options.executor is not None:
        basis = f"how long {named('executor', options.executor)} takes is not known"
    needed = seeds_to_reach()
    detectable, at, noise, typical = math.nan, dict[int, float](), "", False
    if arms and study.seeds >= needed:
        pretrain, finetune = study.pairs[0]
        known = stored_noise(options.out, study, options.metric)
        known = known or typical_noise((pretrain.name, finetune.name), options.metric)
        if known is not None:
            noise, typical = known.source, known.typical
            here = known.noise.at(study.samples_per_class)
            sizes = study.samples_per_class
            ends = dict.fromkeys((sizes[0], sizes[-1])) if len(sizes) > 1 else {}
            shares = one.unit == "%"
            detectable, *singles = (
                one.factor * _possible(found.detectable(_POWER), shares)
                for found in (
                    study_power(here, study.seeds, arms=arms, size=size, studies=_STUDIES)
                    for size in (None, *ends)
                )
            )
            at = dict(zip(ends, singles, strict=True))
    return Expected(
        seeds=study.seeds,
        arms=arms,
        seeds_needed=needed,
        unit=one.unit_of_difference,
        detectable=detectable,
        detectable_at=at,
        noise=noise,
        typical=typical,
        cells=len(missing),
        seconds=None if duration is None else duration.seconds,
        basis=basis,
    )


def _possible(difference: float, shares: bool) -> float:
    """The difference, NaN where it is more than half of all that a share can be."""
    return math.nan if shares and difference > 0.5 else difference


def _number(value: float) -> str:
    """Two digits, since a forecast has no more."""
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
