"""Where an augmentation says that its parameters are tuned."""

from __future__ import annotations

import pytest

from augbench.augmentations.collage import Collage
from augbench.augmentations.mixup import Mixup
from augbench.augmentations.search_space import SearchRange, search_space_of
from augbench.errors import ContractError
from augbench.testing import check_augmentation


class Blend:
    """A mixer with numbers of both kinds."""

    sources = 2

    def __init__(self, alpha: float = 1.0, count: int = 2, name: str = "a", flip: bool = True):
        if alpha > 5:
            raise ValueError(f"alpha must be at most 5, got {alpha}")
        self.alpha, self.count, self.name, self.flip = alpha, count, name, flip

    def __call__(self, x_i, x_j, *, rng):
        lam = x_i.new_tensor(rng.beta(self.alpha, self.alpha, size=len(x_i)))
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


def blend(**space):
    return type("Blend", (Blend,), {"search_space": space, "__module__": __name__})


def test_ranges_are_read_from_a_class_and_from_an_object():
    expected = {
        "alpha": SearchRange(0.1, 2, log=True, whole=False),
        "count": SearchRange(1, 4, log=False, whole=True),
    }
    kind = blend(alpha=(0.1, 2, "log"), count=(1, 4))
    assert search_space_of(kind) == search_space_of(kind()) == expected


def test_none_is_declared_by_default():
    assert search_space_of(Blend) == search_space_of(Collage) == {}
    assert search_space_of(Mixup) == {"alpha": SearchRange(0.05, 2.0, log=True, whole=False)}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"alhpa": (0.1, 2)}, r"'alhpa': expected a numeric parameter .*; did you mean 'alpha'"),
        ({"name": (0.1, 2)}, "'name': expected a numeric parameter"),
        ({"flip": (0, 1)}, "'flip': expected a numeric parameter"),
        ({"sources": (1, 2)}, "'sources': expected a numeric parameter"),
        ({"alpha": (2, 1)}, r"expected low < high, got \(2, 1\)"),
        ({"alpha": (1, 1)}, "expected low < high"),
        ({"alpha": (0, 1, "log")}, "expected 0 < low < high"),
        ({"alpha": (0.1, 1, "lin")}, r"expected \(low, high\) or"),
        ({"alpha": (0.1,)}, r"expected \(low, high\) or"),
        ({"alpha": 3}, r"expected \(low, high\) or"),
        ({"alpha": ("a", "b")}, r"expected \(low, high\) or"),
        ({"alpha": (0.1, float("inf"))}, r"expected \(low, high\) or"),
        ({"count": (1, 2.5)}, "of whole numbers, got"),
        ({"count": (False, True)}, "of whole numbers, got"),
    ],
)
def test_what_is_no_range_is_one_clear_line(space, message):
    with pytest.raises(ContractError, match=message) as caught:
        search_space_of(blend(**space))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("Blend: `search_space` of ")


def test_what_is_no_dict_is_one_clear_line():
    kind = type("Blend", (Blend,), {"search_space": ["alpha"]})
    with pytest.raises(ContractError, match="expected `search_space` as a dict"):
        search_space_of(kind)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"alpha": (0.1, 2, "log"), "count": (1, 4)}, ""),
        ({"alpha": (1.0, 6.0)}, "tunes alpha from 1.0 to 6.0, but 6.0 is refused"),
        ({"alhpa": (1.0, 6.0)}, "expected a numeric parameter"),
    ],
)
def test_the_check_constructs_both_ends_and_the_middle(space, message):
    report = check_augmentation(blend(**space), checks=["parameters"])
    (result,) = report.results
    assert result.ok == (not message)
    assert message in result.message
