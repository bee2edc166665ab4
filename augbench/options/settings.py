"""The hyper-parameters of the protocol, declared once: what enters the keys of cells.

A row here is all that a hyper-parameter takes; it says where it enters the key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import KW_ONLY
from functools import cached_property
from typing import Any, get_args

from augbench.options.kinds import Choice, Count, Number, OptionalNumber, Shares, Switch
from augbench.options.option import (
    KeyEntry,
    Part,
    Shorthand,
    for_full_finetuning,
    for_the_head,
    option_table,
    options_of,
)
from augbench.options.recipes import check_recipe

__all__ = ["RECIPE", "TRAINING", "Settings"]

TRAINING = "How it is trained and measured"
RECIPE = "How weights are learnt"


@option_table
class Settings:
    """The hyper-parameters of the protocol; the defaults are the handout's."""

    _: KW_ONLY
    batch_size: Count = Count(
        "--batch-size",
        most=10**6,
        default=8,
        title="batch size",
        help="Images a step.",
        group=RECIPE,
        key=KeyEntry("pretraining", "batch_size", always=True),
    )
    pretrain_steps: Count = Count(
        "--n-batches-pre-train",
        default=2000,
        title="pretraining steps",
        help="Steps of pretraining.",
        group=TRAINING,
        key=KeyEntry("pretraining", "steps", always=True),
    )
    finetune_steps: Count = Count(
        "--n-batches-finetune",
        default=2000,
        title="finetuning steps",
        help="Steps of finetuning.",
        group=TRAINING,
        key=KeyEntry("finetuning", "steps", always=True),
    )
    learning_rate: Number = Number(
        "--lr",
        default=0.01,
        title="learning rate",
        help="Learning rate, the largest one of its schedule.",
        group=RECIPE,
        key=KeyEntry("pretraining", "learning_rate", always=True),
    )
    finetune_samples_per_class: Count = Count(
        "--finetune-samples-per-class",
        default=256,
        title="finetuning samples per class",
        help="Finetuning images of each class.",
        group=TRAINING,
        key=KeyEntry("finetuning", "samples_per_class", always=True),
    )
    calibration_samples_per_class: Count = Count(
        "--calibration-samples-per-class",
        least=0,
        default=16,
        title="calibration samples per class",
        help="Images of each class, none of them finetuned on, that fit the temperature; fewer "
        "where fewer are left.",
        group=TRAINING,
        key=KeyEntry("finetuning", "calibration_samples_per_class", always=True),
    )
    root_seed: Count = Count(
        "--root-seed",
        least=0,
        most=2**63 - 1,
        default=0,
        title="root seed",
        help="Root of all random streams.",
        group=TRAINING,
        key=KeyEntry("pretraining", "root_seed", always=True),
    )
    optimizer: Choice = Choice(
        "--optimizer",
        words=("sgd", "adamw"),
        default="sgd",
        title="optimizer",
        help="Stochastic gradient descent, or AdamW.",
        group=RECIPE,
        key=KeyEntry("pretraining", "optimizer"),
    )
    momentum: Number = Number(
        "--momentum",
        zero=True,
        below=1,
        default=0.0,
        title="momentum",
        help="Momentum of SGD.",
        group=RECIPE,
        key=KeyEntry("pretraining", "momentum"),
    )
    nesterov: Switch = Switch(
        shorthands=(
            Shorthand("--nesterov", True),
            Shorthand("--no-nesterov", False, "Momentum as it is, where a recipe says otherwise."),
        ),
        default=False,
        title="Nesterov",
        help="Nesterov's form of momentum.",
        group=RECIPE,
        key=KeyEntry("pretraining", "nesterov"),
    )
    weight_decay: Number = Number(
        "--weight-decay",
        zero=True,
        default=0.0,
        title="weight decay",
        help="Weight decay, of all parameters; AdamW's is decoupled from the gradient.",
        group=RECIPE,
        key=KeyEntry("pretraining", "weight_decay"),
    )
    schedule: Choice = Choice(
        "--schedule",
        words=("constant", "cosine", "step"),
        default="constant",
        title="schedule",
        help="Learning rate over the steps: constant, falling to 0 along a cosine, or multiplied "
        "by a factor at each milestone.",
        group=RECIPE,
        key=KeyEntry("pretraining", "schedule"),
    )
    milestones: Shares = Shares(
        "--milestones",
        default=(),
        title="milestones",
        help="Milestones of the schedule `step`, as shares of all steps.",
        group=RECIPE,
        key=KeyEntry("pretraining", "milestones"),
    )
    milestone_factor: Number = Number(
        "--milestone-factor",
        below=1,
        default=0.1,
        title="factor at a milestone",
        help="Factor of the learning rate at each milestone.",
        group=RECIPE,
        key=KeyEntry("pretraining", "milestone_factor"),
    )
    warmup: Number = Number(
        "--warmup",
        zero=True,
        below=1,
        default=0.0,
        title="warm-up",
        help="Share of the steps in which the learning rate first rises, in equal parts.",
        group=RECIPE,
        key=KeyEntry("pretraining", "warmup"),
    )
    label_smoothing: Number = Number(
        "--label-smoothing",
        zero=True,
        below=1,
        default=0.0,
        title="label smoothing",
        help="Share of every target that is spread over all classes.",
        group=RECIPE,
        key=KeyEntry("pretraining", "label_smoothing"),
    )
    clip_norm: Number = Number(
        "--clip-norm",
        zero=True,
        zero_words="none",
        default=0.0,
        title="gradient clipping",
        help="Largest norm of a step's gradient, all parameters together; 0 for no clipping.",
        group=RECIPE,
        key=KeyEntry("pretraining", "clip_norm"),
    )
    normalize: Choice = Choice(
        "--normalize",
        words=("none", "channels"),
        default="none",
        title="normalisation",
        help="Normalisation of images, wherever the network sees them: none, or by mean and "
        "deviation of each channel of the cell's own pretraining images.",
        group=RECIPE,
        key=KeyEntry("pretraining", "normalize"),
    )
    finetune_learning_rate: OptionalNumber = OptionalNumber(
        "--finetune-lr",
        default=None,
        none_words="as in pretraining, or 0.01 by another optimizer",
        title="finetuning learning rate",
        help="Learning rate of the head in finetuning.",
        group=RECIPE,
        key=KeyEntry("finetuning", "learning_rate"),
    )
    finetune_mode: Choice = Choice(
        "--finetune-mode",
        words=("eval", "train"),
        default="eval",
        title="mode of the frozen backbone",
        help="Mode of the frozen backbone while a linear head is finetuned. In train mode, as the "
        "handout's loop leaves it, dropout stays on and batch normalisation goes by the batch.",
        group=RECIPE,
        key=KeyEntry("finetuning", "mode"),
    )
    finetune_optimizer: Choice = for_the_head(optimizer)
    finetune_momentum: Number = for_the_head(momentum)
    finetune_nesterov: Switch = for_the_head(nesterov)
    finetune_weight_decay: Number = for_the_head(weight_decay)
    finetune_schedule: Choice = for_the_head(schedule)
    finetune_milestones: Shares = for_the_head(milestones)
    finetune_milestone_factor: Number = for_the_head(milestone_factor)
    finetune_warmup: Number = for_the_head(warmup)
    finetune_label_smoothing: Number = for_the_head(label_smoothing)
    finetune_clip_norm: Number = for_the_head(clip_norm)
    full_steps: Count = Count(
        "--n-batches-full",
        default=2000,
        title="steps of full finetuning",
        help="Steps of full finetuning, for the readout `full`.",
        group=TRAINING,
        key=KeyEntry("full", "steps"),
    )
    full_learning_rate: OptionalNumber = OptionalNumber(
        "--full-lr",
        default=None,
        none_words="as in pretraining, or 0.01 by another optimizer",
        title="learning rate of full finetuning",
        help="Learning rate of all weights, in full finetuning.",
        group=RECIPE,
        key=KeyEntry("full", "learning_rate"),
    )
    full_optimizer: Choice = for_full_finetuning(optimizer)
    full_momentum: Number = for_full_finetuning(momentum)
    full_nesterov: Switch = for_full_finetuning(nesterov)
    full_weight_decay: Number = for_full_finetuning(weight_decay)
    full_schedule: Choice = for_full_finetuning(schedule)
    full_milestones: Shares = for_full_finetuning(milestones)
    full_milestone_factor: Number = for_full_finetuning(milestone_factor)
    full_warmup: Number = for_full_finetuning(warmup)
    full_label_smoothing: Number = for_full_finetuning(label_smoothing)
    full_clip_norm: Number = for_full_finetuning(clip_norm)
    knn_neighbours: Count = Count(
        "--knn-k",
        most=10**6,
        default=20,
        title="nearest neighbours",
        help="Neighbours that vote on a test image, for the readout `knn`; all images where there "
        "are fewer.",
        group=TRAINING,
        key=KeyEntry("knn", "neighbours"),
    )
    knn_temperature: Number = Number(
        "--knn-temperature",
        default=0.07,
        title="temperature of neighbours",
        help="A neighbour of cosine similarity c votes with weight exp(c / temperature).",
        group=TRAINING,
        key=KeyEntry("knn", "temperature"),
    )

    def __post_init__(self) -> None:
        check_recipe(self)

    def __repr__(self) -> str:
        """The call that makes it again: only what is not at its default."""
        values = {name: getattr(self, name) for name in options_of(type(self))}
        defaults = {name: option.default for name, option in options_of(type(self)).items()}
        given = (f"{name}={value!r}" for name, value in values.items() if value != defaults[name])
        return f"{type(self).__name__}({', '.join(given)})"

    @cached_property
    def key_parts(self) -> dict[str, dict[str, Any]]:
        """The settings that enter a cell's key, by the part of the training that they change."""
        parts: dict[str, dict[str, Any]] = {part: {} for part in get_args(Part)}
        for name, option in options_of(type(self)).items():
            value = getattr(self, name)
            if option.key is not None and (option.key.always or value != option.default):
                parts[option.key.part][option.key.name] = value
        return parts

    def differing_from(
        self, other: Settings, parts: Collection[str] = get_args(Part)
    ) -> dict[str, Any]:
        """The settings of some parts, by name, that are not those of `other`."""
        return {
            name: getattr(self, name)
            for name, option in options_of(type(self)).items()
            if (option.key is None or option.key.part in parts)
            and getattr(self, name) != getattr(other, name)
        }

    def to_json(self, parts: Collection[str] = get_args(Part)) -> dict[str, Any]:
        """The settings of some parts by name; one that was added later only off its default.

        A study is known by its description: a new option must not make another study of it.
        """
        return {
            name: getattr(self, name)
            for name, option in options_of(type(self)).items()
            if option.key is None
            or (
                option.key.part in parts
                and (option.key.always or getattr(self, name) != option.default)
            )
        }
