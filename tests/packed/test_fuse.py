"""Convolution, pooling and rectifier as one layer, wherever a network has them in a row."""

import copy

import pytest
import torch
from stepping import assert_same_numbers, cells_of
from torch import nn
from torch.nn import functional as F

from augbench.packed import fuse as fusing
from augbench.packed import ops
from augbench.packed.trace import PackedByRules


@pytest.fixture
def images():
    return torch.rand(6, 2, 9, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def fused(monkeypatch):
    """Fused operations of each training forward, by the convolutions' names."""
    traces = []

    def fuse(graph, layers, training):
        made = fusing.fuse(graph, layers, training)
        traces.append([f"{name.split('/', 2)[2]} {layer}" for name, layer in made.items()])
        return made

    monkeypatch.setattr("augbench.packed.trace.fuse", fuse)
    return traces


@pytest.fixture
def pooled_at_once(monkeypatch):
    """One bool a call of a convolution with pooling: whether its kernel pooled as well."""
    done, convolve = [], ops.convolve

    def counting(*args, pool=None, **how):
        made = convolve(*args, pool=pool, **how)
        if pool is not None:
            done.append(made is not None)
        return made

    monkeypatch.setattr(ops, "convolve", counting)
    return done


def conv(inputs=2, outputs=4, size=3, **how):
    return nn.Conv2d(inputs, outputs, size, **how)


POOLED, RECTIFIED = "0 pooled", "0 pooled and rectified"

ROWS = {
    "pool": ([conv(), nn.MaxPool2d(2)], [POOLED]),
    "pool, rectifier": ([conv(), nn.MaxPool2d(2), nn.ReLU()], [RECTIFIED]),
    "rectifier in place": ([conv(), nn.MaxPool2d(2), nn.ReLU(inplace=True)], [RECTIFIED]),
    "no bias": ([conv(bias=False), nn.MaxPool2d(2), nn.ReLU()], [RECTIFIED]),
    "padding": ([conv(size=(3, 2), padding=(2, 1)), nn.MaxPool2d((3, 2))], [POOLED]),
    "no padding by name": ([conv(padding="valid"), nn.MaxPool2d(2), nn.ReLU()], [RECTIFIED]),
    "groups": ([conv(groups=2), nn.MaxPool2d(2), nn.ReLU()], [RECTIFIED]),
    "two": (
        [conv(), nn.MaxPool2d(2), nn.ReLU(), conv(4, 5, 2), nn.MaxPool2d((1, 2))],
        [RECTIFIED, "3 pooled"],
    ),
    "another layer before": ([nn.MaxPool2d(2), conv(), nn.MaxPool2d(2)], ["1 pooled"]),
    "another rectifier": ([conv(), nn.MaxPool2d(2), nn.LeakyReLU(0.3)], [POOLED]),
    "pooled twice": ([conv(), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.ReLU()], [POOLED]),
    "rectifier first": ([conv(), nn.ReLU(), nn.MaxPool2d(2)], [RECTIFIED]),
    "rectifier in place first": (
        [conv(), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.ReLU()],
        [RECTIFIED],
    ),
    "dropout of channels": (
        [conv(), nn.Dropout2d(0.4), nn.MaxPool2d(2), nn.ReLU()],
        [RECTIFIED],
    ),
    "two dropouts of channels": (
        [conv(), nn.Dropout2d(0.4), nn.Dropout2d(0.3), nn.MaxPool2d(2)],
        [POOLED],
    ),
    "dropouts everywhere": (
        [nn.Dropout(0.2), conv(), nn.Dropout2d(0.4), nn.MaxPool2d(2), nn.Dropout(0.2), nn.ReLU()],
        ["1 pooled"],
    ),
    "dropout of channels before the rectifier": (
        [conv(), nn.MaxPool2d(2), nn.Dropout2d(0.4), nn.ReLU()],
        [RECTIFIED],
    ),
    "dropouts of channels around the rectifier": (
        [conv(), nn.Dropout2d(0.4), nn.ReLU(), nn.Dropout2d(0.3), nn.MaxPool2d(2)],
        [RECTIFIED],
    ),
}

# What is fused in training, and what in use.
UNPOOLED = {
    "rectifier": ([conv(), nn.ReLU()], ["0 rectified"], ["0 rectified"]),
    "rectifier, of a stride": ([conv(stride=2), nn.ReLU()], ["0 rectified"], ["0 rectified"]),
    "rectifier, not pooled in windows": (
        [conv(), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)],
        ["0 rectified"],
        ["0 rectified"],
    ),
    "statistics": ([conv(), nn.BatchNorm2d(4)], [], ["0 normalised"]),
    "statistics without factors": (
        [conv(bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU()],
        ["1 rectified"],
        ["0 normalised and rectified"],
    ),
    "statistics of the batch alone": (
        [conv(), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()],
        ["1 rectified"],
        [],
    ),
    "cumulative statistics": (
        [conv(), nn.BatchNorm2d(4, momentum=None), nn.ReLU()],
        ["1 rectified"],
        ["0 normalised and rectified"],
    ),
    "statistics after": (
        [conv(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.ReLU()],
        ["0 pooled", "2 rectified"],
        ["0 pooled"],
    ),
    "statistics first": (
        [conv(), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU()],
        [],
        ["0 normalised and pooled and rectified"],
    ),
    "statistics, then a rectifier in place": (
        [conv(), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)],
        ["1 rectified"],
        ["0 normalised and pooled and rectified"],
    ),
    "statistics and dropouts of channels": (
        [conv(), nn.Dropout2d(0.4), nn.BatchNorm2d(4), nn.Dropout2d(0.4), nn.ReLU()],
        ["2 rectified"],
        ["0 normalised and rectified"],
    ),
    "nothing but statistics": ([nn.BatchNorm2d(2), nn.ReLU()], ["0 rectified"], []),
    "statistics twice": (
        [conv(), nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU()],
        ["2 rectified"],
        ["0 normalised"],
    ),
    "statistics of what torch convolves": (
        [conv(dilation=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)],
        ["1 rectified"],
        ["0 normalised and pooled and rectified"],
    ),
}

APART = {
    "dropout of values": [conv(), nn.Dropout(0.4), nn.MaxPool2d(2), nn.ReLU()],
    "dropout of channels, then of values": [
        *(conv(), nn.Dropout2d(0.4), nn.Dropout(0.4), nn.MaxPool2d(2)),
    ],
    "windows that overlap": [conv(), nn.MaxPool2d(3, stride=2), nn.ReLU()],
    "windows that leave gaps": [conv(), nn.MaxPool2d(2, stride=3), nn.ReLU()],
    "windows that reach outside": [conv(), nn.MaxPool2d(2, padding=1), nn.ReLU()],
    "windows that end outside": [conv(), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()],
    "windows with holes": [conv(), nn.MaxPool2d(2, dilation=2), nn.ReLU()],
    "means": [conv(), nn.AvgPool2d(2), nn.ReLU()],
}

# What the kernels cannot do: fused or not, torch's own layers serve.
LEFT_TO_TORCH = {
    "stride": conv(stride=2),
    "padding of the same size": conv(padding="same"),
    "more padding than kernel": conv(size=1, padding=1),
    "holes": conv(dilation=2),
    "mirrors": conv(padding=1, padding_mode="reflect"),
}


def network(layers):
    return lambda: nn.Sequential(*map(copy.deepcopy, layers), nn.Flatten())


@pytest.mark.parametrize(("layers", "told"), ROWS.values(), ids=ROWS)
def test_rows_are_fused_and_give_the_numbers_of_the_plain_layers(
    layers, told, images, fused, pooled_at_once
):
    assert_same_numbers(cells_of(network(layers)), images)
    assert fused == [told, told]  # in training and in use
    assert set(pooled_at_once) == {ops.kernels_serve(images)}


@pytest.mark.parametrize(("layers", "training", "in_use"), UNPOOLED.values(), ids=UNPOOLED)
def test_rectifiers_and_statistics_are_fused_too(layers, training, in_use, images, fused):
    assert_same_numbers(cells_of(network(layers)), images)
    assert fused == [training, in_use]


@pytest.mark.parametrize("layers", APART.values(), ids=APART)
def test_what_is_no_such_row_is_not_fused(layers, images, fused):
    assert_same_numbers(cells_of(network(layers)), images)
    assert fused == [[], []]


@pytest.mark.parametrize("first", LEFT_TO_TORCH.values(), ids=LEFT_TO_TORCH)
def test_rows_that_the_kernels_cannot_do_give_the_same_numbers(first, images, pooled_at_once):
    rest = nn.Dropout2d(0.4), nn.MaxPool2d(2), nn.ReLU()
    assert_same_numbers(cells_of(network([first, *rest])), images)
    assert not any(pooled_at_once)


def test_frozen_layers_are_fused_like_any_other(images, fused):
    layers = [conv(), nn.MaxPool2d(2), nn.ReLU(), conv(4, 5, 2), nn.MaxPool2d(2), nn.ReLU()]
    for frozen in (layers[0], layers[3].bias):
        frozen.requires_grad_(False)
    assert_same_numbers(cells_of(network(layers)), images)
    assert fused == [[RECTIFIED, "3 pooled and rectified"]] * 2


def test_float32_is_fused_too(images, pooled_at_once):
    cells = [one.float() for one in cells_of(network([conv(), nn.MaxPool2d(2), nn.ReLU()]))]
    packed = PackedByRules(cells)
    alone = torch.stack([one(images) for one in cells])
    torch.testing.assert_close(packed(images.repeat(1, 3, 1, 1)), alone)
    assert pooled_at_once == [ops.kernels_serve(images)]


class Parts(nn.Module):
    """Layers for the forwards below."""

    def __init__(self):
        super().__init__()
        self.conv, self.same = conv(), conv(2, 2, padding=1)
        self.pool, self.dropout, self.relu = nn.MaxPool2d(2), nn.Dropout2d(0.4), nn.ReLU()


def pooled_output(net, x):
    return F.relu(net.pool(net.dropout(net.conv(x))))


def rectifier_in_place(net, x):
    return F.relu(net.pool(net.conv(x)), inplace=True)


def rectifier_of_torch(net, x):
    return torch.relu(net.pool(net.conv(x)))


def rectifier_as_a_method(net, x):
    return net.pool(net.conv(x)).relu()


def rectifier_as_a_method_in_place(net, x):
    return net.pool(net.conv(x)).relu_()


def pooled_as_a_function(net, x):
    return F.relu(F.max_pool2d(net.conv(x), 2))


def rectified_as_a_function_first(net, x):
    return net.pool(F.relu(net.conv(x)))


def shrunk_first(net, x):
    return net.pool(net.conv(x) * -1).relu()


def convolved_used_twice(net, x):
    x = net.conv(x)
    return net.pool(x) - F.avg_pool2d(x, 2)


def convolved_and_rectified_in_place_unseen(net, x):
    x = net.conv(x)
    F.relu(x, inplace=True)
    return net.pool(x)


def dropped_used_twice(net, x):
    x = net.dropout(net.conv(x))
    return net.pool(x) - F.avg_pool2d(x, 2)


def pooled_used_twice(net, x):
    x = net.pool(net.conv(x))
    return F.relu(x) - 2 * x


def pooled_used_again_after_its_rectifier_in_place(net, x):
    x = net.pool(net.conv(x))
    rectified = x.relu_()
    return rectified * 3 - x


def rectified_used_twice(net, x):
    x = F.relu(net.pool(net.conv(x)))
    return x * x - x


def convolved_twice(net, x):
    x = F.relu(net.same(x))
    return net.relu(net.pool(net.same(x)))


def convolved_and_pooled_twice(net, x):
    return F.relu(net.pool(net.same(net.pool(net.same(x)))))


def added_to_what_came_before(net, x):
    return F.relu(net.pool(net.same(x + net.same(x))) + F.avg_pool2d(x, 2))


def two_convolutions_of_one_map(net, x):
    x = F.relu(net.same(x))
    return torch.cat([net.pool(net.conv(x)), F.relu(net.pool(net.conv(x)))], 1)


def another_one_in_training(net, x):
    x = net.conv(x)
    return F.relu(net.pool(x)) if net.training else net.pool(F.relu(x) + x)


def one_for_nothing(net, x):
    net.pool(net.same(x))
    return net.pool(net.conv(x))


BOTH = ["conv pooled and rectified"]
ONE = ["conv pooled"]
NOTHING = []

FORWARDS = {
    pooled_output: BOTH,
    rectifier_in_place: BOTH,
    rectifier_of_torch: BOTH,
    rectifier_as_a_method: BOTH,
    rectifier_as_a_method_in_place: BOTH,
    pooled_as_a_function: NOTHING,
    rectified_as_a_function_first: BOTH,
    shrunk_first: NOTHING,
    convolved_used_twice: NOTHING,
    convolved_and_rectified_in_place_unseen: NOTHING,
    dropped_used_twice: NOTHING,
    pooled_used_twice: ONE,
    pooled_used_again_after_its_rectifier_in_place: ONE,
    rectified_used_twice: BOTH,
    convolved_twice: ["same rectified", "same pooled and rectified"],
    convolved_and_pooled_twice: ["same pooled", "same pooled and rectified"],
    added_to_what_came_before: ["same pooled"],
    two_convolutions_of_one_map: ["same rectified", "conv pooled", "conv pooled and rectified"],
    another_one_in_training: BOTH,
    one_for_nothing: ["same pooled", "conv pooled"],
}


@pytest.mark.parametrize(
    ("forward", "told"), FORWARDS.items(), ids=[one.__name__ for one in FORWARDS]
)
def test_forwards_of_functions_are_fused_where_nothing_else_sees_the_values_between(
    forward, told, fused
):
    kind = type("Network", (Parts,), {"forward": lambda self, x: forward(self, x).flatten(1)})
    images = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_same_numbers(cells_of(kind), images)
    assert fused[0] == told
    assert fused[1] == (NOTHING if forward is another_one_in_training else told)


class Normalised(nn.Module):
    """Layers for the sums below."""

    def __init__(self):
        super().__init__()
        self.same, self.other = conv(2, 2, padding=1), conv(2, 2, padding=1)
        self.norm, self.dropout = nn.BatchNorm2d(2), nn.Dropout2d(0.4)
        self.norm2 = nn.BatchNorm2d(2, track_running_stats=False)


def sum_and_rectifier(net, x):
    return F.relu(net.norm(net.same(x.tanh())) + x)


def sum_of_a_later_map(net, x):
    y = net.norm(net.same(x.tanh()))
    return torch.relu(torch.add(x[:, :, ::1].sigmoid(), y))


def sum_in_place(net, x):
    y = net.norm(net.same(x.tanh()))
    y += x
    return F.relu(y, inplace=True)


def sum_as_a_method_in_place(net, x):
    return net.norm(net.same(x.tanh())).add_(x).relu_()


def sum_into_another_map(net, x):
    y = x.sigmoid()
    return F.relu(y.add_(net.norm(net.same(x.tanh())))) + y


def sum_alone(net, x):
    return (net.norm(net.same(x.tanh())) + x).sigmoid()


def sum_of_two_normalised(net, x):
    return F.relu(net.norm(net.same(x.tanh())) + net.norm2(net.other(x)))


def sum_with_itself(net, x):
    y = net.norm(net.same(x.tanh()))
    return F.relu(y + y)


def sum_with_a_number(net, x):
    return F.relu(net.norm(net.same(x.tanh())) + 1.5)


def sum_with_a_factor(net, x):
    return F.relu(torch.add(net.norm(net.same(x.tanh())), x, alpha=2))


def sum_over_columns(net, x):
    return F.relu(net.norm(net.same(x.tanh())) + x[:, :, :, :1])


def sum_that_is_used_twice(net, x):
    y = net.norm(net.same(x.tanh())) + x
    return F.relu(y) + y


def normalised_used_twice(net, x):
    y = net.norm(net.same(x.tanh()))
    return F.relu(y + x) + y


def convolved_used_twice_before_the_sum(net, x):
    y = net.same(x.tanh())
    return F.relu(net.norm(y) + y)


def dropped_before_the_sum(net, x):
    return F.relu(net.dropout(net.norm(net.same(x.tanh()))) + x)


def dropped_after_the_sum(net, x):
    return F.relu(net.dropout(net.norm(net.same(x.tanh())) + x))


ADDED, ADDED_ALONE = ["norm added and rectified"], ["norm added"]

SUMS = {
    sum_and_rectifier: ADDED,
    sum_of_a_later_map: ADDED,
    sum_in_place: ADDED,
    sum_as_a_method_in_place: ADDED,
    sum_into_another_map: [],
    sum_alone: ADDED_ALONE,
    sum_of_two_normalised: ADDED,
    sum_with_itself: [],
    sum_with_a_number: [],
    sum_with_a_factor: [],
    sum_over_columns: ADDED,
    sum_that_is_used_twice: ADDED_ALONE,
    normalised_used_twice: [],
    convolved_used_twice_before_the_sum: [],
    dropped_before_the_sum: [],
    dropped_after_the_sum: ADDED,
}


@pytest.mark.parametrize(("forward", "told"), SUMS.items(), ids=[one.__name__ for one in SUMS])
def test_a_normalisation_takes_the_sum_that_follows_it(forward, told, fused):
    kind = type("Network", (Normalised,), {"forward": lambda self, x: forward(self, x).flatten(1)})
    images = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_same_numbers(cells_of(kind), images)
    assert fused[0] == told
    in_use = [layer for layer in fused[1] if "added" in layer]
    assert in_use == [layer.replace("norm", "same normalised and") for layer in told]


def test_a_sum_in_use_has_a_gradient_too(fused):
    forward = {"forward": lambda self, x: sum_and_rectifier(self, x).flatten(1)}
    kind = type("Network", (Normalised,), forward)
    cells = [one.eval() for one in cells_of(kind)]
    images = torch.rand(6, 6, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    packed, own = PackedByRules(cells), images.clone().requires_grad_()
    alone = torch.stack([one(own[:, 2 * k : 2 * k + 2]) for k, one in enumerate(cells)])
    (wanted,) = torch.autograd.grad(alone.square().sum(), own)
    packed_own = images.clone().requires_grad_()
    together = packed(packed_own)
    torch.testing.assert_close(together, alone)
    (got,) = torch.autograd.grad(together.square().sum(), packed_own)
    torch.testing.assert_close(got, wanted)
    with torch.no_grad():
        torch.testing.assert_close(packed(images), alone.detach())


class Looking(Normalised):
    """Layers for the forwards below, where others too use the convolutions' inputs."""

    def __init__(self):
        super().__init__()
        self.halving, self.thinning = conv(2, 2, stride=2, padding=1), conv(2, 2, 1, stride=3)
        self.even, self.mirrored = conv(2, 2, 3, padding=0), conv(2, 2, padding_mode="reflect")


def seen_later(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.same(x)) + x)


def seen_later_in_part(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.halving(x)) + x[:, :, ::2, ::2])


