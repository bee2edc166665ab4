"""The recipe of one training: how its weights are learnt, pretraining's or finetuning's."""

from __future__ import annotations

from dataclasses import dataclass, fields

from augbench.options import PREFIXES, Settings, Training

__all__ = ["Recipe"]

OF_EACH_CELL = ("learning_rate", "momentum", "weight_decay", "label_smoothing", "clip_norm")
"""Numbers that trainings which are taken together may each have of their own."""


@dataclass(frozen=True)
class Recipe:
    """The way in which one training learns weights; options of the same names explain the values.

    A `clip_norm` of 0 means no clipping. The defaults are the handout's.
    """

    learning_rate: float = Settings.learning_rate
    optimizer: str = Settings.optimizer
    momentum: float = Settings.momentum
    nesterov: bool = Settings.nesterov
    weight_decay: float = Settings.weight_decay
    schedule: str = Settings.schedule
    milestones: tuple[float, ...] = Settings.milestones
    milestone_factor: float = Settings.milestone_factor
    warmup: float = Settings.warmup
    label_smoothing: float = Settings.label_smoothing
    clip_norm: float = Settings.clip_norm

    @classmethod
    def of(cls, settings: Settings, part: Training) -> Recipe:
        """The recipe of pretraining, of the head in finetuning, or of full finetuning.

        Without a learning rate of its own, finetuning has pretraining's; but if it has another
        optimizer, for which that rate is not meant, it has the handout's 0.01.
        """
        prefix = PREFIXES[part]
        values = {one.name: getattr(settings, f"{prefix}{one.name}") for one in fields(cls)}
        if values["learning_rate"] is None:
            same = settings.optimizer == values["optimizer"]
            values["learning_rate"] = settings.learning_rate if same else Settings.learning_rate
        return cls(**values)

    @property
    def is_constant(self) -> bool:
        """True if no step depends on how many there are: a shorter training is a prefix."""
        return self.schedule == "constant" and not self.warmup

    @property
    def is_plain(self) -> bool:
        """True for plain SGD at a constant rate: a step needs nothing but the gradient."""
        return (
            self.optimizer == "sgd"
            and self.schedule == "constant"
            and not (self.momentum or self.weight_decay or self.warmup or self.clip_norm)
        )
