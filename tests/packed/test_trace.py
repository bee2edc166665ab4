"""Packing rules and the probe that decides whether to trust them."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import stepping
import torch
from scale import Scale, WideScale
from torch import nn
from torch.nn import functional as F

from augbench.packed import ops
from augbench.packed.choice import choose
from augbench.packed.dropout import StreamDropout
from augbench.packed.rules import layers
from augbench.packed.rules import registry as rules
from augbench.packed.rules.registry import UnpackableError, rule
from augbench.packed.trace import PackedByRules
from augbench.packed.vmap import PackedByVmap


@pytest.fixture(autouse=True)
def _rules_as_they_were(monkeypatch):
    monkeypatch.setattr(rules, "LAYER_RULES", rules.LAYER_RULES)
    before = dict(rules.LAYER_RULES)
    yield
    rules.LAYER_RULES.clear()
    rules.LAYER_RULES.update(before)


def nets(*layers, cells=3):
    torch.manual_seed(0)
    made = [nn.Sequential(*(copy.deepcopy(layer) for layer in layers)) for _ in range(cells)]
    for net in made:
        for parameter in net.parameters():
            nn.init.normal_(parameter)
    return made


@pytest.fixture
def images():
    return torch.rand(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _speed_does_not_decide(monkeypatch):
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)


def plain_and_packed(modules, images, packer=PackedByRules):
    """Features of the plain modules on their own images, and of the packed ones."""
    own = [images.roll(k, 0) for k in range(len(modules))]
    alone = torch.stack([one(x) for one, x in zip(modules, own, strict=True)])
    return alone, packer(modules)(torch.cat(own, dim=1))


class Branching(Scale):
    """A layer that cannot be read ahead of time."""

    def forward(self, x):
        return super().forward(x) if float(x.detach().sum()) > -1e9 else x


def test_a_plugin_layer_is_packed_once_its_author_gives_a_rule(images):
    made = nets(nn.Conv2d(2, 4, 3), Branching(4), nn.Flatten())
    with pytest.raises(UnpackableError, match="cannot be read ahead of time"):
        PackedByRules(made)
    assert "one by one" in choose(made, images).reason
    rule(Branching)(WideScale)
    alone, packed = plain_and_packed(made, images)
    assert torch.allclose(alone, packed, atol=1e-5)
    assert "by rules" in choose(made, images).reason


def wrong_scale(layers):
    """The first cell's factors for every cell."""
    wide = WideScale(layers)
    with torch.no_grad():
        wide.scale.copy_(layers[0].scale.repeat(len(layers)))
    return wide


def frozen_scale(layers):
    """Right features, no gradient."""
    wide = WideScale(layers)
    wide.scale.requires_grad_(False)
    return wide


class Forgetful(nn.BatchNorm2d):
    """Normalises as it should and never updates the running statistics."""

    def __init__(self, layers):
        super().__init__(len(layers) * layers[0].num_features)
        rules.stack_into(self, layers)

    def forward(self, x):
        return F.batch_norm(x, None, None, self.weight, self.bias, self.training, 0, self.eps)


class OtherMasks(layers.WideDropout):
    """The first cell's masks for every cell."""

    def __init__(self, layers):
        super().__init__([layers[0]] * len(layers))


@pytest.mark.parametrize(
    ("layer", "wrong", "told"),
    [
        (Scale(4), wrong_scale, "other features"),
        (Scale(4), frozen_scale, "no gradients of 1.scale"),
        (nn.BatchNorm2d(4), Forgetful, "running_mean"),
        (nn.GELU(), lambda layers: nn.GELU(approximate="tanh"), "other features"),
    ],
)
def test_the_probe_rejects_a_wrong_rule(images, layer, wrong, told):
    rule(type(layer))(wrong)
    made = nets(nn.Conv2d(2, 4, 3), layer, nn.Flatten())
    reason = choose(made, images).reason
    assert "packed by rules" not in reason
    assert told in reason


def dropout(seed, p=0.5, by_channel=False):
    return StreamDropout(p, by_channel, np.random.default_rng(seed))


def test_the_probe_rejects_masks_from_another_stream(images):
    rule(StreamDropout)(OtherMasks)
    made = [nn.Sequential(dropout(k), nn.Flatten(), nn.Linear(128, 3)) for k in range(3)]
    assert "packed by rules" not in choose(made, images).reason


@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
@pytest.mark.parametrize("by_channel", [True, False])
def test_masks_come_from_each_cells_own_stream_step_after_step(images, by_channel, packer):
    def made():
        return [
            nn.Sequential(nn.Identity(), dropout(k, 0.4, by_channel), nn.Flatten())
            for k in (0, 0, 1)
        ]

    plain, packed = made(), packer(made())
    packed.train()
    for _ in range(300):  # more than are drawn at once
        alone = torch.stack([one(images) for one in plain])
        assert torch.equal(alone, packed(torch.cat([images] * 3, dim=1)))
    assert torch.equal(alone[0], alone[1])
    assert not torch.equal(alone[0], alone[2])


