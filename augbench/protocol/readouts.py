"""Readouts: the ways to judge a pretrained backbone.

They share one pretraining. `augbench.training` fits them; here stands what a plan, a key and a
report need to know of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augbench.errors import UsageError
from augbench.options import Settings
from augbench.options.option import Part
from augbench.protocol.metrics import METRICS, PRIMARY
from augbench.protocol.shift import SHIFT_ACCURACY

__all__ = ["LINEAR", "OWN_HEAD", "READOUTS", "Readout", "check_metric", "readout"]

_LIKELIHOOD = ("nll", "ece")
_SCALED = ("temperature", "nll_scaled", "ece_scaled")
_FROM_PREDICTIONS = tuple(one.name for one in METRICS if one.from_predictions)
_OF_BOTH = ("samples_per_class", "calibration_samples_per_class")


@dataclass(frozen=True)
class Readout:
    """A way to judge a pretrained backbone.

    `words` name it in a sentence. `settings` is the part of the settings that it is fitted by, ""
    for none; `steps_setting` the setting that tells how many steps that takes, and
    `calibrated` is True if images are held out to fit a temperature. A readout that is not
    `on_finetuning_data` judges on D_P. `metrics` are the metrics it has, accuracy apart.
    """

    name: str
    words: str
    settings: Part | None = None
    steps_setting: str = ""
    calibrated: bool = False
    on_finetuning_data: bool = True
    metrics: tuple[str, ...] = ()

    def has(self, metric: str) -> bool:
        """True if its cells have that metric.

        All have accuracy, what predictions give, and what is measured under shift.
        """
        return metric in (PRIMARY.name, SHIFT_ACCURACY, *_FROM_PREDICTIONS, *self.metrics)

    def steps(self, settings: Settings) -> int:
        """The steps that fitting it takes."""
        return getattr(settings, self.steps_setting) if self.steps_setting else 0

    def key_part(self, settings: Settings, finetune_hash: str) -> dict[str, Any]:
        """The part of a cell's key that tells it from other readouts of the same pretraining."""
        parts = settings.key_parts
        if self is LINEAR:  # as in the keys of the first cells, which knew no other readout
            return {"dataset": finetune_hash, **parts["finetuning"]}
        own: dict[str, Any] = {"readout": self.name}
        if self.settings:
            own |= parts[self.settings]
        if self.on_finetuning_data:
            own["dataset"] = finetune_hash
            shared = _OF_BOTH if self.calibrated else _OF_BOTH[:1]
            own |= {name: parts["finetuning"][name] for name in shared}
        return own


LINEAR = Readout(
    "linear",
    "a linear head on frozen features",
    settings="finetuning",
    steps_setting="finetune_steps",
    calibrated=True,
    metrics=(*_LIKELIHOOD, *_SCALED),
)
OWN_HEAD = Readout(
    "own-head",
    "the pretraining head itself",
    on_finetuning_data=False,
    metrics=_LIKELIHOOD,
)
_NEIGHBOURS = Readout("knn", "the nearest neighbours among frozen features", settings="knn")
_FULL = Readout(
    "full",
    "full finetuning of all weights",
    settings="full",
    steps_setting="full_steps",
    calibrated=True,
    metrics=(*_LIKELIHOOD, *_SCALED),
)
READOUTS = {one.name: one for one in (LINEAR, OWN_HEAD, _NEIGHBOURS, _FULL)}
"""Every readout, by its name."""


def readout(name: str) -> Readout:
    """The readout of that name; `KeyError` if there is none."""
    return READOUTS[name]


def check_metric(metric: str, name: str) -> None:
    """Raise `UsageError` for a metric that a readout lacks, as nearest neighbours lack log loss."""
    one = READOUTS[name]
    if not one.has(metric):
        known = [
            row.name
            for row in METRICS
            if row.comparable and one.has(row.name) and not row.from_shift
        ]
        raise UsageError(
            f"metric {metric!r}: the readout {name!r} has none; it has {', '.join(known)}"
        )
