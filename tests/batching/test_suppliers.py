import copy
import dataclasses
import random

import numpy as np
import pytest
import torch
from augmented import augment
from torch import nn

from augbench.api import execute, plan
from augbench.augmentations.contract import (
    needs_of,
    returns_distribution_of,
    shares_of,
    value_range_of,
)
from augbench.batching.suppliers import hidden_layers, input_gradients, supplier_for
from augbench.errors import ContractError
from augbench.packed.dropout import StreamDropout
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.augmenting import Rows, augmenter_of
from augbench.protocol.mixing import soft_labels


class Steeper:
    sources = 2
    needs = frozenset({"gradients"})

    def __call__(self, x_i, x_j, *, gradients, rng):
        self.seen = gradients
        lam = x_i.new_tensor(rng.random(len(x_i)))
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


class HiddenMixup:
    sources = 2
    needs = frozenset({"hidden"})

    def __init__(self, layer=None):
        self.layer = layer

    def choose_layer(self, layers, *, rng):
        self.layers = tuple(layers)
        return layers[rng.integers(len(layers))] if self.layer is None else self.layer

    def __call__(self, h_i, h_j, *, rng):
        self.shape = h_i.shape
        lam = h_i.new_tensor(rng.beta(2, 2, size=len(h_i)))
        share = lam.view(-1, *[1] * (h_i.ndim - 1))
        return share * h_i + (1 - share) * h_j, lam


def make_model(*, dropout=True):
    """A network with dropout and batch statistics, and a head."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
    if dropout:
        layers.insert(1, StreamDropout(0.5, False, np.random.default_rng(1)))
    head = nn.Linear(4 * 4 * 4, 3)
    return nn.Sequential(nn.Sequential(*layers), head, nn.LogSoftmax(dim=1)).train()


@pytest.fixture
def batch():
    """Sources [2 × [5, 1, 6, 6]], what else is known of their rows, partners [1, 5]."""
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.random((5, 1, 6, 6), dtype=np.float32))
    labels = torch.tensor([0, 1, 2, 0, 1])
    partners = np.array([[1, 2, 3, 4, 0]])
    p = torch.from_numpy(partners[0])
    return [images, images[p]], Rows([labels, labels[p]], 3, (0, 5, 1)), partners


def supply(augmentation, model):
    pipeline = Pipeline.of(Component("augmentation", "made"))
    augmenter = augmenter_of(
        pipeline, lambda component: augmentation, lambda *address: np.random.default_rng(2)
    )
    return supplier_for(augmenter, model, (1, 6, 6))


def test_each_source_comes_with_the_gradient_of_its_own_loss(batch):
    sources, rows, partners = batch
    model, augmentation = make_model(), Steeper()
    before = copy.deepcopy(model).eval()  # the step itself changes batch statistics
    supply(augmentation, model).forward(sources, rows, partners)
    for source, label, given in zip(sources, rows.labels, augmentation.seen, strict=True):
        for n in range(5):
            x = source[n : n + 1].clone().requires_grad_()
            nn.functional.nll_loss(before(x), label[n : n + 1]).backward()
            torch.testing.assert_close(given[n : n + 1], x.grad)


def test_asking_for_gradients_leaves_no_trace_in_the_model(batch):
    sources, rows, _ = batch
    model = make_model()
    model[0][2].eval()  # a frozen batch norm stays one
    model(sources[0]).sum().backward()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters()]
    stream = model[0][1].rng.bit_generator.state
    globals_before = random.getstate(), torch.get_rng_state()
    input_gradients(model, sources[0], rows.labels[0])
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    pairs = zip(model.parameters(), gradients, strict=True)
    assert all(torch.equal(p.grad, gradient) for p, gradient in pairs)
    assert model[0][1].rng.bit_generator.state == stream
    assert random.getstate() == globals_before[0]
    assert torch.equal(torch.get_rng_state(), globals_before[1])


@pytest.mark.parametrize("augmentation", [Steeper(), HiddenMixup()])
def test_the_step_itself_draws_the_same_dropout_masks_as_any_other(batch, augmentation):
    sources, rows, partners = batch
    model, other = make_model(), make_model()
    supplier = supply(augmentation, model)
    for _ in range(3):
        supplier.forward(sources, rows, partners)
        other(sources[0])
    assert model[0][1].rng.bit_generator.state == other[0][1].rng.bit_generator.state


def test_each_step_with_gradients_bills_one_extra_pass(batch):
    for augmentation, expected in ((Steeper(), 2), (HiddenMixup(), 0)):
        supplier = supply(augmentation, make_model())
        supplier.forward(*batch)
        supplier.forward(*batch)
        assert supplier.extra_passes == expected


def test_a_hidden_layer_is_mixed_with_that_of_the_partners(batch):
    sources, rows, partners = batch
    model = make_model(dropout=False)
    augmentation = HiddenMixup(layer="0")
    outputs, targets = supply(augmentation, model).forward(sources, rows, partners)
    assert augmentation.shape == (5, 4, 4, 4)
    lam = torch.tensor(np.random.default_rng(2).beta(2, 2, size=5), dtype=torch.float32)
    one, other = (nn.functional.one_hot(labels, 3) for labels in rows.labels)
    torch.testing.assert_close(targets, lam[:, None] * one + (1 - lam[:, None]) * other)
    with torch.no_grad():
        hidden = model[0][0](sources[0])
        share = lam.view(-1, 1, 1, 1)
        mixed = share * hidden + (1 - share) * hidden[partners[0]]
        expected = model[2](model[1](model[0][1:](mixed)))
    torch.testing.assert_close(outputs, expected)
    outputs.sum().backward()
    assert model[0][0].weight.grad is not None
    assert not model[0][0]._forward_hooks


def test_to_mix_at_the_input_is_to_mix_images(batch):
    sources, rows, partners = batch
    model, augmentation = make_model(dropout=False), HiddenMixup(layer="")
    outputs, targets = supply(augmentation, model).forward(sources, rows, partners)
    images, weights = augment(augmentation, sources, np.random.default_rng(2))
    torch.testing.assert_close(outputs, model(images))
    assert torch.equal(targets, soft_labels(torch.stack(rows.labels, dim=1), weights, 3))


class Odd(nn.Module):
    """Children run in another order than they are defined in, one twice, one not at all."""

    def __init__(self):
        super().__init__()
        self.last = nn.Flatten()
        self.twice = nn.ReLU()
        self.unused = nn.Linear(2, 2)
        self.first = nn.Conv2d(1, 2, 3)
        self.pair = Pair()

    def forward(self, x):
        return self.last(self.pair(self.twice(self.twice(self.first(x))))[0])


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_layers_are_those_that_run_once_in_their_order():
    images = torch.zeros(2, 1, 6, 6)
    assert list(hidden_layers(Odd(), images)) == ["first", "last"]
    assert list(hidden_layers(nn.Sequential(Odd()), images)) == ["first", "last"]


def test_a_layer_that_is_not_offered_is_an_error_that_names_those_that_are(batch):
    with pytest.raises(ContractError, match="expected one of '', '0', '1', '2', '3', got 'conv'"):
        supply(HiddenMixup(layer="conv"), make_model(dropout=False)).forward(*batch)


def make(**attributes):
    return type("Made", (), attributes)()


def test_what_is_not_declared_has_its_default():
    assert needs_of(make()) == frozenset()
    assert shares_of(make()) is True
    assert value_range_of(make()) == (0, 1)
    assert returns_distribution_of(make()) is False
    assert supply(make(sources=1), make_model()) is None


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"gradient"}, "needs 'gradient', which AugBench cannot supply"),
        ("hidden", "expected `needs` as a frozenset"),
        ({"hidden"}, "has no method choose_layer"),
        ({"hidden", "gradients"}, "cannot be needed together"),
        ({3}, "needs 3"),
    ],
)
def test_needs_that_cannot_be_met_are_errors(needs, message):
    with pytest.raises(ContractError, match=message):
        needs_of(make(needs=needs))


def test_declarations_of_the_wrong_kind_are_errors():
    for shares in (False, "", 3):
        with pytest.raises(ContractError, match="expected `shares`"):
            shares_of(make(shares=shares))
    for value_range in ((1, 0), 3, ("a", "b")):
        with pytest.raises(ContractError, match="expected `value_range`"):
            value_range_of(make(value_range=value_range))


PLUGIN = """
from augbench import hookimpl

