"""Convolution, pooling and normalisation of batch-last maps, against torch's own."""

import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from augbench.packed import ops
from augbench.packed.ops.plans import ConvolutionSpec

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llvmlite") is None, reason="no llvmlite for this processor"
)

SUPPORT = Path(__file__).parents[1] / "support"
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-12}
LAYOUTS = {
    "planes": lambda x: ops.map_of(ops.batch_last(x)),
    "contiguous": lambda x: x.contiguous(),
    "channels last": lambda x: ops.channels_last(x),
    "with gaps": lambda x: x.repeat_interleave(2, 3)[..., ::2],
    "turned": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
}

dtypes = st.sampled_from([torch.float32, torch.float64])
layouts = st.sampled_from(sorted(LAYOUTS))
seeds = st.integers(0, 2**32 - 1)
batches = st.integers(1, 19)


def test_where_llvmlite_is_installed_the_kernels_are_used():
    assert ops.kernels_serve(torch.zeros(1))
    assert ops.kernels_serve(torch.zeros(1, dtype=torch.float64))


def widest_kernel():
    from augbench.packed import codegen as kernels  # which imports llvmlite

    return kernels.widest_kernel()


class Case(NamedTuple):
    """Arguments of a convolution, and the generator that drew them."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    how: dict[str, Any]
    generator: torch.Generator

    def to(self, dtype):
        bias = None if self.bias is None else self.bias.to(dtype)
        return self._replace(x=self.x.to(dtype), weight=self.weight.to(dtype), bias=bias)


def whole(*shape, generator, most=3):
    """Small whole numbers: sums of their products are exact, and equal numbers are frequent."""
    return torch.randint(-most, most + 1, shape, generator=generator).float()


def positive(*shape, generator):
    """Numbers whose sums do not cancel, so that a tolerance means something."""
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


@st.composite
def convolutions(
    draw, numbers, *, strides=(1, 2, 3), pool=(1, 1), most=(5, 9), widest=5, squares=False
):
    """A convolution of an image from the smallest that fits, of so many channels at most."""
    generator = torch.Generator().manual_seed(draw(seeds))
    groups, inputs = draw(st.integers(1, 4)), draw(st.integers(1, most[0]))
    outputs = groups * draw(st.integers(1, most[1]))
    shapes = st.tuples(st.integers(1, 5), st.integers(1, widest))
    kernel = draw(st.sampled_from([(3, 3), (5, 5)]) if squares else shapes)
    padding = tuple(draw(st.integers(0, side - 1)) for side in kernel)
    smallest = [
        max(1, side - 2 * pad + window - 1)
        for side, pad, window in zip(kernel, padding, pool, strict=True)
    ]
    height, width = (draw(st.integers(least, max(least, 12))) for least in smallest)
    if draw(st.integers(0, 3)) == 3:  # rows of more columns than there are registers
        width += 24
    stride = draw(st.tuples(*[st.sampled_from(strides)] * 2))
    x = numbers(draw(batches), groups * inputs, height, width, generator=generator)
    weight = numbers(outputs, inputs, *kernel, generator=generator)
    bias = numbers(outputs, generator=generator) if draw(st.booleans()) else None
    how = {"stride": stride, "padding": padding, "groups": groups}
    return Case(x, weight, bias, how, generator)


def outcome(function, case):
    """The value of a function of image, weight and bias, and the slopes of a weighted sum of it."""
    given_ = [one for one in (case.x, case.weight, case.bias) if one is not None]
    given_ = [one.detach().requires_grad_() for one in given_]
    bias = None if case.bias is None else given_[2]
    value = function(given_[0], given_[1], bias, **case.how)
    assert value is not None
    generator = case.generator.clone_state()  # the same weights for every function
    direction = torch.randint(1, 4, value.shape, generator=generator).to(value.dtype)
    slopes = torch.autograd.grad(value, given_, direction)
    names = ("value", "slope of x", "slope of weight", "slope of bias")
    return dict(zip(names, (value.detach(), *slopes), strict=False))


def assert_equal(got, wanted):
    """Each number the same, or both none."""
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(
            got[name].double(),
            value.double(),
            rtol=0,
            atol=0,
            equal_nan=True,
            msg=lambda text, name=name: f"{name}: {text}",
        )


def assert_close(got, wanted, dtype):
    """As far apart as rounding lets them be, measured against the largest number."""
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        assert got[name].dtype == dtype
        assert got[name].shape == value.shape
        apart = (got[name].double() - value.double()).abs().max()
        assert apart <= CLOSE[dtype] * value.abs().max(), name


def laid(case, layout):
    return case._replace(x=LAYOUTS[layout](case.x))


@contextlib.contextmanager
def filtered(always):
    """Save products wherever that is possible, or nowhere: then sums of whole ones are exact."""

    def possible(image, weight, how):
        return how.stride == (1, 1) and weight[2] == weight[3] and weight[2] in (3, 5)

    plan = ops.convolution.WinogradPlan
    if plan is None:
        if always:
            pytest.skip("packed/winograd has been taken out")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "serves", possible if always else lambda *given_: False)
        ops.convolution._plan.cache_clear()
        yield
    ops.convolution._plan.cache_clear()


@settings(deadline=None, max_examples=30)
@given(convolutions(whole), dtypes, layouts)
def test_a_convolution_and_its_gradients_are_those_of_torch(case, dtype, layout):
    wanted = outcome(F.conv2d, case.to(torch.float64))
    with filtered(always=False):
        assert_equal(outcome(ops.convolve, laid(case.to(dtype), layout)), wanted)


def rectified_later(x, weight, bias, **how):
    return F.relu(F.conv2d(x, weight, bias, **how))


@settings(deadline=None, max_examples=24)
@given(convolutions(whole), dtypes, layouts)
def test_a_rectified_convolution_and_its_gradients_are_those_of_torch(case, dtype, layout):
    laid_ = laid(case.to(dtype), layout)
    with filtered(always=False):
        got = outcome(lambda *given_, **how: ops.convolve(*given_, rectify=True, **how), laid_)
    assert_equal(got, outcome(rectified_later, case.to(torch.float64)))


@settings(deadline=None, max_examples=24)
@given(convolutions(positive), dtypes, layouts)
def test_a_convolution_loses_no_digits(case, dtype, layout):
    wanted = outcome(F.conv2d, case.to(dtype).to(torch.float64))
    assert_close(outcome(ops.convolve, laid(case.to(dtype), layout)), wanted, dtype)


@settings(deadline=None, max_examples=15)
@given(
    convolutions(positive, strides=[1], most=(20, 20), squares=True),
    *(dtypes, layouts, st.booleans()),
)
def test_with_fewer_products_a_convolution_and_its_gradients_are_those_of_torch(
    case, dtype, layout, rectify
):
    def ours(*given_, **how):
        return ops.convolve(*given_, rectify=rectify, **how)

    wanted = outcome(rectified_later if rectify else F.conv2d, case.to(dtype).to(torch.float64))
    with filtered(always=True):
        assert_close(outcome(ours, laid(case.to(dtype), layout)), wanted, dtype)


def test_products_are_saved_where_there_are_many():
    plan = pytest.importorskip("augbench.packed.winograd").WinogradPlan

    def saved(channels, outputs, k, side, **how):
        given_ = {"stride": (1, 1), "padding": (1, 1), "groups": 2, "pool": None} | how
        how = ConvolutionSpec(**given_, rectify=False, bits=32)
        shapes = (16, 2 * channels, side, side), (2 * outputs, channels, k, k)
        return plan.serves(*map(torch.Size, shapes), how)

    assert saved(16, 16, 3, 28)
    assert saved(64, 64, 3, 7)
    assert saved(64, 64, 5, 12)
    assert not saved(1, 16, 3, 28)  # a transform for each product
    assert not saved(64, 64, 1, 28)
    assert not saved(64, 64, 3, 28, stride=(2, 2))
    assert not saved(64, 64, 3, 1)  # a tile for one number


def test_a_kernel_may_be_as_tall_as_it_likes_and_as_wide_as_the_kernels_say():
    generator, widest = torch.Generator().manual_seed(0), widest_kernel()
    x = whole(3, 2, widest + 4, widest + 2, generator=generator)
    how = {"stride": (1, 1), "padding": (1, 0), "groups": 1}
    for kernel in ((widest + 3, 1), (2, widest)):
        case = Case(x, whole(4, 2, *kernel, generator=generator), None, how, generator)
        assert_equal(outcome(ops.convolve, case), outcome(F.conv2d, case))


def test_kernels_that_were_forgotten_are_made_again():
    generator = torch.Generator().manual_seed(0)
    sizes = [(i, j) for i in (1, 2, 3) for j in (1, 2, 3)]
    for size in 2 * sizes:  # more than are remembered
        x = whole(3, 2, 7, 7, generator=generator)
        assert torch.equal(ops.max_pool(x, size), F.max_pool2d(x, size))


def pooled(x, weight, bias, *, pool, rectify, **how):
    """Torch's convolution, pooling and rectifier, one after the other."""
    made = F.max_pool2d(F.conv2d(x, weight, bias, **how), pool)
    return F.relu(made) if rectify else made