class Glue(nn.Module):
    """Everything that a forward does between layers, in one."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(2, 6, 3, padding=1), nn.Linear(6, 6)
        self.norm, self.last = nn.LayerNorm(6), nn.LayerNorm([6, 4, 4])

    def forward(self, x):
        x = F.relu(self.conv(x))
        squeezed = torch.sigmoid(self.gate(self.norm(x.mean(dim=[-2, -1]))))
        x = x * squeezed.view(x.shape[0], x.shape[1], 1, 1) + 1
        x = torch.cat((F.max_pool2d(x, 2), -F.adaptive_avg_pool2d(x, 4)), 1)[:, 1:]
        return x.flatten(1)


class WholeGlue(Glue):
    def forward(self, x):
        x = F.relu(self.conv(x))
        squeezed = torch.sigmoid(self.gate(self.norm(x.mean(dim=[-2, -1]))))
        x = x * squeezed.view(x.shape[0], x.shape[1], 1, 1) + 1
        x = torch.cat((self.last(F.max_pool2d(x, 2)), F.adaptive_avg_pool2d(x, 4)), dim=1)
        return torch.cat([torch.flatten(x, 1), x.amax((2, 3))], dim=-1)


@pytest.mark.parametrize("kind", [Glue, WholeGlue])
def test_functional_glue_is_packed_without_its_author_declaring_anything(kind, images):
    made = nets(kind())
    alone, packed = plain_and_packed(made, images)
    assert torch.allclose(alone, packed, rtol=1e-4, atol=1e-4)
    assert "by rules" in choose(made, images).reason


class Padded(nn.Module):
    """Pads what it is told to pad, and takes every other pixel of it."""

    def __init__(self, pad, **how):
        super().__init__()
        self.conv, self.pad, self.how = nn.Conv2d(2, 3, 3), pad, how

    def forward(self, x):
        return F.pad(self.conv(x), self.pad, **self.how)[:, :, ::2, 1:].flatten(1)


@pytest.mark.parametrize(
    ("pad", "how"),
    [
        ((1, 2), {}),
        ((1, 0, 2, 3), {"value": 0.5}),
        ((1, 1, 2, 2), {"mode": "reflect"}),
        ((0, 0, 0, 0, 1, 2), {}),
        ((0, 1, 2, 0, 0, 2), {"mode": "constant", "value": -1.0}),
        ((0, 0, 0, 0, 0, 0), {}),
        ((-1, 0, 0, -1, -1, 0), {}),
        ((0, 0, 0, 0, 0, 0, 1, 0), {"value": 0.3}),
    ],
)
def test_padding_stays_within_each_cell(images, pad, how):
    stepping.assert_same_numbers(
        [net.double() for net in nets(Padded(pad, **how))], images.double()
    )


class ByMode(nn.Module):
    """Another way in training than in use."""

    def __init__(self):
        super().__init__()
        self.conv, self.extra = nn.Conv2d(2, 3, 3), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return (x + self.extra(x) if self.training else x).flatten(1)


def test_a_forward_that_depends_on_the_mode_is_traced_in_both(images):
    made = nets(ByMode())
    assert "by rules" in choose(made, images).reason
    for one in made:
        one.eval()
    packed = PackedByRules(made)
    packed.train(False)
    alone = torch.stack([one(images) for one in made])
    assert torch.allclose(alone, packed(images, shared=True), atol=1e-5)


def test_images_shared_by_all_cells_need_no_copies(images):
    for first in (nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(2)):
        made = [net.eval() for net in nets(first, nn.Flatten())]
        packed = PackedByRules(made)
        packed.train(False)
        alone = torch.stack([one(images) for one in made])
        assert torch.allclose(alone, packed(images, shared=True), atol=1e-5)


def test_hooks_are_refused():
    hooked = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Flatten())
    hooked[0].register_forward_hook(lambda module, args, output: output * 2)
    with pytest.raises(UnpackableError, match="hooks"):
        PackedByRules([hooked])


def test_a_layer_called_twice_stays_one_layer(images):
    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x):
            return self.conv(torch.relu(self.conv(x))).flatten(1)

    made = nets(Again())
    assert "by rules" in choose(made, images).reason
    assert set(PackedByRules(made).stacked()) == {"0.conv.weight", "0.conv.bias"}


class Tied(nn.Module):
    """Parameters that are used in two places each."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.twin, self.again = self.one, nn.Conv2d(2, 2, 3, padding=1)
        self.linear, self.last = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
        self.other.weight = self.again.weight = self.one.weight
        self.last.weight = self.linear.weight
        self.own = self.linear.bias

    def forward(self, x):
        x = self.again(self.twin(self.other(self.one(x).relu()).relu()))
        x = self.last(self.linear(x.mean((2, 3)))) + F.linear(x.mean((2, 3)), self.last.weight)
        return x * self.own


