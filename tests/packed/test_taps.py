"""Taps change each cell's value behind a layer, as a forward hook of its own module would."""

import copy

import pytest
import torch
from torch import nn

from augbench.packed import UnpackableError, choose
from augbench.packed import trace as tracing
from augbench.packed.taps import Tap
from augbench.packed.trace import PackedByRules

CELLS = 3


class Tokens(nn.Module):
    """[B, C, H, W] → [B, H·W, C], which travels as neither a map nor a vector."""

    def forward(self, x):
        return x.flatten(2).transpose(1, 2)


class Body(nn.Module):
    """A child that is no layer by itself, with one in it that also has a tap."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)) + x)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


LAYERS = [
    nn.Conv2d(2, 4, 3),
    nn.MaxPool2d(2),
    nn.ReLU(),
    Body(),
    Tokens(),
    Mean(),
    nn.Linear(4, 5),
    nn.BatchNorm1d(5),
]
TAPS = ("0", "1", "2", "3.norm", "3", "4", "5", "6", "7")


def nets(layers=LAYERS, dtype=torch.float64):
    torch.manual_seed(0)
    made = []
    for _ in range(CELLS):
        net = nn.Sequential(*copy.deepcopy(layers)).to(dtype)
        for value in net.parameters():
            value.data.uniform_(-0.8, 0.8)
        made.append(net.train())
    return made


def turned(value):
    """Other rows, at each place by another factor: the shape of the value matters."""
    places = torch.linspace(0.5, 1.5, value[0].numel(), dtype=value.dtype)
    return 0.7 * value + 0.3 * value.flip(0) * places.view(value.shape[1:])


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("changed", [(0,), (2, 1), (0, 1, 2)])
def test_a_change_behind_a_layer_is_what_a_hook_of_that_module_does(tap, changed):
    plain = nets()
    packed = PackedByRules(plain, taps=TAPS)
    images = torch.rand(CELLS, 5, 2, 8, 8, dtype=torch.float64)
    shapes = []

    def change(value):
        shapes.append(tuple(value.shape))
        return turned(value)

    packed.taps[tap].update(dict.fromkeys(changed, change))
    features = packed(images.transpose(0, 1).flatten(1, 2))
    way = torch.randn(features.shape, dtype=torch.float64)
    values = {name: value for name, value in packed.stacked().items() if value.requires_grad}
    slopes = torch.autograd.grad((way * features).sum(), list(values.values()))
    expected_shapes = []
    for k, net in enumerate(plain):
        if k in changed:
            net.get_submodule(tap).register_forward_hook(
                lambda module, inputs, output: (
                    expected_shapes.append(tuple(output.shape)) or turned(output)
                )
            )
        alone = net(images[k])
        torch.testing.assert_close(features[k], alone)
        own = torch.autograd.grad((way[k] * alone).sum(), list(net.parameters()))
        for (name, _), slope in zip(net.named_parameters(), own, strict=True):
            wide = slopes[list(values).index(name)].view(CELLS, *slope.shape)
            torch.testing.assert_close(wide[k], slope)
    assert shapes == expected_shapes


def test_taps_without_changes_and_taps_in_use_change_nothing():
    plain = nets()
    packed, tapped = PackedByRules(plain), PackedByRules(plain, taps=TAPS)
    images = torch.rand(5, CELLS * 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(tapped(images), packed(images))
    tapped.taps["3"][1] = lambda value: value * float("nan")
    for one in (packed, tapped):
        one.train(False)
    with torch.no_grad():
        assert torch.equal(tapped(images), packed(images))


def test_a_step_through_taps_is_never_replayed():
    assert PackedByRules(nets()).replayable
    assert not PackedByRules(nets(), taps=("1",)).replayable


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.never, self.flat = nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten()

    def forward(self, x):
        return self.flat(self.one(self.one(x)))


@pytest.mark.parametrize("layer", ["one", "never", "unknown"])
def test_a_layer_that_does_not_run_exactly_once_has_no_tap(layer):
    with pytest.raises(UnpackableError, match=f"its layer {layer} does not run exactly once"):
        PackedByRules([Twice(), Twice()], taps=(layer,))


class Nudged(Tap):
    """A ten-thousandth off, in one cell of those that are changed."""

    def forward(self, x):
        made = super().forward(x)
        if not self.changes or not isinstance(made, torch.Tensor):
            return made
        wrong = torch.ones_like(made)
        wrong[:, 1] += 1e-4
        return made * wrong


class OtherSlopes(Tap):
    """Right values, whose gradients stop in some places."""

    def forward(self, x):
        made = super().forward(x)
        if not self.changes or not isinstance(made, torch.Tensor):
            return made
        return torch.cat([made[:, :1].detach(), made[:, 1:]], dim=1)


class OtherCell(Tap):
    """The change of one cell is made to the next."""

    def forward(self, x):
        made = super().forward(x)
        if not self.changes:
            return made
        return made.roll(1, dims=1) if isinstance(made, torch.Tensor) and made.ndim == 3 else made


@pytest.fixture
def _speed_does_not_decide(monkeypatch):
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)


@pytest.mark.usefixtures("_speed_does_not_decide")
@pytest.mark.parametrize("wrong", [Nudged, OtherSlopes, OtherCell])
def test_a_tap_that_is_wrong_is_found_before_it_is_used(monkeypatch, wrong):
    made, images = nets(dtype=torch.float32), torch.rand(5, 2, 8, 8)
    assert choose(made, images, taps=TAPS).reason == "packed by rules"
    monkeypatch.setattr(tracing, "Tap", wrong)
    reason = choose(made, images, taps=TAPS).reason
    assert "one by one (not by rules: other" in reason
    assert "in a step whose layers are changed" in reason


@pytest.mark.usefixtures("_speed_does_not_decide")
@pytest.mark.parametrize(
    ("one", "other"), [("0", "1"), ("1", "2"), ("3.norm", "3"), ("4", "5"), ("6", "7")]
)
def test_a_tap_behind_another_layer_is_found_before_it_is_used(monkeypatch, one, other):
    swapped = {one: other, other: one}
    right = tracing.tapped
    made, images = nets(dtype=torch.float32), torch.rand(5, 2, 8, 8)

    class Swaps(tracing._Tracer):
        def create_proxy(self, kind, target, args, kwargs, *others, **how):
            if target is right:
                args = (args[0], swapped.get(args[1], args[1]))
            return super().create_proxy(kind, target, args, kwargs, *others, **how)

    monkeypatch.setattr(tracing, "_Tracer", Swaps)
    reason = choose(made, images, taps=TAPS).reason
    assert "in a step whose layers are changed" in reason


@pytest.mark.usefixtures("_speed_does_not_decide")
def test_only_rules_have_taps():
    class Unreadable(nn.Module):
        def forward(self, x):
            return x[: len(x)] * 1.0

    made = nets([Unreadable(), *LAYERS], dtype=torch.float32)
    images = torch.rand(5, 2, 8, 8)
    assert choose(made, images).reason.startswith("packed by vmap")
    reason = choose(made, images, taps=("1",)).reason
    assert reason.startswith("one by one (not by rules: its forward cannot be read")
    assert "vmap" not in reason