def pooled_later(x, weight, bias, *, pool, rectify, **how):
    """The kernels one after the other."""
    made = ops.max_pool(ops.convolve(x, weight, bias, **how), pool)
    return F.relu(made) if rectify else made


@st.composite
def pooled_convolutions(draw, numbers):
    """Also of images that are all alike in a part, or in the whole."""
    pool = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    case = draw(convolutions(numbers, strides=(1,), pool=pool, widest=3))
    height, width = case.x.shape[2:]
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    case.x[:, :, top:, left:] = 2.0
    return case._replace(how={**case.how, "pool": pool, "rectify": draw(st.booleans())})


@settings(deadline=None, max_examples=30)
@given(pooled_convolutions(whole), dtypes, layouts)
def test_a_pooled_convolution_and_its_gradients_are_those_of_torch(case, dtype, layout):
    """Among equals the first has the slope; what is not above zero has none."""
    wanted = outcome(pooled, case.to(torch.float64))
    assert_equal(outcome(ops.convolve, laid(case.to(dtype), layout)), wanted)


@settings(deadline=None, max_examples=12)
@given(pooled_convolutions(positive), dtypes)
def test_pooling_at_once_gives_the_numbers_of_pooling_afterwards(case, dtype):
    if case.bias is not None:  # about half of the outputs are to be negative
        case.bias.sub_(case.weight[0].numel() + 1)
    case = case.to(dtype)
    at_once, later = outcome(ops.convolve, case), outcome(pooled_later, case)
    assert torch.equal(at_once["value"], later["value"])
    assert_close(at_once, later, dtype)


