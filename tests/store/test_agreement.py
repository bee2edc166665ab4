import pytest

from augbench.store import disagreements


@pytest.mark.parametrize(
    ("first", "second", "images", "names"),
    [
        ({"accuracy": 0.9}, {"accuracy": 0.905}, 10_000, []),
        ({"accuracy": 0.9}, {"accuracy": 0.88}, 10_000, ["accuracy"]),
        ({"accuracy": 0.9}, {"accuracy": 0.8}, 30, []),
        ({"nll": 0.9, "seconds": 1}, {"nll": 1.0, "seconds": 9}, 10_000, ["nll"]),
        ({"nll": float("nan")}, {"nll": float("nan")}, 10_000, []),
        ({"nll": float("inf")}, {"nll": 1.0}, 10_000, ["nll"]),
        ({"ece": 0.1}, {}, 10_000, []),
    ],
)
def test_only_what_rounding_cannot_explain_is_a_disagreement(first, second, images, names):
    assert [one.metric for one in disagreements(first, second, images=images)] == names
