"""Every metric of a cell, declared once: results, reports, exports and comparisons read it here.

A new metric is a row of `METRICS`, and the number in the results of the cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from augbench.protocol.shift import SHIFT_ACCURACY

__all__ = ["COMPARABLE", "METRICS", "PRIMARY", "Metric", "metric"]


@dataclass(frozen=True)
class Metric:
    """A metric: `name` in results and exports, `title` and `short` name in reports.

    `of` is the training that it judges, so that reports can name its data set. Reports show the
    stored value times `factor`, in `unit`, with `decimals` for one cell and `decimals_of_mean` for
    means over seeds. Two computations of one cell may differ by `tolerance` in the stored value;
    None where the metric is no result of the protocol, such as a duration. `drawn` metrics have
    curves. Those that come `from_predictions` are not in a cell's stored metrics: they are computed
    from its predicted classes and the true ones, where both are known (`augbench.results`).
    One that comes `from_shift` is the mean over the corruptions of a study. `no_multipliers` says
    why more labels need not improve it, where they need not.
    """

    name: str
    title: str
    short: str
    unit: str
    of: Literal["pretraining", "finetuning"]
    better: Literal["higher", "lower", "neither"]
    decimals: int
    decimals_of_mean: int
    factor: float = 1.0
    tolerance: float | None = None
    drawn: bool = False
    hint: str = ""
    from_predictions: bool = False
    from_shift: bool = False
    no_multipliers: str = ""

    @property
    def comparable(self) -> bool:
        """True if verdicts can be about it: a result of finetuning, with a direction."""
        is_result = self.of == "finetuning" and self.tolerance is not None
        return is_result and self.better != "neither"

    @property
    def head(self) -> str:
        """The head of a column: the short name and the unit."""
        return f"{self.short}, {self.unit}" if self.unit else self.short

    @property
    def caption(self) -> str:
        """The title of a table: the short name in its unit."""
        return f"{self.short} in {self.unit}" if self.unit else self.short

    @property
    def axis(self) -> str:
        """The label of an axis: the title and the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def unit_of_difference(self) -> str:
        """The unit of a difference: of two percentages, points."""
        return "points" if self.unit == "%" else self.unit


_UNSTEADY = "more labels need not lower a calibration error, and a mere guess may have a low one"

METRICS = (
    Metric(
        "accuracy",
        "test accuracy",
        "accuracy",
        unit="%",
        of="finetuning",
        better="higher",
        decimals=2,
        decimals_of_mean=1,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Share of the test images that are classified right",
    ),
    Metric(
        "nll",
        "log loss",
        "log loss",
        unit="nats",
        of="finetuning",
        better="lower",
        decimals=3,
        decimals_of_mean=3,
        tolerance=0.05,
        drawn=True,
        hint="Negative log-likelihood",
    ),
    Metric(
        "ece",
        "expected calibration error",
        "ECE",
        unit="%",
        of="finetuning",
        better="lower",
        decimals=2,
        decimals_of_mean=2,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Expected calibration error, 15 bins",
        no_multipliers=_UNSTEADY,
    ),
    Metric(
        "temperature",
        "temperature",
        "temperature",
        unit="",
        of="finetuning",
        better="neither",
        decimals=3,
        decimals_of_mean=3,
        hint="Divides the logits of the finetuned head in the scaled metrics",
    ),
    Metric(
        "nll_scaled",
        "log loss after scaling",
        "log loss scaled",
        unit="nats",
        of="finetuning",
        better="lower",
        decimals=3,
        decimals_of_mean=3,
        tolerance=0.05,
        drawn=True,
        hint="After temperature scaling",
    ),
    Metric(
        "ece_scaled",
        "expected calibration error after scaling",
        "ECE scaled",
        unit="%",
        of="finetuning",
        better="lower",
        decimals=2,
        decimals_of_mean=2,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="After temperature scaling",
        no_multipliers=_UNSTEADY,
    ),
    Metric(
        "balanced_accuracy",
        "balanced test accuracy",
        "balanced accuracy",
        unit="%",
        of="finetuning",
        better="higher",
        decimals=2,
        decimals_of_mean=1,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Mean over classes of the share of a class's test images that are classified right",
        from_predictions=True,
    ),
    Metric(
        "macro_f1",
        "macro-averaged F1",
        "macro-F1",
        unit="%",
        of="finetuning",
        better="higher",
        decimals=2,
        decimals_of_mean=1,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Mean over classes of F1, which counts missed and wrongly claimed images",
        from_predictions=True,
    ),
    Metric(
        SHIFT_ACCURACY,
        "test accuracy under shift",
        "shift accuracy",
        unit="%",
        of="finetuning",
        better="higher",
        decimals=2,
        decimals_of_mean=1,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Mean accuracy over the study's corruptions of the test images and their strengths",
        from_shift=True,
    ),
    Metric(
        "pretrain_accuracy",
        "accuracy of the pretraining head",
        "pretraining head",
        unit="%",
        of="pretraining",
        better="higher",
        decimals=2,
        decimals_of_mean=1,
        factor=100,
        tolerance=0.01,
        drawn=True,
        hint="Share of the pretraining set's test images that its own head gets right",
    ),
    Metric(
        "pretrain_nll",
        "log loss of the pretraining head",
        "pretraining log loss",
        unit="nats",
        of="pretraining",
        better="lower",
        decimals=3,
        decimals_of_mean=3,
        tolerance=0.05,
        hint="Negative log-likelihood",
    ),
    Metric(
        "pretrain_seconds",
        "time of pretraining",
        "pretraining",
        unit="s",
        of="pretraining",
        better="lower",
        decimals=2,
        decimals_of_mean=2,
        hint="The cell's share of its pack's pretraining loop",
    ),
    Metric(
        "extra_passes",
        "passes beyond a plain step",
        "extra passes",
        unit="",
        of="pretraining",
        better="lower",
        decimals=0,
        decimals_of_mean=0,
        hint="Forward and backward passes of the augmentation beyond one a step",
    ),
)
"""Every metric, in the order of exports."""

PRIMARY = METRICS[0]
"""The metric that verdicts are about unless the user names another, see `COMPARABLE`."""

COMPARABLE = tuple(one.name for one in METRICS if one.comparable)
"""The names of the metrics that verdicts can be about, the choices of `--metric`."""

_BY_NAME = {one.name: one for one in METRICS}


def metric(name: str) -> Metric:
    """The metric of that name; `KeyError` if there is none."""
    return _BY_NAME[name]
