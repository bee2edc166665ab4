"""Recipes as torch itself carries them out: its optimizers, schedulers and clipping."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from augbench.options import Settings
from augbench.protocol.recipe import Recipe


class TorchRecipe:
    """A recipe of one network's training, of so many steps, by torch."""

    def __init__(self, recipe, parameters, steps):
        self.recipe, self.parameters = recipe, list(parameters)
        common = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        if recipe.optimizer == "adamw":
            self.optimizer = torch.optim.AdamW(self.parameters, **common)
        else:
            self.optimizer = torch.optim.SGD(
                self.parameters, momentum=recipe.momentum, nesterov=recipe.nesterov, **common
            )
        self.scheduler = _scheduler(self.optimizer, recipe, steps)

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self):
        if self.recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip_norm)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()


def _scheduler(optimizer, recipe, steps):
    warmup = min(round(recipe.warmup * steps), steps - 1)
    made = []
    if warmup:
        made.append(lr_scheduler.LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup))
    if recipe.schedule == "cosine":
        made.append(lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warmup))
        return made[0] if not warmup else lr_scheduler.SequentialLR(optimizer, made, [warmup])
    if recipe.schedule == "step":
        ends = [round(share * steps) for share in recipe.milestones]
        made.append(lr_scheduler.MultiStepLR(optimizer, ends, recipe.milestone_factor))
    return lr_scheduler.ChainedScheduler(made, optimizer) if made else None


@st.composite
def settings_of_recipes(draw, base=None):
    """Settings with any recipe for pretraining and for finetuning, the rest as in `base`."""
    values = {}
    for part in ("", "finetune_"):
        own = draw(_recipes())
        values |= {f"{part}{name}": value for name, value in own.items()}
    values["normalize"] = draw(st.sampled_from(["none", "channels"]))
    base = base or Settings()
    kept = {name: getattr(base, name) for name in ("batch_size", *_SIZES)}
    return Settings(**kept, **values)


_SIZES = (
    "pretrain_steps",
    "finetune_steps",
    "finetune_samples_per_class",
    "calibration_samples_per_class",
)


@st.composite
def _recipes(draw):
    values = {
        "optimizer": draw(st.sampled_from(["sgd", "adamw"])),
        "learning_rate": draw(st.sampled_from([0.002, 0.01])),
        "weight_decay": draw(st.sampled_from([0.0, 1e-3, 0.1])),
        "schedule": draw(st.sampled_from(["constant", "cosine", "step"])),
        "warmup": draw(st.sampled_from([0.0, 0.1, 0.5, 0.99])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 0.5])),
        "clip_norm": draw(st.sampled_from([0.0, 0.05, 1.0])),
    }
    if values["schedule"] == "step":
        values["milestones"] = draw(st.sampled_from([(0.5,), (0.2, 0.6), (0.01, 0.02)]))
        values["milestone_factor"] = draw(st.sampled_from([0.1, 0.5]))
    if values["optimizer"] == "sgd":
        values["momentum"] = draw(st.sampled_from([0.0, 0.5, 0.9]))
        values["nesterov"] = bool(values["momentum"]) and draw(st.booleans())
    return values


recipes = _recipes().map(lambda values: Recipe(**values))
"""Any recipe of one training."""