@settings(deadline=None, max_examples=12)
@given(pooled_convolutions(whole), dtypes, st.data())
def test_what_is_no_number_stays_none_after_convolution_and_pooling(case, dtype, data):
    for _ in range(data.draw(st.integers(1, 3))):
        place = tuple(data.draw(st.integers(0, side - 1)) for side in case.x.shape)
        case.x[place] = float("nan")
    wanted = outcome(pooled, case.to(torch.float64))
    assert_equal(outcome(ops.convolve, case.to(dtype)), wanted)


def slope_of_pool(x, function, size):
    x = x.detach().requires_grad_()
    value = function(x, size)
    direction = torch.arange(1, value.numel() + 1, dtype=x.dtype).view(value.shape)
    return {"value": value.detach(), "slope": torch.autograd.grad(value, x, direction)[0]}


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(batches, st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.0, 0.1, 0.6]),
    seeds,
    dtypes,
    layouts,
)
@example((16, 2), (2, 2), (5, 6), 0, 0.0, 0, torch.float32, "planes")  # nothing but equals
@example((3, 1), (2, 2), (2, 2), 1, 1.0, 0, torch.float32, "planes")  # nothing but NaN
def test_a_maximum_and_its_gradient_are_exactly_those_of_torch(
    outer, size, more, most, missing, seed, dtype, layout
):
    generator = torch.Generator().manual_seed(seed)
    image = [window + rest for window, rest in zip(size, more, strict=True)]
    x = whole(*outer, *image, generator=generator, most=most).to(dtype)
    x[torch.rand(x.shape, generator=generator) < missing] = float("nan")
    got = slope_of_pool(LAYOUTS[layout](x), ops.max_pool, size)
    wanted = slope_of_pool(x, F.max_pool2d, size)
    assert_equal(got, wanted)
    if missing == 0:
        assert torch.equal(got["value"], wanted["value"])
        assert torch.equal(got["slope"], wanted["slope"])


