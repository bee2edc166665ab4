import numpy as np
import pytest

from augbench.datasets.balance import ClassBalance

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("images", "unequal"),
    [([10, 10, 10], False), ([892, 1135, 980], False), ([10, 16, 12], True), ([5, 5, 0], True)],
)
def test_a_test_set_is_unequal_where_its_classes_plainly_are(images, unequal):
    balance = ClassBalance.of(np.repeat([0, 1, 2], images), NAMES)
    assert balance.images == tuple(images)
    assert balance.unequal == unequal
    assert bool(balance.warning("mine")) == unequal


def test_the_warning_names_both_classes_and_both_ways_of_answering_blindly():
    balance = ClassBalance.of(np.repeat([0, 1, 2], [20, 60, 2000]), NAMES)
    assert balance.warning("mine") == (
        "data set 'mine': its classes have from 20 ('a') to 2,000 ('c') test images, and accuracy "
        "weighs each by its images: answering 'c' always is right for 96.2 %, guessing for 33.3 %; "
        "metric='balanced_accuracy' weighs all classes alike"
    )
    assert balance.majority == 2000 / 2080
