"""Search spaces: what is written behind `--tune`, and the ranges of settings."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.errors import OptionError
from augbench.options import Settings, options_of, written_as
from augbench.protocol.recipe import OF_EACH_CELL
from augbench.tuning.spaces import (
    TUNABLE,
    Dimension,
    Wanted,
    parsed_spaces,
    shared_dimensions,
)

shares = st.floats(0, 1, exclude_max=True)


@st.composite
def dimensions(draw):
    log, whole = draw(st.booleans()), draw(st.booleans())
    if whole:
        low = draw(st.integers(1 if log else -50, 50))
        return Dimension("x", low, low + draw(st.integers(1, 100)), log, whole=True)
    low = draw(st.floats(1e-6, 1e3) if log else st.floats(-1e3, 1e3))
    return Dimension("x", low, low + draw(st.floats(1e-3, 1e3)), log)


@given(dimensions(), shares, shares)
def test_a_value_is_in_range_readable_and_rises_with_u(dimension, u, v):
    low, high = sorted([u, v])
    values = [dimension.at(one) for one in (low, high)]
    assert dimension.low <= values[0] <= values[1] <= dimension.high
    for value in values:
        if value not in (dimension.low, dimension.high):
            assert value == float(f"{value:.4g}")
        if dimension.whole:
            assert isinstance(value, int)
    assert dimension.at(0) == pytest.approx(dimension.low, rel=1e-3)


@given(dimensions(), shares)
def test_a_value_has_the_position_at_which_it_is_found_again(dimension, u):
    value = dimension.at(u)
    found = dimension.position(value)
    assert -1e-9 <= found <= 1 + 1e-9
    if not dimension.whole:
        assert dimension.at(found) == pytest.approx(value, rel=1.1e-3)


def test_what_lies_outside_a_range_has_a_position_beyond_it():
    dimension = Dimension("x", 1e-3, 0.1, log=True)
    assert dimension.position(0.01) == pytest.approx(0.5)
    assert dimension.position(1) == pytest.approx(1.5)
    assert math.isnan(dimension.position(0))
    assert Dimension("x", 1, 3, log=False).position(0) == -0.5


def test_the_middle_of_a_logarithmic_range_is_its_geometric_mean():
    assert Dimension("x", 1e-4, 1e-2, log=True).at(0.5) == 1e-3
    assert Dimension("x", 1e-4, 1e-2, log=False).at(0.5) == 0.00505


def test_every_whole_number_has_an_equal_share_of_a_linear_range():
    dimension = Dimension("x", 1, 3, log=False, whole=True)
    counts = [[dimension.at(k / 300) for k in range(300)].count(one) for one in (1, 2, 3)]
    assert counts == [100, 100, 100]


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (2, 1, False), (0, 1, True)])
def test_an_empty_range_makes_no_dimension(low, high, log):
    with pytest.raises(ValueError, match="expected"):
        Dimension("x", low, high, log)


def test_what_can_be_tuned_is_what_a_pack_may_vary_in_both_trainings():
    parts = ("", "finetune_", "full_")
    assert set(TUNABLE) == {f"{part}{name}" for name in OF_EACH_CELL for part in parts}
    table = list(options_of(Settings))
    assert list(TUNABLE) == sorted(TUNABLE, key=table.index)


def test_names_of_python_and_of_flags_mean_the_same():
    expected = parsed_spaces(["learning_rate", "weight_decay", "finetune_learning_rate"])
    assert parsed_spaces("finetune-lr, lr,weight-decay") == expected
    assert parsed_spaces("--lr,--weight-decay,--finetune-lr") == expected
    assert [one.name for one in expected.shared] == [
        "learning_rate",
        "weight_decay",
        "finetune_learning_rate",
    ]


def test_ranges_own_and_parameters_are_read():
    found = parsed_spaces(["lr = 1e-3 .. 1  log", "momentum=0...9, own", "mixup.alpha=0.05..2 log"])
    assert found.shared == (
        Wanted("learning_rate", (1e-3, 1.0), log=True),
        Wanted("momentum", (0.0, 0.9)),
    )
    assert found.own
    assert found.parameters == (Wanted("mixup.alpha", (0.05, 2.0), log=True),)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("lrr", r"'lrr' cannot be tuned; did you mean 'lr'\?"),
        ("batch_size", "'batch_size' cannot be tuned"),
        ("", "'' cannot be tuned"),
        ("lr=1..0.1", "from a lower to a higher number, got 'lr=1..0.1'"),
        ("lr=1..1", "from a lower to a higher number"),
        ("label_smoothing=0..0.2 log", "begins above 0 for log"),
        ("lr=0..1", "expected a number above 0 for both ends of lr, got 'lr=0..1'"),
        ("momentum=0.5..1", "expected a number of 0 or more and below 1 for both ends"),
        ("clip_norm=0..1", "0 means none for clip_norm"),
        ("lr=1-2", r"expected NAME, NAME=LOW\.\.HIGH or"),
        ("lr=1..2 lin", r"expected NAME, NAME=LOW\.\.HIGH or"),
        ("lr=1..inf", r"expected NAME, NAME=LOW\.\.HIGH or"),
        ("lr=nan..1", r"expected NAME, NAME=LOW\.\.HIGH or"),
        ("own=0..1", "'own' takes no range"),
        (["lr", "learning_rate=1..2"], "'learning_rate' is given twice"),
        ("own,own", "'own' is given twice"),
        (".alpha", "cannot be tuned"),
        (3, "expected a text or a list of texts, such as 'lr,own', got 3"),
        (["lr", 3], "expected a text or a list of texts"),
    ],
)
def test_what_cannot_be_tuned_is_one_clear_line(written, message):
    with written_as({"tune": "--tune"}), pytest.raises(OptionError, match=message) as caught:
        parsed_spaces(written)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--tune: ")
    assert caught.value.option == "tune"


@given(st.text("lr.=-e01 ,#ownmixalph\n∞", max_size=24))
def test_any_text_is_read_or_refused_in_one_line(written):
    message = ""
    try:
        found = parsed_spaces(written)
    except OptionError as error:
        message = str(error)
    assert message.count("\n") == 0
    assert message or found.shared or found.own or found.parameters


def usual(names, **given):
    return {one.name: one for one in shared_dimensions(parsed_spaces(names), Settings(**given))}


def test_the_usual_range_of_a_rate_is_a_factor_of_ten_either_side_of_the_arm_s_own():
    found = usual("lr,finetune_lr", learning_rate=0.02, finetune_learning_rate=0.3)
    assert found["learning_rate"] == Dimension("learning_rate", 0.002, 0.2, log=True)
    assert found["finetune_learning_rate"] == Dimension("finetune_learning_rate", 0.03, 3, log=True)
    found = usual("full_lr", learning_rate=0.02, full_optimizer="adamw")
    assert found["full_learning_rate"] == Dimension("full_learning_rate", 0.001, 0.1, log=True)
    head = usual("finetune_lr", learning_rate=0.02)["finetune_learning_rate"]
    assert (head.low, head.high) == (0.002, 0.2)  # it has pretraining's rate


def test_the_usual_range_of_weight_decay_follows_the_optimizer_of_its_training():
    found = usual("weight_decay,finetune_weight_decay", optimizer="adamw")
    assert (found["weight_decay"].low, found["weight_decay"].high) == (1e-3, 1)
    head = found["finetune_weight_decay"]
    assert (head.low, head.high) == (1e-5, 1e-2)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_every_usual_range_is_allowed_by_its_option(optimizer):
    for name, dimension in usual(list(TUNABLE), optimizer=optimizer).items():
        option = options_of(Settings)[name]
        for u in (0, 0.5, math.nextafter(1, 0)):
            option.check(dimension.at(u))
        assert dimension.label == option.title


def test_the_range_that_is_given_wins():
    assert usual("lr=0.5..2")["learning_rate"] == Dimension("learning_rate", 0.5, 2, log=False)


def test_a_range_is_shown_as_it_is_written():
    for written in ("lr=0.001..1 log", "momentum=0.5..0.9"):
        name, _, bounds = written.partition("=")
        (found,) = usual(written).values()
        assert found.range == bounds
        assert usual(f"{name}={found.range}") == usual(written)