def slices(size):
    """Parts of a dimension that hold something."""
    return st.tuples(
        st.integers(-size, size - 1), st.sampled_from([None, size, -1, size + 2]), st.integers(1, 4)
    ).map(lambda given: slice(*given))


@settings(deadline=None, max_examples=24)
@given(
    st.tuples(batches, st.integers(1, 3), st.integers(1, 7), st.integers(1, 9)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.data(),
    dtypes,
    layouts,
)
def test_parts_of_maps_and_channels_between_zeros_are_exactly_those_of_torch(
    shape, added, data, dtype, layout
):
    batch, channels, height, width = shape
    cells = 2
    index = data.draw(slices(height)), data.draw(slices(width))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, cells * channels, height, width, generator=generator, dtype=dtype)
    x = LAYOUTS[layout](x).detach().requires_grad_()
    part = x[:, :, *index]
    assume(part.numel())
    own = x.unflatten(1, (cells, channels))
    between = F.pad(own, (0, 0, 0, 0, *added)).flatten(1, 2)
    for wanted, got in (
        (part, ops.thinned(x, index)),
        (between, ops.channels_between_zeros(cells, x, *added)),
    ):
        assert torch.equal(got, wanted)
        direction = torch.rand(wanted.shape, generator=generator, dtype=dtype)
        slopes = [torch.autograd.grad(one, x, direction)[0] for one in (got, wanted)]
        assert torch.equal(*slopes)