def seen_later_where_some_pixels_go_unseen(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.thinning(x)) + x[:, :, 1::3, 1::3])


def seen_later_without_padding(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.even(x)) + x[:, :, 1:-1, 1:-1])


def seen_later_by_torch(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.mirrored(x)) + x[:, :, 1:-1, 1:-1])


def seen_later_for_nothing(net, x):
    x = x.tanh()
    y = net.norm(net.same(x))
    x.sigmoid()
    return F.relu(y)


def seen_by_two(net, x):
    x = x.tanh()
    return F.relu(net.norm(net.same(x)) + x) + x.sigmoid()


def seen_before(net, x):
    x = x.tanh()
    y = x.sigmoid()
    return F.relu(net.norm(net.same(x)) + y)


def seen_by_the_next_convolution(net, x):
    x = x.tanh()
    return net.norm(net.same(x)) + net.norm2(net.other(x))


def given_back(net, x):
    x = x.tanh()
    y = net.norm(net.same(x))
    return torch.cat([y, x], 1)


LOOKS = {
    seen_later: ["same"],
    seen_later_in_part: ["halving"],
    seen_later_where_some_pixels_go_unseen: ["thinning"],
    seen_later_without_padding: ["even"],
    seen_later_by_torch: ["mirrored"],
    seen_later_for_nothing: ["same"],
    seen_by_two: [],
    seen_before: [],
    seen_by_the_next_convolution: ["same"],
    given_back: ["same"],
}


@pytest.mark.parametrize(("forward", "told"), LOOKS.items(), ids=[one.__name__ for one in LOOKS])
def test_a_convolution_hands_its_input_on_to_what_looks_at_it_later(forward, told, fused):
    kind = type("Network", (Looking,), {"forward": lambda self, x: forward(self, x).flatten(1)})
    images = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_same_numbers(cells_of(kind), images)
    assert [name.split()[0] for name in fused[0] if name.endswith(" passing")] == told
    assert not any(name.endswith(" passing") for name in fused[1])
