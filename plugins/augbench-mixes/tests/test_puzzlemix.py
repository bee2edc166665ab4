"""PuzzleMix: its optima against exhaustive search, its parts against plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from augbench_mixes._blocks import block_means, blocks_to_pixels, moved
from augbench_mixes._graph_cut import cheapest_labels
from augbench_mixes._puzzle import energy, places, saliency_of_blocks, shares
from augbench_mixes.puzzlemix import PuzzleMix

WEIGHTS = (1.2, 0.5, 0.2)


def cost_of(z, images, saliencies, lam, grid, labels, weights) -> float:
    """The objective of one image, written out: z is a g×g grid of shares of the first image."""
    beta, gamma, eta = weights
    (first, second), (s_i, s_j) = images, (saliency_of_blocks(s[None], grid)[0] for s in saliencies)
    height, width = first.shape[-2:]
    top, total = labels - 1, 0.0
    for p in itertools.product(range(grid), repeat=2):
        k = round(z[p] * top)
        likelihood = math.comb(top, k) * lam**k * (1 - lam) ** (top - k)
        total -= z[p] * s_i[p] + (1 - z[p]) * s_j[p] + eta / grid**2 * math.log(likelihood + 1e-8)
    block = [
        [range(-(-a * n // grid), -(-(a + 1) * n // grid)) for a in range(grid)]
        for n in (height, width)
    ]
    for row, column in itertools.product(range(grid), repeat=2):
        for down, right in ((1, 0), (0, 1)):
            if row + down == grid or column + right == grid:
                continue
            p, q = (row, column), (row + down, column + right)
            if down:
                ends = [(block[0][row][-1], c, block[0][row + 1][0], c) for c in block[1][column]]
            else:
                ends = [
                    (r, block[1][column][-1], r, block[1][column + 1][0]) for r in block[0][row]
                ]
            step = 0.0
            for (a, za), (b, zb) in itertools.product(
                ((first, z[p]), (second, 1 - z[p])), ((first, z[q]), (second, 1 - z[q]))
            ):
                jumps = [abs(a[:, r, c] - b[:, s, d]).mean() for r, c, s, d in ends]
                step += za * zb * float(np.mean(jumps))
            total += beta / (16 * grid) * ((z[p] - z[q]) ** 2 + gamma * step)
    return total


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_mask_is_the_best_of_all_masks(seed: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    images = [rng.random((1, 2, 5, 6)) for _ in "ij"]
    saliencies = [rng.random((1, 5, 6)) ** 4 for _ in "ij"]
    lam, weights = rng.random(1), (20.0, 0.5, 0.2)  # a beta at which neighbours matter
    ours = shares(images, saliencies, lam, 2, labels=labels, weights=weights)[0]
    problem = [x[0] for x in images], [s[0] for s in saliencies], lam[0], 2, labels, weights
    costs = {
        z: cost_of(np.reshape(z, (2, 2)), *problem)
        for z in itertools.product(np.linspace(0, 1, labels), repeat=4)
    }
    assert cost_of(ours, *problem) == pytest.approx(min(costs.values()), abs=1e-5)


@pytest.mark.parametrize("labels", [2, 3, 4])
def test_cut_finds_the_cheapest_labels_of_many_grids_at_once(labels: int) -> None:
    rng = np.random.default_rng(labels)
    unary = rng.normal(size=(130, labels, 2, 3))[..., :2]  # more than one graph's worth
    vertical, horizontal = rng.random((130, 1, 2)), rng.random((130, 2, 1))
    found = cheapest_labels(unary, vertical, horizontal)

    def cost(n: int, k: np.ndarray) -> float:
        own = np.take_along_axis(unary[n], k[None], axis=0).sum()
        return (
            own
            + (vertical[n] * np.diff(k, axis=0) ** 2).sum()
            + (horizontal[n] * np.diff(k, axis=1) ** 2).sum()
        )

    every = [np.reshape(k, (2, 2)) for k in itertools.product(range(labels), repeat=4)]
    for n in range(130):
        assert cost(n, found[n]) == pytest.approx(min(cost(n, k) for k in every), abs=1e-5)


def test_neighbours_never_earn_by_differing() -> None:
    rng = np.random.default_rng(0)
    images = [(rng.random((20, 1, 12, 12)) < 0.5).astype(float) for _ in "ij"]
    saliencies = [rng.random((20, 12, 12)) for _ in "ij"]
    weights = (1.2, 1.0, 0.2)
    _, down, across = energy(images, saliencies, rng.random(20), 4, labels=3, weights=weights)
    assert min(down.min(), across.min()) >= 0


def test_blocks_are_permuted_so_that_salient_ones_show() -> None:
    saliency = np.zeros((1, 8, 8))
    saliency[0, :2, :2] = 1  # all of it in the first of 4×4 blocks
    share = np.zeros((1, 4, 4))
    share[0, 0, 1] = 1  # where only the second shows
    place = places(saliency, share, size=2, xi=0.1)[0].reshape(8, 8)
    assert place[0, 2] == 0  # it moved there
    assert place[0, 0] == 2  # and what was there took its place
    assert sorted(place.ravel()) == list(range(64))
    stays = places(saliency, share, size=2, xi=100.0)[0]
    assert stays.tolist() == list(range(64))


def test_blocks_of_a_side_that_the_grid_does_not_divide() -> None:
    values = np.arange(7.0)[None, :, None].repeat(5, axis=2)
    np.testing.assert_allclose(block_means(values, 2, axis=1)[0, :, 0], [1.5, 5])  # 0…3, 4…6
    pixels = blocks_to_pixels(np.array([[[1.0, 2], [3, 4]]]), 3, 5)
    assert pixels[0].tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [3, 3, 3, 4, 4]]
    swapped = moved(np.array([[1, 0, 3, 2]]), 3, 5)[0]  # left and right
    assert swapped.tolist() == [[3, 4, 4, 0, 1], [8, 9, 9, 5, 6], [13, 14, 14, 10, 11]]


def test_lam_is_followed_on_average_and_labels_are_exact() -> None:
    rng = np.random.default_rng(0)
    x_i, x_j = torch.ones(300, 1, 28, 28), torch.zeros(300, 1, 28, 28)
    gradients = tuple(torch.from_numpy(rng.normal(size=(300, 1, 28, 28))).float() for _ in "ij")
    image, lam = PuzzleMix()(x_i, x_j, gradients=gradients, rng=np.random.default_rng(1))
    torch.testing.assert_close(image.mean(dim=(1, 2, 3)), lam, atol=1e-6, rtol=0)
    drawn = np.random.default_rng(1).beta(1, 1, size=300)
    assert np.corrcoef(lam, drawn)[0, 1] > 0.8


def test_a_loss_that_is_flat_still_gives_a_mask(images) -> None:
    x_i, x_j = images(0, 4, 1, 9, 11), images(1, 4, 1, 9, 11)
    flat = (torch.zeros_like(x_i), torch.zeros_like(x_j))
    image, lam = PuzzleMix()(x_i, x_j, gradients=flat, rng=np.random.default_rng(0))
    assert torch.isfinite(image).all()
    assert ((lam >= 0) & (lam <= 1)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0.0),
        ("beta", -1.0),
        ("gamma", 1.5),
        ("eta", -0.1),
        ("transport", -1),
        ("labels", 1),
    ],
)
def test_refuses_parameters_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        PuzzleMix(**{name: value})
