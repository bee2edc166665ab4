from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes.gridmix import GridMix, cells_to_pixels, chosen_cells


def test_the_first_cells_in_the_order_drawn_show_x_i(given) -> None:
    x_i, x_j = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    order = [[0.9, 0.2, 0.3, 0.5]]  # of a 2×2 grid: the second, the third, the fourth, the first
    image, lam = GridMix(grid=2)(x_i, x_j, rng=given(beta=[[0.5]], random=[order]))
    assert image[0, 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]
    assert lam.tolist() == [0.5]


@pytest.mark.parametrize(
    ("height", "width", "grid"), [(7, 9, 4), (3, 5, 4), (28, 28, 4), (1, 1, 2)]
)
def test_each_pixel_belongs_to_the_cell_it_lies_in(height: int, width: int, grid: int) -> None:
    cells = np.random.default_rng(0).random((3, grid, grid)) < 0.5
    pixels = cells_to_pixels(cells, height, width)
    for row in range(height):
        for column in range(width):
            cell = int(row / height * grid + 1e-9), int(column / width * grid + 1e-9)
            assert (pixels[:, row, column] == cells[:, *cell]).all()


def test_number_of_cells_is_lam_to_the_nearest_and_every_cell_is_as_likely() -> None:
    rng = np.random.default_rng(0)
    lam = rng.random(20_000)
    cells = chosen_cells(lam, rng.random((20_000, 16)))
    np.testing.assert_array_equal(cells.sum(axis=(1, 2)), np.floor(lam * 16 + 0.5))
    np.testing.assert_allclose(cells.mean(axis=0), 0.5, atol=4 * 0.5 / 20_000**0.5)


def test_labels_count_the_pixels_of_uneven_cells(given) -> None:
    x_i, x_j = torch.ones(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    rng = given(beta=[[0.25]], random=[[[0.1, 0.2, 0.3, 0.4]]])
    image, lam = GridMix(grid=2)(x_i, x_j, rng=rng)
    assert image.sum().item() == 4  # rows 0 and 1 of three are the upper half's
    assert lam.item() == pytest.approx(4 / 9)


@pytest.mark.parametrize("grid", [0, -1, True, 2.5])
def test_refuses_a_grid_that_is_none(grid: int) -> None:
    with pytest.raises(ValueError, match="grid must be a whole number of at least 1"):
        GridMix(grid=grid)
