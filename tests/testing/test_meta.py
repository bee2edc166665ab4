"""For every check of the kit, a component that breaks this one promise fails this one check."""

from pathlib import Path

import pytest

from augbench.plugins import Registry
from augbench.testing import check_augmentation, check_backbone, check_dataset
from augbench.testing.augmentations import AUGMENTATION_CHECKS
from augbench.testing.backbones import BACKBONE_CHECKS
from augbench.testing.datasets import DATASET_CHECKS

BROKEN = str(Path(__file__).parent.parent / "support" / "broken.py")
SMALL = ((1, 8, 8), (3, 8, 12))


@pytest.fixture(scope="module")
def registry():
    return Registry.load([BROKEN])


def failed(report):
    return [result.check for result in report.failures]


@pytest.mark.parametrize("name", [check.name for check in AUGMENTATION_CHECKS])
@pytest.mark.filterwarnings("ignore:the source code")
def test_an_augmentation_that_breaks_one_promise_fails_that_check(registry, name):
    report = check_augmentation(f"broken:{name}", registry=registry, checks=[name], seconds=60)
    assert failed(report) == [name]


@pytest.mark.parametrize("name", [check.name for check in AUGMENTATION_CHECKS])
@pytest.mark.filterwarnings("ignore:the source code")
def test_it_fails_that_check_alone(registry, name, few_examples):
    others = [check.name for check in AUGMENTATION_CHECKS if check.name != name]
    assert failed(check_augmentation(f"broken:{name}", registry=registry, checks=others)) == []


@pytest.mark.parametrize("name", [check.name for check in BACKBONE_CHECKS])
def test_a_backbone_that_breaks_one_promise_fails_that_check_alone(registry, name):
    report = check_backbone(f"broken:{name}", registry=registry, image_shapes=SMALL)
    assert failed(report) == [name]


@pytest.mark.parametrize("name", [check.name for check in DATASET_CHECKS])
def test_a_data_set_that_breaks_one_promise_fails_that_check_alone(registry, name):
    assert failed(check_dataset(f"broken:{name}", registry=registry)) == [name]


def test_components_that_keep_their_promises_pass(registry):
    for report in (
        check_augmentation("broken:sound", registry=registry),
        check_backbone("broken:sound", registry=registry, image_shapes=SMALL),
        check_dataset("broken:sound", registry=registry),
    ):
        assert report.ok, str(report)
        skipped = {result.check for result in report.results if result.status == "skipped"}
        assert skipped <= {"layers"}


def test_what_breaks_where_two_sizes_meet_is_not_missed(registry):
    report = check_augmentation("broken:combination", registry=registry, seconds=60)
    assert failed(report) == ["runs"]
    assert report["runs"].example == "Case(n=1, channels=3, height=8, width=8, seed=0)"
