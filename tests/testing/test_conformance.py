"""The decorators, the reports, the strategies, and what the kit refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from augbench.augmentations.collage import Collage
from augbench.augmentations.mixup import Mixup
from augbench.errors import UsageError
from augbench.testing import (
    augmentation_conformance,
    backbone_conformance,
    check_augmentation,
    check_backbone,
    dataset_conformance,
)
from augbench.testing._checks import Check, ViolationError, report
from augbench.testing._search import smallest_failure
from augbench.testing.augmentations import AUGMENTATION_CHECKS
from augbench.testing.strategies import Case, cases, generators, image_batch, image_batches, sources

pytest_plugins = ["pytester"]
BROKEN = str(Path(__file__).parent.parent / "support" / "broken.py")


@augmentation_conformance("none")
def test_none_keeps_the_contract():
    raise AssertionError("the body is not run")


@augmentation_conformance(Mixup)
def test_mixup_keeps_the_contract(): ...


@augmentation_conformance(Mixup(alpha=2.0))
def test_an_object_is_checked_as_it_is(): ...


@augmentation_conformance("collage")
def test_collage_keeps_the_contract(): ...


@backbone_conformance("convnet", image_shapes=((1, 28, 28), (3, 16, 21)))
def test_convnet_keeps_the_contract(): ...


@dataset_conformance("glyph-digits")
def test_glyph_digits_keep_the_contract(): ...


def test_each_check_is_a_test_of_the_authors_suite(pytester):
    pytester.makepyfile(
        my_mix="""
        class MyMix:
            sources = 2
            shares = "half of each, whatever the mask"

            def __call__(self, x_i, x_j, *, rng):
                image = x_i.clone()
                image[..., 0, 0] = x_j[..., 0, 0]
                return image, x_i.new_full((len(x_i),), 0.5)

        class Worse(MyMix):
            shares = True
        """,
        test_my_mix="""
        from my_mix import MyMix, Worse
        from augbench.testing import augmentation_conformance

        @augmentation_conformance(MyMix)
        def test_my_mix():
            "The contract."

        some = ["shape", "shares", "rows"]

        @augmentation_conformance(
            Worse, checks=some, expected_failures={"shares": "labels are half and half"}
        )
        def test_expected(): ...

        @augmentation_conformance(Worse, checks=some)
        def test_worse(): ...

        @augmentation_conformance(
            MyMix, checks=some, expected_failures={"rows": "mixes the batch"}
        )
        def test_unexpected(): ...
        """,
    )
    result = pytester.runpytest_inprocess("-q", "-rA", "-p", "no:cacheprovider")
    count = len(AUGMENTATION_CHECKS)
    result.assert_outcomes(passed=count - 2 + 5, skipped=2 + 1, xfailed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED test_my_mix.py::test_my_mix[[]rows[]]",
            "SKIPPED*no pixel shares are claimed: half of each, whatever the mask",
            "XFAIL test_my_mix.py::test_expected[[]shares[]]*labels are half and half*",
            "FAILED test_my_mix.py::test_worse[[]shares[]]*",
            "failed  *shares  *the weights of row 0 are*smallest: Case(n=1,*",
            "unexpected pass  *rows  *was expected to fail (mixes the batch)",
        ]
    )


def test_the_example_of_a_failure_replays():
    report = check_augmentation(f"{Path(BROKEN).stem}:shape", registry=_broken())
    result = report["shape"]
    assert result.message == "expected an image of shape [1, 1, 8, 8], got [1, 1, 8, 7]"
    assert result.example == "Case(n=1, channels=1, height=8, width=8, seed=0)"
    case = eval(result.example, {"Case": Case})
    image, _ = _broken_augmentation("shape")(*case.sources(2), rng=case.rng())
    assert image.shape == (1, 1, 8, 7)


def _broken():
    from augbench.plugins import Registry

    return Registry.load([BROKEN])


def _broken_augmentation(name):
    registry = _broken()
    return registry.create(registry.resolve("augmentation", f"broken:{name}"))


def test_an_expected_failure_conforms_and_an_unexpected_pass_does_not():
    expected = {"rows": "it mixes with the batch's mean"}
    selected = {"checks": ["shape", "rows"], "expected_failures": expected}
    found = check_augmentation("broken:rows", registry=_broken(), **selected)
    assert found.ok
    assert found["rows"].status == "expected failure"
    assert "it mixes with the batch's mean (the image of row" in str(found["rows"])
    found = check_augmentation("collage", **selected)
    assert not found.ok
    assert [result.status for result in found.failures] == ["unexpected pass"]
    assert not found.to_json()["ok"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checks": []}, "no check was selected"),
        ({"checks": ["row"]}, "no check 'row'; did you mean 'rows'"),
        ({"expected_failures": {"share": "why"}}, "did you mean 'shares'"),
        ({"expected_failures": {"shares": " "}}, "give the reason"),
    ],
)
def test_selections_that_prove_nothing_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        check_augmentation(Collage, **arguments)
    with pytest.raises(UsageError, match=message):
        augmentation_conformance(Collage, **arguments)


def test_a_report_in_which_every_check_was_skipped_is_a_failure():
    skipped = check_augmentation(Collage, checks=["layers"])
    assert [result.status for result in skipped.results] == ["skipped"]
    assert not skipped.ok


def test_an_unknown_name_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean 'mixup'"):
        check_augmentation("mixpu")
    with pytest.raises(UsageError, match="parameter 'alpha' expects float"):
        check_augmentation("mixup:alpha=x")


def test_a_constructor_that_refuses_its_defaults_is_told():
    class Refusing:
        sources = 2

        def __init__(self, alpha: float = -1.0):
            raise ValueError("alpha must be above 0")

    found = check_augmentation(Refusing)
    assert [result.check for result in found.failures] == ["declarations"]
    assert "alpha must be above 0" in found["declarations"].message


def test_a_backbone_may_refuse_some_images_but_not_all():
    assert check_backbone("convnet", image_shapes=[(1, 8, 8), (1, 28, 28)], checks=["builds"]).ok
    found = check_backbone("convnet", image_shapes=[(1, 8, 8)], checks=["builds"])
    assert "refuses all of the image shapes: convnet needs images of at least 16×16" in str(found)


def test_a_slow_augmentation_is_given_up_in_time():
    def examine(case):
        import time

        time.sleep(0.05)
        return "wrong" if case.height > 8 else None

    found = smallest_failure(cases(), examine, seconds=0.5)
    assert found is None or found[0].height > 8


def test_the_same_search_finds_the_same_smallest_failure():
    found = smallest_failure(cases(), lambda c: "odd" if c.height % 2 else None, seconds=20)
    assert found == (Case(height=9), "odd")


@given(images=image_batches(), rng=generators())
@settings(max_examples=25, deadline=None)
def test_image_batches_are_float_images(images, rng):
    channels, height, width = images.shape[1:]
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert channels in (1, 3)
    assert 8 <= min(height, width) <= max(height, width) <= 32
    assert isinstance(rng, np.random.Generator)


@given(given_sources=sources(3))
@settings(max_examples=10, deadline=None)
def test_sources_are_of_one_shape(given_sources):
    assert len(given_sources) == 3
    assert len({source.shape for source in given_sources}) == 1


def test_images_replay_from_their_seed():
    assert torch.equal(image_batch(2, 3, 9, 8, seed=5), image_batch(2, 3, 9, 8, seed=5))
    assert not torch.equal(image_batch(seed=5), image_batch(seed=6))


def test_a_violation_becomes_one_line():
    def run(subject):
        raise ViolationError("two\nlines", 3)

    found = report("thing", "it", [Check("one", "about", run)], None, None, None)
    line = str(found).splitlines()[1]
    assert line.split(None, 2) == ["failed", "one", "two lines · smallest: 3"]


def test_the_public_names_are_these():
    import augbench.testing
    from augbench.testing import strategies

    assert augbench.testing.__all__ == [
        "Case",
        "CheckResult",
        "ConformanceReport",
        "Status",
        "augmentation_conformance",
        "backbone_conformance",
        "check_augmentation",
        "check_backbone",
        "check_corruption",
        "check_dataset",
        "corruption_conformance",
        "dataset_conformance",
    ]
    assert all(hasattr(augbench.testing, name) for name in augbench.testing.__all__)
    assert {"Case", "cases", "generators", "image_batch", "image_batches", "sources"} < set(
        strategies.__all__
    )
