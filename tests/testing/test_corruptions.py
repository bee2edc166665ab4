"""For every check of a corruption, one that breaks this promise fails this check alone."""

from pathlib import Path

import pytest

from augbench.corruptions.noise import Noise
from augbench.errors import UsageError
from augbench.plugins import Registry
from augbench.testing import check_corruption, corruption_conformance
from augbench.testing.corruptions import CORRUPTION_CHECKS

BROKEN = str(Path(__file__).parent.parent / "support" / "broken_corruptions.py")
NAMES = [check.name for check in CORRUPTION_CHECKS]


@pytest.fixture(scope="module")
def registry():
    return Registry.load([BROKEN])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:the source code")
@pytest.mark.usefixtures("few_examples")
def test_a_corruption_that_breaks_one_promise_fails_that_check_alone(registry, name):
    report = check_corruption(f"broken_corruptions:{name}", registry=registry)
    assert [result.check for result in report.failures] == [name], str(report)


def test_a_sound_one_passes_every_check(registry):
    report = check_corruption("sound", registry=registry)
    assert report.ok, str(report)
    assert {result.status for result in report.results} == {"passed"}
    assert check_corruption("sound:most=40", registry=registry).ok


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("declarations", "there is no operation 'nois'; did you mean 'noise'?"),
        ("type", "expected uint8, got float32"),
        ("rows", "of what it returned changed with row"),
        ("strengths", "at strengths 1, 2 and 3, pixels change by"),
        ("changes", "at strength 1, no image is changed"),
        ("draws", "one draw for the whole batch"),
    ],
)
def test_a_violation_is_told_in_words(registry, name, words):
    report = check_corruption(f"broken_corruptions:{name}", registry=registry, checks=[name])
    assert words in report[name].message


def test_what_it_does_not_take_or_refuse_is_told():
    class Undeclared:
        def __init__(self, strength):
            self.strength = strength

        def __call__(self, images, *, rng):
            return images

    class Lenient(Undeclared):
        operations = frozenset({"noise"})

    def told(kind):
        return check_corruption(kind, checks=["declarations"])["declarations"].message

    assert "declares no `operations`" in told(Undeclared)
    assert "takes a strength of 0" in told(Lenient)
    assert "its constructor takes no parameter 'strength'" in told(type("Bare", (), {}))
    with pytest.raises(UsageError, match="has its strength already"):
        check_corruption(Lenient(2))


@pytest.mark.usefixtures("few_examples")
@corruption_conformance(Noise, expected_failures={})
def test_noise_keeps_the_contract():
    """The decorator makes a test of each check."""