@settings(deadline=None, max_examples=24)
@given(
    st.tuples(batches, st.integers(1, 5), st.integers(1, 9), st.integers(2, 9)),
    st.sampled_from([0.0, 100.0]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    seeds,
    dtypes,
    layouts,
)
@example((11, 1, 6, 9), 0.0, True, False, False, 118, torch.float32, "channels last")  # cancels
def test_batch_normalisation_and_its_gradients_are_those_of_torch(
    shape, mean, affine, add, rectify, seed, dtype, layout
):
    generator = torch.Generator().manual_seed(seed)
    x = (positive(*shape, generator=generator) + mean).to(dtype)
    own = [positive(shape[1], generator=generator).to(dtype) for _ in range(2 * affine)]
    shortcut = [positive(*shape, generator=generator).to(dtype) - 0.5] * add
    running = torch.rand(2, shape[1], generator=generator, dtype=torch.float64)
    direction = positive(*shape, generator=generator)
    eps = 0.1  # much less than this, and the gradient of two numbers alike is all rounding

    def with_slopes(function, dtype):
        maps = [LAYOUTS[layout](value.to(dtype)) for value in (x, *shortcut)]
        values = [*maps, *(value.to(dtype) for value in own)]
        values = [value.detach().requires_grad_() for value in values]
        factors = values[1 + add :] or (None, None)
        followed = *running.to(dtype, copy=True).unbind(), torch.tensor(7)
        y = function(values[0], *factors, values[1] if add else None, followed)
        slopes = torch.autograd.grad(y, values, direction.to(dtype))
        return [value.detach() for value in (y, *followed, *slopes)]

    def of_torch(x, weight, bias, shortcut, followed):
        y = F.batch_norm(x, *followed[:2], weight, bias, True, momentum=0.3, eps=eps)
        followed[2].add_(1)
        y = y if shortcut is None else y + shortcut
        if rectify:
            assume(y.detach().abs().min() > 10 * CLOSE[dtype] * (1 + mean))  # on either side alike
            y = F.relu(y)
        return y

    def of_ours(x, weight, bias, shortcut, followed):
        how = {"running": followed, "momentum": 0.3, "shortcut": shortcut, "rectify": rectify}
        return ops.batch_norm(x, weight, bias, eps, **how)

    plain = with_slopes(of_torch, torch.float64)
    got = with_slopes(of_ours, dtype)
    sizes = [wanted.abs().max() for wanted in plain]
    if affine:
        # The slopes of the factors are sums whose terms may cancel: rounding goes by these.
        normal = F.batch_norm(x.double(), None, None, training=True, eps=eps)
        passed = direction * (plain[0] > 0) if rectify else direction
        sizes[-2:] = ((passed * by).abs().sum((0, 2, 3)) for by in (normal, torch.ones(())))
    for one, wanted, size in zip(got, plain, sizes, strict=True):
        assert one.shape == wanted.shape
        allowed = CLOSE[dtype] * (1 + mean) * size.clamp(min=1)
        assert ((one - wanted).abs() <= allowed).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 3, 8, 12, 16, 24])
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 3, 3), (3, 5, 7), (2, 4, 8)])
def test_images_are_laid_side_by_side_in_planes(batch, channels, height, width, dtype):
    generator, steps = torch.Generator().manual_seed(batch), 3
    shape = (steps * batch, channels, height, width)
    images = [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(4)]
    images[2] = LAYOUTS["turned"](images[2])
    x = ops.side_by_side(images, batch)
    assert x.shape == (steps, batch, 4 * channels, height, width)
    for step in range(steps):
        part = slice(step * batch, (step + 1) * batch)
        assert torch.equal(x[step], torch.cat([image[part] for image in images], dim=1))
        assert ops.batch_last(x[step]).data_ptr() == x[step].data_ptr()


def test_other_types_of_number_lie_side_by_side_too():
    images = [torch.arange(2 * 3 * 2 * 4).view(6, 2, 2, 2) + 100 * k for k in range(3)]
    for dtype in (torch.int64, torch.float16):
        x = ops.side_by_side([image.to(dtype) for image in images], 3)
        assert torch.equal(x[1], torch.cat([image[3:] for image in images], 1).to(dtype))


def convolved(x=None, weight=None, *, stride=(1, 1), padding=(0, 0), groups=1, **how):
    x = torch.ones(2, 2, 30, 30) if x is None else x
    weight = torch.ones(3, 2, 3, 3) if weight is None else weight
    return ops.convolve(x, weight, None, stride=stride, padding=padding, groups=groups, **how)


def test_what_the_kernels_cannot_do_is_left_to_torch():
    assert convolved() is not None
    assert convolved(weight=torch.ones(3, 2, 1, widest_kernel())) is not None
    assert convolved(weight=torch.ones(3, 2, 1, widest_kernel() + 1)) is None
    assert convolved(padding=(3, 0)) is None
    assert convolved(padding=(0, 3)) is None
    assert convolved(weight=torch.ones(3, 2, 3, 3, dtype=torch.float64)) is None
    assert convolved(stride=(2, 2)) is not None
    assert convolved(stride=(2, 2), pool=(2, 2)) is None
    assert convolved(stride=(1, 2), pool=(2, 2)) is None
    assert convolved(pool=(29, 1)) is None
    assert convolved(pool=(16, 16)) is None  # more places than a byte tells apart
    assert ops.max_pool(torch.ones(1, 1, 4, 4), (5, 1)) is None
    assert ops.max_pool(torch.ones(1, 1, 30, 30), (16, 16)) is None


