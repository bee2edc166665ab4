"""Loops in machine code, made by LLVM for this processor: the layers of many cells at once.

Values lie in *planes* [M, H, W, B], the batch innermost, so that a row of one channel of the whole
batch is one run of memory, whatever the kernel's width. torch's own convolutions of 1 to 16
channels leave most of a vector register empty; these fill it. `planes/`, beside this room, is
what the engine calls.
"""

from augbench.engines.kernels.convolution import convolve
from augbench.engines.kernels.copying import copy, lay_rows
from augbench.engines.kernels.gradients import ByColumns, input_gradient, weight_gradient
from augbench.engines.kernels.normalization import normalize, normalize_gradient
from augbench.engines.kernels.pooled import convolve_and_pool, gradients_through_pool
from augbench.engines.kernels.pooling import NOWHERE, pool, pool_gradient
from augbench.engines.kernels.processor import machine
from augbench.engines.kernels.products import block_of, tile_of, widest_kernel
from augbench.engines.kernels.tiles import APART
from augbench.engines.kernels.transforms import SIDE
from augbench.engines.kernels.transposition import SQUARE, transpose
from augbench.engines.kernels.winograd import Batch, Lanes, winograd, winograd_weight_gradient

__all__ = [
    "APART",
    "NOWHERE",
    "SIDE",
    "SQUARE",
    "Batch",
    "ByColumns",
    "Lanes",
    "block_of",
    "convolve",
    "convolve_and_pool",
    "copy",
    "gradients_through_pool",
    "input_gradient",
    "lay_rows",
    "machine",
    "normalize",
    "normalize_gradient",
    "pool",
    "pool_gradient",
    "tile_of",
    "transpose",
    "weight_gradient",
    "widest_kernel",
    "winograd",
    "winograd_weight_gradient",
]
