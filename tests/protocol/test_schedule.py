"""Schedules against torch's own schedulers."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from torch_recipes import TorchRecipe, recipes

from augbench.protocol.recipe import Recipe
from augbench.protocol.schedule import rate_factors


@how(max_examples=60, deadline=None)
@given(recipe=recipes, steps=st.integers(1, 120))
@example(recipe=Recipe(schedule="cosine", warmup=0.99), steps=1)
@example(recipe=Recipe(schedule="step", milestones=(0.5, 0.75), warmup=0.1), steps=100)
def test_the_rate_of_each_step_is_torchs(recipe, steps):
    value = torch.zeros(1, requires_grad=True)
    torchs = TorchRecipe(recipe, [value], steps)
    rates = []
    for _ in range(steps):
        rates.append(torchs.optimizer.param_groups[0]["lr"])
        value.grad = torch.zeros(1)
        torchs.step()
    own = [recipe.learning_rate * factor for factor in rate_factors(recipe, steps)]
    assert own == pytest.approx(rates, rel=1e-9, abs=1e-15)


@given(recipe=recipes, steps=st.integers(1, 300))
def test_factors_are_positive_and_the_full_rate_is_reached_unless_a_milestone_comes_first(
    recipe, steps
):
    factors = rate_factors(recipe, steps)
    assert len(factors) == steps
    assert all(0 < factor <= 1 for factor in factors)
    if recipe.schedule != "step":
        assert max(factors) == 1


def test_no_steps_have_no_rates():
    assert rate_factors(Recipe(schedule="cosine", warmup=0.5), 0) == []
