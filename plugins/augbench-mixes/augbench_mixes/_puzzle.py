"""PuzzleMix's two problems: the image that each block shows, and the permutation of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._blocks import block_means, moved, starts
from augbench_mixes._graph_cut import cheapest_labels

__all__ = ["energy", "places", "saliency_of_blocks", "shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def saliency_of_blocks(saliency: Floats, grid: int) -> Floats:
    """The share of each block in the saliency [N, H, W] of its image: [N, g, g]."""
    means = block_means(block_means(saliency, grid, axis=1), grid, axis=2)
    total = means.sum(axis=(1, 2), keepdims=True)
    even = np.full_like(means, 1 / grid**2)  # where no pixel matters, all matter alike
    np.divide(means, total, out=even, where=total > 0)
    return even


def shares(
    images: Sequence[Floats],
    saliencies: Sequence[Floats],
    lam: Floats,
    grid: int,
    *,
    labels: int,
    weights: tuple[float, float, float],
) -> Floats:
    """The best share of the first image in each block: [N, g, g], of {0, 1/m, …, 1}."""
    found = cheapest_labels(*energy(images, saliencies, lam, grid, labels=labels, weights=weights))
    return found / (labels - 1)


def energy(
    images: Sequence[Floats],
    saliencies: Sequence[Floats],
    lam: Floats,
    grid: int,
    *,
    labels: int,
    weights: tuple[float, float, float],
) -> tuple[Floats, Floats, Floats]:
    """Return the cost of each label of a block [N, L, g, g], and of neighbours' squared steps."""
    beta, gamma, eta = weights
    smooth = beta / (16 * grid)  # the published code's scale, for saliencies that sum to 1
    first, second = (saliency_of_blocks(saliency, grid) for saliency in saliencies)
    top = labels - 1
    z = (np.arange(labels) / top)[:, None, None]
    k = np.arange(labels)
    ways = np.array([comb(top, int(i)) for i in k])
    likelihood = ways * lam[:, None] ** k * (1 - lam[:, None]) ** (top - k)  # [N, L], binomial
    prior = -eta / grid**2 * np.log(likelihood + 1e-8)
    unary = prior[:, :, None, None] - z * first[:, None] - (1 - z) * second[:, None]
    neighbours = []
    for axis in (2, 3):
        jumps = _jumps(images, grid, axis)
        # The expected jump z_p·z_q·d_ii + z_p·(1 − z_q)·d_ij + …, in the form of a cost of each
        # block and a multiple of (z_p − z_q)².
        (d_ii, d_ij), (d_ji, d_jj) = jumps
        curve = (d_ij + d_ji - d_ii - d_jj) / 2
        fore, aft = (_cut(axis, end) for end in (slice(None, -1), slice(1, None)))
        scale = smooth * gamma
        unary[fore] += scale * (z * (d_ij - d_jj)[:, None] - z**2 * curve[:, None] + d_jj[:, None])
        unary[aft] += scale * (z * (d_ji - d_jj)[:, None] - z**2 * curve[:, None])
        neighbours.append((smooth + scale * curve) / top**2)
    return unary, neighbours[0], neighbours[1]


def _cut(axis: int, end: slice) -> tuple[slice, ...]:
    return tuple(end if a == axis else slice(None) for a in range(4))


def _jumps(images: Sequence[Floats], grid: int, axis: int) -> list[list[Floats]]:
    """The mean absolute step over each edge between blocks, if image a ends and b begins there."""
    edge = starts(images[0].shape[axis], grid)[1:-1]
    across = 5 - axis  # the axis that the edge runs along
    return [
        [
            block_means(
                np.abs(a.take(edge - 1, axis=axis) - b.take(edge, axis=axis)), grid, axis=across
            ).mean(axis=1)
            for b in images
        ]
        for a in images
    ]


def places(saliency: Floats, share: Floats, *, size: int, xi: float) -> Ints:
    """Permute an image's blocks so that more saliency lies where it shows: [N, H·W].

    The exact optimum of the saliency under blocks with `share` [N, g, g] above 0, minus `xi`
    times the squared distance moved (1 for the length of a side). The grid is the mask's, halved
    to the blocks whose side is nearest to `size` pixels.
    """
    from scipy.optimize import linear_sum_assignment

    count, height, width = saliency.shape
    grid = share.shape[-1]
    while min(height, width) >= 1.5 * size * grid:  # half of it is nearer to `size`
        grid *= 2
    finer = grid // share.shape[-1]
    shows = np.repeat(np.repeat(share > 0, finer, axis=1), finer, axis=2).reshape(count, -1)
    at = np.stack(np.divmod(np.arange(grid**2), grid), axis=1) / max(1, grid - 1)
    distance = ((at[:, None] - at) ** 2).sum(axis=2)  # [g², g²]
    salient = saliency_of_blocks(saliency, grid).reshape(count, -1)
    plan = np.empty((count, grid**2), dtype=np.int64)
    for n in range(count):
        # Rows are where a block goes, columns are where it comes from.
        plan[n] = linear_sum_assignment(xi * distance - np.outer(shows[n], salient[n]))[1]
    return moved(plan, height, width).reshape(count, -1)