class Steeper:
    sources = 3
    needs = frozenset({"gradients"})

    def __call__(self, *x, gradients, rng):
        assert len(x[0]) in (3, 4)  # one batch at a time
        weights = gradients[0].new_tensor(rng.dirichlet((1, 1, 1), size=len(x[0])))
        return sum(w.view(-1, 1, 1, 1) * one for w, one in zip(weights.T, x)), weights

class Hidden:
    sources = 2
    needs = frozenset({"hidden"})

    def choose_layer(self, layers, *, rng):
        assert layers == ("", *"01234567")
        return layers[rng.integers(len(layers))]

    def __call__(self, h_i, h_j, *, rng):
        return (h_i + h_j) / 2, h_i.new_full((len(h_i),), 0.5)

class Needy(Hidden):
    needs = frozenset({"tea"})

@hookimpl
def register_augmentations(register):
    register("steeper", Steeper)
    register("hidden", Hidden)
    register("needy", Needy)
"""


@pytest.fixture
def needy_options(tiny_options, tmp_path):
    path = tmp_path / "needy.py"
    path.write_text(PLUGIN)
    return dataclasses.replace(
        tiny_options,
        augmentations=("steeper", "hidden"),
        seeds=1,
        references=True,
        plugins=(*tiny_options.plugins, str(path)),
    )


@pytest.mark.parametrize("engine", ["reference", "packed"])
def test_a_study_supplies_needs_and_bills_them_under_either_engine(needy_options, engine):
    result = execute(plan(dataclasses.replace(needy_options, engine=engine)))
    assert not result.failed
    pair, sizes = result.pairs[0], (1, 4)
    steps = needy_options.settings.pretrain_steps
    assert result.values(pair, "steeper", sizes, "extra_passes").tolist() == [[steps, steps]]
    assert result.values(pair, "hidden", sizes, "extra_passes").tolist() == [[0, 0]]
    assert (result.values(pair, "steeper", sizes, "pretrain_seconds") > 0).all()


def test_an_unknown_need_is_one_line_before_anything_trains(needy_options):
    options = dataclasses.replace(needy_options, augmentations=("needy",))
    with pytest.raises(ContractError, match="Needy needs 'tea', which AugBench cannot supply"):
        plan(options)
    assert not options.out.exists()
