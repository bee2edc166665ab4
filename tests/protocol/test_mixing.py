import numpy as np
import pytest
import torch
from augmented import augment

from augbench.errors import ContractError
from augbench.protocol.inputs import network_inputs
from augbench.protocol.mixing import soft_labels

X = torch.rand(3, 1, 4, 4)
RNG = np.random.default_rng(0)


def returning(result):
    return lambda *sources, rng: result


def test_soft_labels_add_the_weights_of_equal_classes():
    labels = torch.tensor([[0, 1], [2, 2], [1, 0]])
    weights = torch.tensor([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]])
    expected = [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert soft_labels(labels, weights, 3).tolist() == expected
    three = soft_labels(torch.tensor([[1, 0, 1]]), torch.tensor([[0.5, 0.25, 0.25]]), 2)
    assert three.tolist() == [[0.25, 0.75]]


def test_pixels_are_shares_of_white():
    images = torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8)
    assert network_inputs(images).flatten().tolist() == pytest.approx([0, 0.2, 0.4, 1])
    assert images.max() == 255


def test_a_pairs_lam_becomes_the_weights_of_both():
    image, weights = augment(returning((X, torch.tensor([1.0, 0.25, 0.0]))), [X, X], RNG)
    assert image is X
    assert weights.tolist() == [[1, 0], [0.25, 0.75], [0, 1]]


def test_a_single_source_needs_no_weight():
    for result in (X, (X, torch.ones(3))):
        assert augment(returning(result), [X], RNG)[1].tolist() == [[1], [1], [1]]


def test_more_sources_give_all_weights():
    weights = torch.tensor([[0.2, 0.3, 0.5]] * 3)
    assert torch.equal(augment(returning((X, weights)), [X, X, X], RNG)[1], weights)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (X, r"expected a tuple \(image, weight\), got Tensor"),
        ((X[:2], torch.ones(3)), r"expected an image of torch.float32 \[3, 1, 4, 4\]"),
        ((X.double(), torch.ones(3)), "torch.float64"),
        ((None, torch.ones(3)), "NoneType"),
        ((X, torch.ones(2)), r"weights of shape \[3\], got \[2\]"),
        ((X, torch.ones(3, 2)), r"weights of shape \[3\], got \[3, 2\]"),
        ((X, torch.full((3,), 1.1)), "1.1"),
        ((X, torch.full((3,), float("nan"))), "nan"),
        ((X, "half"), "no array of numbers"),
    ],
)
def test_what_the_contract_does_not_allow_is_told(result, told):
    with pytest.raises(ContractError, match=told):
        augment(returning(result), [X, X], RNG)
