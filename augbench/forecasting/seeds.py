"""The seeds that a wanted difference takes, by a pilot's noise: for planning the real study."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from augbench.errors import StoreError, UsageError
from augbench.executors.threads import cores
from augbench.forecasting.duration import words
from augbench.forecasting.noise import KnownNoise, noise_of, typical_noise
from augbench.planning import plan
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.metrics import metric as metric_named
from augbench.results import Pair, StudyResult
from augbench.running.plan import Plan
from augbench.statistics import PairedNoise, images_needed, seeds_to_reach, study_seeds
from augbench.store import FILE_NAME, Store

__all__ = ["Power", "WantedDifference", "power"]

MOST = 500
"""More seeds than this are no plan."""
_STUDIES = 200  # simulated; seeds are then told to about a twelfth, far closer than a pilot is


@dataclass(frozen=True)
class WantedDifference:
    """The study that finds a true `difference`, in the metric's unit, with the wanted power.

    `seeds` is None above 500. `fewest` and `most` are the seeds at the ends of what the pilot's
    noise may be (95 %); None above 500. `cells` and `seconds` are of the whole study, None where
    they are not known. `images` are the test images with which that difference is no luck of which
    images they are, where there are fewer, and None where there are enough.
    """

    difference: float
    seeds: int | None
    fewest: int | None
    most: int | None
    cells: int | None
    seconds: float | None
    images: int | None = None


@dataclass(frozen=True)
class Power:
    """The needs of a study with a pilot's noise that is to find differences: see `power`.

    `noise_of_average` is the standard deviation over seeds of a paired difference, on average over
    the sizes, and `noise_by_size` that at each size, both in `unit`. `off_by` are the factors
    between which the true noise lies (95 %). `pair` are the data sets of the planned study, and
    `test_images` the number that it measures on.
    """

    source: str
    typical: bool
    arms: int
    size: int | None
    chance: float
    seeds_needed: int
    pilot_seeds: int
    unit: str
    noise_of_average: float
    noise_by_size: Mapping[int, float]
    off_by: tuple[float, float]
    rows: tuple[WantedDifference, ...]
    time_source: str
    pair: Pair
    test_images: int

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in words, a line each."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        kind = "typical noise, measured on" if self.typical else "pilot:"
        pair = " → ".join(self.pair)
        known = pair.casefold() in self.source.casefold()
        other = "" if known else f"; none is known of {pair}, which may have another"
        yield f"{kind} {self.source}, {self.pilot_seeds} seeds{other}"
        sizes = ", ".join(f"{size}: {value:.1f}" for size, value in self.noise_by_size.items())
        yield (
            f"noise of a paired difference over seeds, in {self.unit}: {self.noise_of_average:.1f} "
            f"on average over the sizes; by samples per class {sizes}"
        )
        low, high = self.off_by
        yield (
            f"with {self.pilot_seeds} seeds, the true noise lies between {low:.2g} and {high:.2g} "
            "times that (95%)"
        )
        where = "on average over the sizes" if self.size is None else f"at {self.size} a class"
        among = f"{self.arms} arms" if self.arms > 1 else "one arm"
        yield (
            f"any significance takes {self.seeds_needed} seeds; to find a difference {where} among "
            f"{among}, {100 * self.chance:g} times in 100:"
        )
        for row in self.rows:
            unit = "point" if abs(row.difference) == 1 and self.unit == "points" else self.unit
            yield f"  {row.difference:g} {unit}: {self._study(row)}"
        if self.time_source:
            yield f"time: {self.time_source}"

    def _study(self, row: WantedDifference) -> str:
        if row.seeds is None:
            return f"more than {MOST} seeds{self._luck(row)}"
        most = f"over {MOST}" if row.most is None else str(row.most)
        span = f" ({row.fewest} to {most} within the uncertainty of the noise)"
        cells = "" if row.cells is None else f", {row.cells:,} cells"
        time = "" if row.seconds is None else f", about {words(row.seconds)}"
        return f"{row.seeds} seed{'s' * (row.seeds != 1)}{span}{cells}{time}{self._luck(row)}"

    def _luck(self, row: WantedDifference) -> str:
        """The test images that are lacking, in words."""
        if row.images is None:
            return ""
        return (
            f"; but on {self.test_images:,} test images it may be the luck of which they are: it "
            f"takes about {_rounded(row.images):,}"
        )


def power(
    pilot: str | os.PathLike[str] | StudyResult | None = None,
    *,
    planned: Plan | None = None,
    detect: float | Sequence[float] = 1.0,
    arms: int | None = None,
    samples_per_class: Sequence[int] | None = None,
    size: int | None = None,
    chance: float = 0.8,
    metric: str = PRIMARY.name,
    study: int | None = None,
    workers: int | None = None,
) -> Power:
    """The seeds, cells and time that it takes to find a difference: `power("pilot", detect=1)`.

    `pilot` is the folder of a run, of whose `study` (the latest by default) the noise is taken, or
    its result; without one, typical values serve, which go by the data sets. `planned` is the
    study to be, as `augbench.api.plan` gives it: without it, the study is as the pilot, or by
    default as `augbench.run()` would make it. `detect` are true differences in the metric's
    unit (points of accuracy), on average over the sizes, or at one `size`; a study finds them with
    probability `chance`. `arms` beside the baseline and `samples_per_class` are those of the
    planned study, where they are not the plan's or the pilot's. The test is the report's own, by
    simulation: `augbench.statistics.study_power`. Of accuracy, it is also told how many test images
    a difference takes, where the planned study has fewer: `augbench.statistics.least_difference`.

    Seconds are those of the pilot's cells, scaled to the planned number of cells, on `workers`
    (by default the cores of this machine). Raises `UsageError` for a pilot of fewer than 3 seeds,
    and `StoreError` where there is none.
    """
    result = _result(pilot, metric, study)
    if result is None and planned is None:
        planned = plan()
    pair, images = _measured_on(result, planned)
    known = _noise(result, pair, metric)
    one = metric_named(metric)
    if planned is not None:
        samples_per_class = samples_per_class or planned.study.samples_per_class
        arms = (
            len(planned.study.arms) - (planned.study.baseline is not None) if arms is None else arms
        )
    noise = known.noise if samples_per_class is None else known.noise.at(samples_per_class)
    compared = arms if arms is not None else known.noise.arms
    if compared < 1:
        raise UsageError(f"arms: expected one or more beside the baseline, got {compared}")
    if not 0.05 < chance < 1:
        raise UsageError(f"chance: expected a share between 0.05 and 1, got {chance:g}")
    wanted = [detect] if isinstance(detect, (int, float)) else list(detect)
    if not wanted or not all(0 < abs(value) < float("inf") for value in wanted):
        raise UsageError(f"detect: expected differences other than 0, got {detect}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers: expected one or more, got {workers}")
    off_by = noise.uncertainty()
    slots = cores() if workers is None else workers
    per_seed = _per_seed(result, noise, compared)

    def row(difference: float) -> WantedDifference:
        effect = abs(difference) / one.factor
        seeds, fewest, most = (
            study_seeds(
                *(noise, effect / factor),
                arms=compared,
                size=size,
                power=chance,
                studies=_STUDIES,
            )
            for factor in (1.0, *off_by)
        )
        cells, busy = per_seed
        enough = images_needed(effect, seeds or MOST) if one is PRIMARY else 0
        return WantedDifference(
            difference,
            seeds,
            fewest,
            most,
            None if seeds is None or cells is None else round(seeds * cells),
            None if seeds is None or busy is None else seeds * busy / slots,
            enough if enough > images else None,
        )

    source = ""
    if per_seed[1] is not None:
        source = f"from the pilot's cells, on {slots} worker{'s' * (slots != 1)}"
    return Power(
        source=known.source,
        typical=known.typical,
        arms=compared,
        size=size,
        chance=chance,
        seeds_needed=seeds_to_reach(),
        pilot_seeds=noise.seeds,
        unit=one.unit_of_difference,
        noise_of_average=one.factor * noise.sd_of_area,
        noise_by_size={
            size: one.factor * float(sd)
            for size, sd in zip(noise.sizes, noise.sd_by_size, strict=True)
        },
        off_by=off_by,
        rows=tuple(map(row, wanted)),
        time_source=source,
        pair=pair,
        test_images=images,
    )


def _result(
    pilot: str | os.PathLike[str] | StudyResult | None, metric: str, study: int | None
) -> StudyResult | None:
    if pilot is None or isinstance(pilot, StudyResult):
        return pilot if pilot is None else pilot.about(metric)
    folder = Path(pilot)
    if not (folder.is_file() or (folder / FILE_NAME).exists()):
        raise StoreError(f"pilot: no store at {str(folder)!r}; expected the folder of a run")
    with Store.read(folder) as store:
        return StudyResult(store.study(study), metric=metric)


def _measured_on(result: StudyResult | None, planned: Plan | None) -> tuple[Pair, int]:
    """The names of the first two data sets of the planned study, and its test images."""
    if planned is not None:
        pretrain, finetune = planned.study.pairs[0]
        return (pretrain.name, finetune.name), finetune.test_size
    assert result is not None
    pair = result.pairs[0]
    return pair, int(result.stored.description["datasets"][pair[1]]["test_size"])


def _noise(result: StudyResult | None, pair: Pair, metric: str) -> KnownNoise:
    if result is None:
        known = typical_noise(pair, metric)
        if known is None:
            raise UsageError(f"no typical noise is known for {metric!r}; name a pilot")
        return known
    return KnownNoise(noise_of(result), " → ".join(result.pairs[0]), False)


def _per_seed(
    result: StudyResult | None, noise: PairedNoise, arms: int
) -> tuple[float | None, float | None]:
    """The cells of one seed, and their seconds, of a study of that design."""
    if result is None:
        return float((arms + 1) * len(noise.sizes)), None
    cells = {cell.key: cell for cell in result.all_cells}.values()
    planned = (arms + 1) / len(result.augmentations) * len(noise.sizes) / len(result.sizes)
    done = [cell.result.seconds for cell in cells if cell.status == "ok" and cell.result]
    per_seed = planned * len(cells) / result.seeds
    return per_seed, per_seed * sum(done) / len(done) if done else None


def _rounded(count: int) -> int:
    """Two digits of a number, upwards: what is told of images is no better."""
    step = int("1".ljust(len(str(count)) - 1, "0"))
    return math.ceil(count / step) * step