def test_the_gradients_of_a_parameter_that_layers_share_are_summed(images):
    for own in (images, images[:1]):
        stepping.assert_same_numbers(stepping.cells_of(Tied), own)
        stepping.assert_same_training(stepping.cells_of(Tied), own)
    packed = PackedByRules(stepping.cells_of(Tied)).stacked()
    assert set(packed) == {name for name, _ in Tied().named_parameters()}


class TiedInOtherForms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 2, 3), nn.Conv1d(2, 2, 1)
        self.conv.bias = self.fc.bias

    def forward(self, x):
        return self.fc(self.conv(x).flatten(2)).flatten(1)


def test_a_parameter_that_different_kinds_of_layers_share_is_refused_by_its_names():
    with pytest.raises(UnpackableError, match=r"conv\.bias and fc\.bias are one parameter"):
        PackedByRules(stepping.cells_of(TiedInOtherForms))


def test_one_cells_numbers_never_reach_another_even_where_they_are_no_numbers(images):
    made = nets(
        nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.Flatten()
    )
    packed = PackedByRules(made)
    sound = torch.cat([images] * 3, dim=1)
    broken = sound.clone()
    broken[:, 2:4] = float("nan")
    broken[0, 2] = float("inf")
    values = [value for value in packed.stacked().values() if value.requires_grad]
    outcomes = []
    for x in (sound, broken):
        features = packed(x)
        grads = torch.autograd.grad(features.sum(), values)
        outcomes.append([features, *(grad.reshape(3, -1) for grad in grads)])
    for one, other in zip(*outcomes, strict=True):
        for cell in (0, 2):
            assert torch.equal(one[cell], other[cell])
    assert outcomes[1][0][1].isnan().any()


def test_the_rule_of_the_documentation_packs_its_layer(images):
    page = Path(__file__).parents[2] / "docs" / "performance.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    names = {}
    exec(block, names)
    networks = nets(nn.Conv2d(2, 3, 3), names["Scale"](3), nn.Flatten())
    stepping.assert_same_numbers([net.double() for net in networks], images.double())


def test_the_reason_tells_that_the_kernels_are_missing(images, monkeypatch):
    monkeypatch.setattr(ops.layout, "kernels", lambda: None)
    choice = choose(nets(nn.Conv2d(2, 3, 3), nn.Flatten()), images)
    assert choice.packer is PackedByRules
    assert choice.reason == "packed by rules (not with compiled kernels: llvmlite cannot be used)"


class OwnNumber(nn.Module):
    """Draws what its seed decides, and keeps it where no state_dict sees it."""

    def __init__(self, seed, kind):
        super().__init__()
        self.conv, self.shift = nn.Conv2d(2, 3, 3), float
        number = float(np.random.default_rng(seed).random())
        self.number = {
            "number": number,
            "list": [1, (number,)],
            "tensor": torch.full((1,), number),
            "array": np.full(1, number),
            "function": lambda: number,
        }.get(kind)
        if kind == "frozen":
            self.conv.weight.requires_grad_(number > 0.5)
        if kind == "layer" and number > 0.5:
            self.conv = nn.Sequential(self.conv)

    def forward(self, x):
        number = self.number
        while isinstance(number, list | tuple):
            number = number[-1]
        number = number() if callable(number) else number
        number = float(number.sum()) if isinstance(number, torch.Tensor | np.ndarray) else number
        return self.conv(x).flatten(1) * (1 if number is None else number)


@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        *((kind, "number is not the same") for kind in ("number", "list", "tensor", "array")),
        ("function", "number is not the same"),
        ("frozen", r"conv\.weight is not the same"),
        ("layer", "the layer conv is not the same"),
    ],
)
def test_what_a_seed_decides_and_no_parameter_holds_is_never_everybodys(kind, told, packer):
    same = [OwnNumber(0, kind)] * 2
    packer([*same, OwnNumber(0, kind)])
    with pytest.raises(UnpackableError, match=told):
        packer([*same, OwnNumber(2, kind)])


class Asking(nn.Module):
    """Draws with torch's generator, or asks its dropout for what timm's networks ask."""

    def __init__(self, p, branch=False):
        super().__init__()
        self.conv, self.dropout, self.p, self.branch = nn.Conv2d(2, 3, 3), nn.Dropout(p), p, branch

    def forward(self, x):
        x = self.conv(x)
        if self.branch and float(x.detach().sum()) < -1e9:  # not to be read ahead of time
            return x
        p = self.dropout.p if self.training and not self.dropout.inplace else 0.0
        return F.dropout(x, p, self.training).flatten(1)


