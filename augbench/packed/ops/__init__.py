"""Planes: maps whose batch lies innermost in memory, and what the kernels do with them.

A map [B, M, H, W] of M channels is *in planes* if its memory is that of a tensor [M, H, W, B]. To
torch it is a map like any other; only its strides differ. Where the kernels cannot serve (another
device, another type of number, no llvmlite), `None` is the answer, and torch's own layers serve.
"""

from augbench.packed.ops.convolution import convolve, convolve_and_pass
from augbench.packed.ops.copying import channels_between_zeros, thinned
from augbench.packed.ops.layout import (
    batch_last,
    channels_last,
    in_preferred_layout,
    kernels_serve,
    map_of,
    prefers_batch_last,
    side_by_side,
)
from augbench.packed.ops.normalization import batch_norm
from augbench.packed.ops.pooling import max_pool

__all__ = [
    "batch_last",
    "batch_norm",
    "channels_between_zeros",
    "channels_last",
    "convolve",
    "convolve_and_pass",
    "in_preferred_layout",
    "kernels_serve",
    "map_of",
    "max_pool",
    "prefers_batch_last",
    "side_by_side",
    "thinned",
]