def test_channels_that_do_not_fit_are_left_to_torch_to_refuse():
    assert convolved(torch.ones(2, 1, 5, 5)) is None
    assert convolved(torch.ones(2, 4, 5, 5), pool=(2, 2)) is None
    assert convolved(groups=2) is None


def test_what_was_done_without_gradients_does_not_forbid_them_later():
    x, weight = torch.ones(2, 2, 13, 17), torch.ones(3, 2, 3, 3)
    with torch.inference_mode():
        convolved(x + 0, weight + 0)
        convolved(x + 0, weight + 0, pool=(2, 2))
    for pool in (None, (2, 2)):
        own = weight.clone().requires_grad_()
        convolved(x, own, pool=pool).sum().backward()
        assert own.grad.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16])
def test_other_types_of_number_are_left_to_torch(dtype):
    x, weight = torch.ones(2, 2, 5, 5, dtype=dtype), torch.ones(3, 2, 3, 3, dtype=dtype)
    assert not ops.kernels_serve(x)
    assert convolved(x, weight) is None
    assert convolved(x, weight, pool=(2, 2)) is None
    assert ops.max_pool(x, (2, 2)) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 5, 16])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"stride": (2, 1)},
        {"padding": (1, 1), "kernel": (3, 3)},
        {"pool": (2, 2), "rectify": True},
        {"pool": (3, 2), "rectify": False},
    ],
)
def test_a_cells_numbers_do_not_depend_on_its_company(more, batch, dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3 * 2, 9, 8, generator=generator, dtype=dtype)
    kernel = more.get("kernel", (3, 4))
    weight = torch.randn(3 * 6, 2, *kernel, generator=generator, dtype=dtype)
    bias = torch.randn(3 * 6, generator=generator, dtype=dtype)

    def numbers(cells, own):
        """Value and slopes of some cells, of which one is told."""
        images, weights, biases = (
            torch.cat([parts[k] for k in cells], dim).detach().requires_grad_()
            for parts, dim in ((x.split(2, 1), 1), (weight.split(6), 0), (bias.split(6), 0))
        )
        how = {"stride": (1, 1), "padding": (1, 2), **more, "groups": len(cells)}
        how.pop("kernel", None)
        value = ops.convolve(images, weights, biases, **how)
        slopes = torch.autograd.grad(value.square().sum(), (images, weights, biases))
        parts = value.split(6, 1), slopes[0].split(2, 1), slopes[1].split(6), slopes[2].split(6)
        return [part[own] for part in parts]

    with filtered(always=True) if "kernel" in more else contextlib.nullcontext():
        for one, other in zip(numbers([0, 1, 2], 1), numbers([1], 0), strict=True):
            assert torch.equal(one, other)


WITHOUT = """
import sys
sys.modules["llvmlite"] = None
sys.path.insert(0, sys.argv[1])
import torch
from stepping import assert_same_numbers, cells_of
from augbench.backbones.convnet import convnet
from augbench.packed import ops
from augbench.packed.trace import PackedByRules
assert not ops.kernels_serve(torch.zeros(1))
assert ops.max_pool(torch.zeros(1, 1, 4, 4), (2, 2)) is None
x = ops.side_by_side([torch.arange(16.0).view(4, 1, 2, 2) + 100 * k for k in range(3)], 2)
assert x[1, 0, :, 0, 0].tolist() == [8, 108, 208]
assert_same_numbers(cells_of(lambda: convnet(1, (20, 18))), torch.rand(6, 1, 20, 18))
print("packed")
"""