@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
def test_dropout_by_function_is_refused_in_words_that_say_what_to_write(packer, images):
    plain = stepping.cells_of(lambda: Asking(0.3))
    packed = packer(plain)
    own = torch.cat([images.double()] * 3, dim=1)
    packed.train()
    with pytest.raises(UnpackableError, match=r"draws from torch's global generator: write nn\.D"):
        packed(own)
    packed.train(False)
    assert packed(own).shape == (3, 4, 108)
    assert packer(stepping.cells_of(lambda: Asking(0.0)))(own).shape == (3, 4, 108)


def test_a_function_that_a_forward_wraps_is_packed_but_not_replayed(images):
    nets_ = stepping.cells_of(lambda: nn.Sequential(nn.Conv2d(2, 3, 3), Wrapping(), nn.Flatten()))
    assert not PackedByRules(nets_).replayable
    stepping.assert_same_numbers(nets_, images)


def scaled_by_its_mean(x):
    return x * x.mean((1, 2, 3), keepdim=True)


torch.fx.wrap("scaled_by_its_mean")


class Wrapping(nn.Module):
    def forward(self, x):
        return scaled_by_its_mean(x)


class Counting(nn.Module):
    """Changes with the number of steps, however it counts them."""

    def __init__(self, kind):
        super().__init__()
        self.conv, self.kind, self.steps = nn.Conv2d(2, 3, 3), kind, 0
        self.register_buffer("counter", torch.zeros(()))
        self.seen = []

    def forward(self, x):
        x = self.conv(x).flatten(1)
        if self.kind == "attribute":
            self.steps += 1
            return x * (2 if self.steps > 4 else 1)
        if self.kind == "list":
            self.seen.append(0)
        if self.kind == "new attribute":
            self.last = x
        if self.kind == "buffer":
            self.counter = self.counter + 1
        if self.kind == "in place":
            self.counter.add_(1.0)
        return x * (1 + self.counter)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("attribute", r"changes Counting\.steps"),
        ("list", r"changes Counting\.seen"),
        ("new attribute", "changes last"),
        ("buffer", r"changes (Counting\.)?counter|cannot be read ahead of time"),
    ],
)
def test_a_forward_that_changes_its_module_is_refused_and_leaves_the_module_alone(kind, told):
    made = stepping.cells_of(lambda: Counting(kind))
    with pytest.raises(UnpackableError, match=told):
        PackedByRules(made)
    assert made[0].steps == 0
    assert made[0].seen == []
    assert not hasattr(made[0], "last")
    assert isinstance(made[0].counter, torch.Tensor)
    assert float(made[0].counter) == 0


def test_a_buffer_that_counts_in_place_counts_when_packed(images):
    stepping.assert_same_numbers(stepping.cells_of(lambda: Counting("in place")), images)
    stepping.assert_same_training(stepping.cells_of(lambda: Counting("in place")), images)


class WithOptions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)

    def forward(self, x, mask=None, scale=2.0, *more, flat: bool = True, name=""):
        x = self.conv(x) * scale
        x = x if mask is None else x * mask
        return x.flatten(1) if flat and not name else x


def test_what_a_forward_may_be_given_besides_images_keeps_its_default(images):
    stepping.assert_same_numbers(stepping.cells_of(WithOptions), images)


class WithMasks(WithOptions):
    def forward(self, x, mask):
        return (self.conv(x) * mask).flatten(1)


def test_a_forward_that_needs_more_than_images_is_refused():
    with pytest.raises(UnpackableError, match="takes more than images, mask"):
        PackedByRules(stepping.cells_of(WithMasks))


class PartlyTrained(nn.Module):
    """Some parameters are frozen, some no forward ever uses."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.unused = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(4), requires_grad=False)
        self.later = nn.Conv2d(4, 3, 3)
        for frozen in (self.conv.bias, self.norm.weight, self.later):
            frozen.requires_grad_(False)

    def forward(self, x):
        x = self.norm(self.conv(x)) * self.scale.view(-1, 1, 1)
        return self.later(x).flatten(1)


@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
def test_frozen_parameters_stay_and_unused_ones_do_not_matter(packer, images):
    for own in (images, images[:1]):
        stepping.assert_same_training(stepping.cells_of(PartlyTrained), own, packer=packer)
    stacked = packer(stepping.cells_of(PartlyTrained)).stacked()
    trained = {name for name, value in stacked.items() if value.requires_grad}
    assert trained - {"unused.weight", "unused.bias"} == {"conv.weight", "norm.bias"}
