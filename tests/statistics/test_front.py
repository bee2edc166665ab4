"""The front of best choices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.errors import UsageError
from augbench.statistics import on_front


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=12))
def test_a_choice_is_on_the_front_where_no_other_beats_it(choices) -> None:
    expected = tuple(
        not any((c < cost and v >= value) or (c <= cost and v > value) for c, v in choices)
        for cost, value in choices
    )
    assert on_front([c for c, _ in choices], [v for _, v in choices]) == expected


def test_what_has_no_cost_or_no_value_is_not_on_it() -> None:
    assert on_front([1, math.nan, 3, 4], [0.5, 0.9, math.nan, 0.6]) == (True, False, False, True)


def test_other_lengths_are_one_clear_line() -> None:
    with pytest.raises(UsageError, match="expected a value for each of 2 costs, got 1"):
        on_front([1, 2], [1])
