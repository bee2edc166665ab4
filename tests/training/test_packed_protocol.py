"""Every part of the protocol, packed: floor, ceiling, several D_F, test curves, failures."""

from dataclasses import replace

import pytest
import torch
from lab import SETTINGS
from torch import nn

from augbench.packed.trace import PackedByRules
from augbench.protocol.readouts import READOUTS
from augbench.training import engine as packed
from augbench.training import together as training
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine, pretrain, read_out


@pytest.fixture
def engines_agree(lab, agree):
    def check(cells, test_every=0, tolerance=1e-4):
        packed = lab.train(PackedEngine(), cells, test_every)
        reference = lab.train(ReferenceEngine(), cells, test_every)
        for cell in cells:
            agree(packed[cell.key], reference[cell.key], tolerance=tolerance)
        return packed

    return check


def test_the_floor_trains_no_backbone_and_the_ceiling_takes_all_images(lab, engines_agree):
    cells = [lab.cell(size=size, seed=seed) for size in (0, None) for seed in (0, 1)]
    results = engines_agree(cells)
    assert results[cells[0].key].curves["pretrain"].step == ()
    assert results[cells[2].key].curves["pretrain"].step == (40,)


def test_a_training_set_smaller_than_the_batch_is_used_whole(lab, engines_agree):
    rules = replace(lab.cell().settings, batch_size=8)
    engines_agree([lab.cell(size=size, settings=rules) for size in (1, 2, 4)])


def test_test_curves_are_measured_and_change_no_other_number(lab, engines_agree):
    cells = [lab.cell(augmentation) for augmentation in ("none", "mixup", "collage")]
    with_curves = engines_agree(cells, test_every=15)
    without = lab.train(PackedEngine(), cells)
    for cell in cells:
        assert with_curves[cell.key].curves["pretrain"].test_step == (15, 30)
        assert with_curves[cell.key].curves["finetune"].test_step == (15, 30)
        assert with_curves[cell.key].curves["finetune"].loss == pytest.approx(
            without[cell.key].curves["finetune"].loss, abs=1e-6
        )


def test_one_pretraining_serves_several_finetunings(lab, engines_agree):
    third = lab.add_images("third", 5, seed=9)
    targets = {"none": (lab.target, third), "mixup": (lab.target,), "collage": (third, lab.source)}
    cells = [lab.cell(name, target=one) for name, some in targets.items() for one in some]
    engines_agree(cells)


def test_finetuning_on_the_pretraining_data_measures_both_heads(lab, engines_agree):
    engines_agree([lab.cell(name, target=lab.source) for name in ("none", "mixup")])


class Three:
    sources = 3

    def __call__(self, a, b, c, *, rng):
        weights = torch.from_numpy(rng.dirichlet((1, 1, 1), len(a)).astype("float32"))
        share = weights.view(-1, 3, 1, 1, 1)
        return share[:, 0] * a + share[:, 1] * b + share[:, 2] * c, weights


def test_augmentations_of_more_sources_share_a_pack_with_pairs(lab, engines_agree):
    lab.factories["three"] = Three
    engines_agree([lab.cell(name) for name in ("none", "three", "mixup")])


def test_few_images_are_left_for_calibration_or_none(lab, engines_agree):
    rules = replace(lab.cell().settings, finetune_samples_per_class=16)
    results = engines_agree([lab.cell(name, settings=rules) for name in ("none", "mixup")])
    assert not any("temperature" in result.metrics for result in results.values())


class Raises:
    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        raise ZeroDivisionError("on purpose")


class Overwrites:
    """Against the contract: it changes its input."""

    sources = 1

    def __call__(self, x, *, rng):
        return x.zero_()


def test_a_pack_too_large_for_the_memory_is_trained_in_halves(lab, agree, monkeypatch):
    train_together = packed.train_together
    sizes = []

    def short_of_memory(units, *others):
        sizes.append(len(units))
        if len(units) > 2:
            others[-1](7 * len(units))  # steps done, and lost
            raise torch.cuda.OutOfMemoryError("on purpose")
        return train_together(units, *others)

    cells = [lab.cell("mixup", seed=seed) for seed in range(5)]
    whole = lab.train(PackedEngine(), cells)
    monkeypatch.setattr(packed, "train_together", short_of_memory)
    engine = PackedEngine()
    results = lab.train(engine, cells)
    assert sizes == [5, 2, 3, 1, 2]
    assert "3 to 5 networks at a time, in halves, for lack of memory" in engine.choice
    for cell in cells:
        agree(results[cell.key], whole[cell.key], tolerance=1e-6)


