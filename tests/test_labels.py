import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.labels import decode, encode


@given(st.data(), st.sampled_from([2, 256, 257, 65536, 65537]), st.integers(0, 40))
def test_what_was_written_is_read_again(data, classes, count):
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    read = decode(encode(np.array(labels, np.int64), classes), count, classes)
    assert read.tolist() == labels
    assert read.dtype == np.int64


def test_a_class_takes_as_few_bytes_as_its_number_needs():
    noise = np.random.default_rng(0).integers(0, 10, 10_000)
    assert len(encode(noise, 10)) < 5_200
    assert zlib.decompress(encode(noise, 10)) == noise.astype("u1").tobytes()
    assert zlib.decompress(encode(noise, 300)) == noise.astype("<u2").tobytes()


@pytest.mark.parametrize("labels", [[0, 3], [-1], [0.5], [[1]]])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(ValueError, match="labels: expected"):
        encode(np.array(labels), 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zlib",
        encode([0, 1], 3),
        encode([0, 1, 2, 0], 3),
        encode([0, 1, 2], 3)[:-1],
        encode([0, 1, 7], 8),
        zlib.compress(bytes(10**6)),
    ],
    ids=["nothing", "noise", "too few", "too many", "cut", "another class", "a bomb"],
)
def test_anything_else_is_an_error_and_not_other_labels(data):
    with pytest.raises(ValueError, match="labels"):
        decode(data, 3, 3)
