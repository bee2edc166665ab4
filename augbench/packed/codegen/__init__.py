"""Loops in machine code, made by LLVM for this processor: the layers of many cells at once.

Values lie in *planes*, one [H, W, B] for each of M channels, the batch innermost, so that a row of
one channel of the whole batch is one run of memory, whatever the kernel's width. torch's own
convolutions of 1 to 16 channels leave most of a vector register empty; these fill it. `ops/`,
beside this room, is what calls them.
"""

from augbench.packed.codegen.convolution import convolve
from augbench.packed.codegen.copying import copy, lay_rows
from augbench.packed.codegen.gradients import ByColumns, input_gradient, weight_gradient
from augbench.packed.codegen.normalization import normalize, normalize_gradient
from augbench.packed.codegen.pooled import convolve_and_pool, gradients_through_pool
from augbench.packed.codegen.pooling import NOWHERE, pool, pool_gradient
from augbench.packed.codegen.processor import machine
from augbench.packed.codegen.products import block_of, tile_of, widest_kernel
from augbench.packed.codegen.transposition import SQUARE, transpose

__all__ = [
    "NOWHERE",
    "SQUARE",
    "ByColumns",
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
]