def test_images_too_many_for_the_memory_pass_the_backbones_in_smaller_parts(
    lab, agree, monkeypatch
):
    forward, sizes = PackedByRules.forward, []

    def short_of_memory(self, images, **how):
        if not self.training:
            sizes.append(len(images))
            if len(images) > 20:
                raise torch.cuda.OutOfMemoryError("on purpose")
        return forward(self, images, **how)

    cells = [lab.cell("mixup", seed=seed) for seed in range(3)]
    whole = lab.train(PackedEngine(), cells)
    monkeypatch.setattr(PackedByRules, "forward", short_of_memory)
    engine = PackedEngine()
    results = lab.train(engine, cells)
    assert {64, 32, 16} <= set(sizes)
    assert "memory" not in engine.choice.lower()
    for cell in cells:
        agree(results[cell.key], whole[cell.key], tolerance=1e-6)


class Hungry:
    sources = 7


@pytest.mark.parametrize(
    ("guilty", "error"),
    [
        (Raises, "ZeroDivisionError: on purpose"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (Hungry, "needs a batch of at least 7"),
        (lambda: "no augmentation", "AttributeError"),
    ],
)
def test_only_the_guilty_cell_of_a_pack_fails_with_its_own_error(lab, agree, guilty, error):
    lab.factories["guilty"] = guilty
    cells = [lab.cell(name) for name in ("none", "guilty", "mixup")]
    results = lab.train(PackedEngine(), cells)
    assert error in results[cells[1].key].error
    reference = lab.train(ReferenceEngine(), cells)
    for cell in (cells[0], cells[2]):
        agree(results[cell.key], reference[cell.key])
        assert results[cell.key].engine == "packed"


class RaisesLate(Raises):
    """Its first blocks are sound."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x_i, x_j, *, rng):
        self.calls += 1
        if self.calls > 1:
            raise ZeroDivisionError("on purpose")
        return x_i * 1, x_i.new_ones(len(x_i))


class HalfPrecision(Raises):
    def __call__(self, x_i, x_j, *, rng):
        return x_i.double(), x_i.new_ones(len(x_i))


class TooMuch(Raises):
    def __call__(self, x_i, x_j, *, rng):
        return x_i * 1, x_i.new_full((len(x_i),), 1.5)


def test_several_guilty_cells_leave_the_others_together(lab, agree):
    kinds = {"late": RaisesLate, "double": HalfPrecision, "too much": TooMuch}
    lab.factories |= kinds | {"overwrites": Overwrites}
    cells = [lab.cell(name) for name in ("none", *kinds, "collage", "overwrites", "mixup")]
    engine = PackedEngine()
    results, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        one, other = results[cell.key], reference[cell.key]
        if cell.arm.label in {*kinds, "overwrites"}:
            assert one.error == other.error
            assert one.error
        else:
            agree(one, other)
    packed_cells = [c.arm.label for c in cells if results[c.key].engine == "packed"]
    assert packed_cells == ["none", "collage", "mixup"]


def test_cells_whose_statistics_overflow_are_trained_once_more_by_the_reference(
    lab, agree, monkeypatch
):
    pretrained = training._pretrain

    def overflowing(*how):
        for trained in pretrained(*how):
            with torch.no_grad():
                trained.backbones.stacked()["4.running_var"][6:12] = float("inf")
            trained.doubtful = training._doubtful(trained.backbones, trained.curves)
            yield trained

    monkeypatch.setattr(training, "_pretrain", overflowing)
    cells = [lab.cell(name) for name in ("none", "collage", "mixup")]
    engine = PackedEngine()
    results, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert [results[cell.key].engine for cell in cells].count("reference") == 1
    assert "1 network at a time, once more one by one" in engine.choice
    for cell in cells:
        agree(results[cell.key], reference[cell.key])


def test_an_augmentation_that_changes_its_inputs_fails_alone(lab, agree):
    lab.factories["overwrites"] = Overwrites
    cells = [lab.cell(name) for name in ("none", "overwrites", "mixup")]
    results = lab.train(PackedEngine(), cells)
    reference = lab.train(ReferenceEngine(), cells)
    for found in (results, reference):
        assert "'overwrites' changes its inputs in place" in found[cells[1].key].error
    for cell in (cells[0], cells[2]):
        agree(results[cell.key], reference[cell.key])


@pytest.mark.parametrize("backbone", ["small", "odd"])
def test_a_diverged_cell_fails_alone_and_disturbs_no_number_of_the_others(lab, agree, backbone):
    lab.factories |= {"odd": odd_net}
    explosive = replace(SETTINGS, learning_rate=1e30)
    cells = [
        lab.cell(backbone=backbone),
        lab.cell(backbone=backbone, settings=explosive),
        lab.cell("mixup", backbone=backbone),
    ]
    results = lab.train(PackedEngine(), cells)
    assert "diverged" in results[cells[1].key].error
    assert results[cells[1].key].engine == "packed"
    company = lab.train(PackedEngine(), [cells[0], cells[2]])
    for cell in (cells[0], cells[2]):
        agree(results[cell.key], company[cell.key], tolerance=1e-6)


class Odd(nn.Module):
    """A layer of a plugin's own that cannot be read ahead of time: no rule packs it."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return x[: len(x)] * self.scale


def odd_net(in_channels, image_size):
    net = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3),
        Odd(4),
        nn.BatchNorm2d(4),
        nn.Dropout2d(0.3),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Dropout(0.2),
    )
    net.feature_dim = 16
    return net


