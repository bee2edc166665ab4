"""Loops in machine code, made by LLVM for this processor: convolution and pooling of many cells.

Values lie in *planes* [M, H, W, B], the batch innermost, so that a row of one channel of the whole
batch is one run of memory, whatever the kernel's width. torch's own convolutions of 1 to 16
channels leave most of a vector register empty; these fill it. `planes.py`, above this room, is
what the engine calls.
"""