def test_without_llvmlite_torchs_own_layers_serve():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(SUPPORT)], capture_output=True, text=True
    )
    assert run.stdout == "packed\n", run.stderr


@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=["empty", "garbage", "unwritable"])
def test_a_damaged_cache_of_machine_code_changes_nothing(tmp_path, monkeypatch, damage):
    from augbench.packed import codegen as kernels

    x = torch.arange(72.0).view(2, 1, 6, 6)
    wanted = F.max_pool2d(x, 2)
    (tmp_path / "file").touch()
    folder = tmp_path / ("file" if damage is None else "cache")  # no folder can be made in a file
    monkeypatch.setenv("AUGBENCH_CACHE", str(folder))
    for _ in range(2):
        kernels.pool.cache_clear()
        assert torch.equal(ops.max_pool(x, (2, 2)), wanted)
        for path in () if damage is None else folder.rglob("*.o"):
            path.write_bytes(damage)
    kernels.pool.cache_clear()
    assert torch.equal(ops.max_pool(x, (2, 2)), wanted)
    assert damage is None or [len(path.read_bytes()) > 1000 for path in folder.rglob("*.o")] == [
        True
    ]


@pytest.fixture
def other_processor(request, monkeypatch):
    """As if this one had vectors of so many bytes, and room for so many sums."""
    from augbench.packed import codegen as kernels

    made = [value for value in vars(kernels).values() if hasattr(value, "cache_clear")]
    made.remove(kernels.machine)
    made.append(ops.convolution._plan)  # which holds what fits into this one's registers
    vector_bytes, sums = request.param
    if vector_bytes > kernels.machine().vector_bytes:
        pytest.skip("this processor's vectors are too short")
    monkeypatch.setattr(kernels.machine(), "vector_bytes", vector_bytes)
    monkeypatch.setattr(kernels.machine(), "sums", sums)
    for function in made:
        function.cache_clear()
    yield
    for function in made:
        function.cache_clear()


@pytest.mark.parametrize(
    "other_processor", [(16, 12), (16, 24), (32, 12)], ids=["SSE", "NEON", "AVX2"], indirect=True
)
def test_processors_of_other_vectors_compute_the_same(other_processor):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(size, generator=generator).requires_grad_()
        for size in ((7, 6, 9, 8), (16, 3, 3, 3), (16,))
    )
    how = {"stride": (1, 1), "padding": (1, 1), "groups": 2}
    ours = ops.convolve(x, weight, bias, pool=(2, 2), rectify=True, **how)
    theirs = F.max_pool2d(F.conv2d(x, weight, bias, 1, 1, groups=2), 2).relu()
    slope = torch.randn(theirs.shape, generator=generator)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for own, other in zip(
        *(torch.autograd.grad(y, (x, weight, bias), slope) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
    with filtered(always=True):
        case = Case(x, weight, bias, how, generator)
        assert_close(outcome(ops.convolve, case), outcome(F.conv2d, case), torch.float32)
    case = Case(x, weight, bias, {"stride": (2, 2), "padding": (1, 1), "groups": 2}, generator)
    assert_close(outcome(ops.convolve, case), outcome(F.conv2d, case), torch.float32)
    mean, variance, counter = torch.zeros(6), torch.zeros(6), torch.tensor(0)
    made = ops.batch_norm(x, None, None, 1e-5, running=(mean, variance, counter), momentum=1.0)
    assert counter == 1
    torch.testing.assert_close(mean, x.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance, x.var((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made, F.batch_norm(x, None, None, training=True))
    images = [torch.rand(16, 2, 5, 5, generator=generator) for _ in range(3)]
    stacked = torch.stack(images, 1).flatten(1, 2).unflatten(0, (2, 8))
    assert torch.equal(ops.side_by_side(images, 8), stacked)