def test_layers_without_a_rule_are_trained_under_vmap_with_the_same_numbers(
    lab, agree, monkeypatch
):
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)  # however slow it is here
    lab.factories["odd"] = odd_net
    cells = [
        lab.cell(n, s, i, backbone="odd") for i in (0, 1) for n, s in (("none", 2), ("mixup", 4))
    ]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "by vmap" in engine.choice
    assert "cannot be read ahead of time" in engine.choice
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


class Undecided(nn.Module):
    """Control flow that depends on the values: neither traced nor mapped."""

    def forward(self, x):
        return x if float(x.detach().sum()) > 0 else -x


def undecided_net(in_channels, image_size):
    net = nn.Sequential(nn.Conv2d(in_channels, 4, 3), Undecided(), nn.MaxPool2d(4), nn.Flatten())
    net.feature_dim = 16
    return net


def test_what_cannot_be_packed_is_trained_one_by_one(lab, agree):
    lab.factories["undecided"] = undecided_net
    cells = [lab.cell(name, backbone="undecided") for name in ("none", "mixup")]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "one by one" in engine.choice
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


def batch_bound_net(in_channels, image_size):
    net = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),  # batch statistics, in eval mode too
        nn.MaxPool2d(4),
        nn.Flatten(),
    )
    net.feature_dim = 16
    return net


def test_features_that_depend_on_the_batch_are_not_kept(lab):
    lab.factories["batch bound"] = batch_bound_net
    cells = [lab.cell(name, backbone="batch bound") for name in ("none", "mixup")]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "more than the image" in engine.choice
    for cell in cells:
        assert packed[cell.key].metrics["nll"] == reference[cell.key].metrics["nll"]


@pytest.mark.parametrize("readout", READOUTS)
def test_a_readout_leaves_not_one_bit_of_the_backbone_changed(lab, monkeypatch, readout):
    seen = []

    def watch(trained, *rest):
        before = {k: v.detach().clone() for k, v in trained.backbones.stacked().items()}
        results = read_out_packed(trained, *rest)
        after = trained.backbones.stacked()
        seen.append(all(torch.equal(before[name], after[name]) for name in before))
        return results

    read_out_packed = training.read_out
    monkeypatch.setattr(training, "read_out", watch)
    cells = [replace(lab.cell(name), readout=readout) for name in ("none", "mixup")]
    lab.train(PackedEngine(), cells, test_every=10)
    assert seen == [True]

    materials, cell = lab.materials(), cells[0]
    trained = pretrain(cell, materials, 0, lambda steps: None)
    before = {name: value.clone() for name, value in trained.backbone.state_dict().items()}
    read_out(cell, materials, trained, 10, lambda steps: None)
    for name, value in trained.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
