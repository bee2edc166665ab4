"""One pretraining serves every budget of a cell, with the numbers of separate ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from augbench.api import execute, plan
from augbench.plugins.components import Component
from augbench.protocol.batches import draw_batches, draw_partners
from augbench.protocol.study import Arm, Budget
from augbench.running.dealing import Dealer
from augbench.training import together as training
from augbench.training.engine import PackedEngine
from augbench.training.packs import plan_packs, units_of
from augbench.training.reference import ReferenceEngine

BUDGETS = (10, 33, 64, 75)  # within a block of steps, behind one, at the end of one


def at_budgets(cells, budgets=BUDGETS):
    return [replace(cell, budget=Budget(steps)) for cell in cells for steps in budgets]


class TwoDraws:
    """Draws one array behind another, so that a block that is cut first would draw otherwise."""

    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        lam = x_i.new_tensor(rng.random(len(x_i)))
        rows = torch.from_numpy(rng.random(len(x_i)) < 0.5)
        lam = torch.where(rows, lam, torch.ones_like(lam))
        share = lam.view(-1, 1, 1, 1)
        return x_i * share + x_j * (1 - share), lam


@pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
def test_a_budget_has_the_bits_of_a_training_of_its_own(lab, engine):
    lab.factories["two draws"] = TwoDraws
    seeds = (0, 1) if engine is PackedEngine else (0,)  # one by one, no seed sees another
    cells = [lab.cell(name, seed=seed) for name in ("none", "mixup", "two draws") for seed in seeds]
    together = lab.train(engine(), at_budgets(cells))
    for steps in BUDGETS:
        alone = lab.train(engine(), at_budgets(cells, [steps]))
        for key, result in alone.items():
            other = together[key]
            timing = {"pretrain_seconds"}
            assert {k: v for k, v in other.metrics.items() if k not in timing} == {
                k: v for k, v in result.metrics.items() if k not in timing
            }
            assert other.curves == result.curves
            assert other.correct == result.correct


def test_the_packed_engine_agrees_with_the_reference_at_every_budget(lab, agree):
    cells = at_budgets([lab.cell(name, size) for name in ("none", "mixup") for size in (1, 2)])
    results, reference = lab.train(PackedEngine(), cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(results[cell.key], reference[cell.key])


def test_budgets_share_one_training_and_several_targets(lab, monkeypatch):
    other = lab.add_images("other", 2, seed=5)
    cells = [lab.cell("mixup", seed=s, target=t) for s in (0, 1) for t in (lab.target, other)]
    trained = []
    pretrain = training._pretrain

    def counting(units, *how):
        trained.append(len(units))
        return pretrain(units, *how)

    monkeypatch.setattr(training, "_pretrain", counting)
    results = lab.train(PackedEngine(), at_budgets(cells))
    assert len(results) == 4 * len(BUDGETS)
    assert trained == [2]


def test_a_cell_that_diverges_later_keeps_its_shorter_budgets(lab):
    class Late:
        sources = 1

        def __init__(self):
            self.calls = 0

        def __call__(self, x, *, rng):
            self.calls += 1
            return x * float("nan") if self.calls == 2 else x * 1

    lab.factories["late"] = Late
    cells = at_budgets([lab.cell(name) for name in ("none", "late")])
    results = lab.train(PackedEngine(), cells)
    failed = {(cell.arm.label, cell.pretrain_steps) for cell in cells if results[cell.key].error}
    assert failed == {("late", 33), ("late", 64), ("late", 75)}


def test_an_augmentation_that_breaks_later_keeps_its_shorter_budgets(lab, agree):
    class Breaks:
        sources = 1

        def __init__(self):
            self.calls = 0

        def __call__(self, x, *, rng):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("on purpose")
            return x * 1

    lab.factories["breaks"] = Breaks
    cells = at_budgets([lab.cell(name, seed=s) for name in ("none", "breaks") for s in (0, 1)])
    results, whole = lab.train(PackedEngine(), cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        if cell.arm.label == "breaks" and cell.pretrain_steps > 32:
            assert "on purpose" in results[cell.key].error
        else:
            agree(results[cell.key], whole[cell.key])


def test_longer_draws_begin_as_shorter_ones():
    def rng():
        return np.random.default_rng(3)

    long, short = draw_batches(13, 4, 64, rng()), draw_batches(13, 4, 41, rng())
    assert (long[:41] == short).all()
    long = draw_partners(3, 64, 5, [rng(), rng()])
    assert (long[:, :41] == draw_partners(3, 41, 5, [rng(), rng()])).all()


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, 1),
        ({"momentum": 0.9}, 1),
        ({"schedule": "cosine"}, 3),
        ({"warmup": 0.1}, 3),
    ],
)
def test_a_schedule_makes_a_training_of_each_budget(lab, changes, paths):
    cell = lab.cell(settings=replace(lab.cell().settings, **changes))
    assert len(units_of(at_budgets([cell], (10, 20, 30)))) == paths


def test_an_arm_that_follows_progress_is_trained_for_each_budget(lab):
    arm = Arm.of(Component("augmentation", "x", label="x"), lab.cell().settings)
    cell = replace(lab.cell(), arm=replace(arm, needs=frozenset({"progress"})))
    assert len(units_of(at_budgets([cell], (10, 20)))) == 2


def test_a_pack_holds_the_budgets_of_its_cells(lab):
    cells = at_budgets([lab.cell(name, seed=s) for name in ("none", "mixup") for s in range(3)])
    (pack,) = plan_packs(cells, 1)
    assert {cell.key for cell in pack} == {cell.key for cell in cells}


def test_an_epoch_is_as_many_steps_as_whole_batches_fit(lab):
    for size, steps in ((1, 5 * 1), (2, 5 * 1), (4, 5 * 3)):  # 3, 6 and 12 images, 4 a batch
        cell = replace(lab.cell(size=size), budget=Budget(5, in_epochs=True))
        assert cell.pretrain_steps == steps
    assert replace(lab.cell(size=0), budget=Budget(5, in_epochs=True)).pretrain_steps == 0


def test_a_study_goes_on_with_the_budgets_that_it_lacks(tiny_options):
    options = replace(tiny_options, pretrain_steps=(6, 9), samples_per_class=(2,), seeds=2)
    first = execute(plan(replace(options, pretrain_steps=9)))
    both = execute(plan(options))
    assert not both.failed
    assert not both.missing
    assert both.budgets == ("6 steps", "9 steps")
    pair = both.pairs[0]
    assert (both.values(pair, "none") == first.values(pair, "none")).all()
    short = execute(plan(replace(options, pretrain_steps=6)))
    assert (both.at("6 steps").values(pair, "none") == short.values(pair, "none")).all()
    assert (
        short.values(pair, "none", metric="pretrain_nll")
        != first.values(pair, "none", metric="pretrain_nll")
    ).any()


def test_a_budget_is_told_when_it_ends_and_an_interruption_costs_it_not(lab):
    """What was told is kept; what goes on from it has the bits of a training without a stop."""
    cells = at_budgets([lab.cell(name) for name in ("none", "mixup")], (10, 40))
    steps, whole = [], lab.train(PackedEngine(), cells)
    training = PackedEngine().train(cells, lab.materials(), test_every=0, progress=steps.append)
    first = {one.key: one for one in (next(training), next(training))}
    assert {cell.key for cell in cells if cell.pretrain_steps == 10} == first.keys()
    # Of both arms, the steps that both budgets share, and finetuning at the short one.
    assert sum(steps) == 2 * (2 * 10 + cells[0].settings.finetune_steps)
    training.close()

    dealer = Dealer(cells, engine="packed", workers=1, device_kind="cpu")
    (pack,) = dealer.packs([cell for cell in cells if cell.key not in first])
    resumed = lab.train(PackedEngine(), pack)
    assert first.keys() | resumed.keys() == whole.keys()
    for key, result in (first | resumed).items():
        assert _bits(result) == _bits(whole[key])


def test_who_takes_a_result_neither_sees_nor_changes_what_a_network_draws(lab):
    lab.factories["drawing"] = Drawing
    drawing = Component("backbone", "drawing", source_hash="drawing")
    cells = at_budgets([replace(lab.cell("mixup"), backbone=drawing)], (10, 40))
    whole = lab.train(PackedEngine(), cells)
    torch.manual_seed(1)
    own = torch.Generator().manual_seed(1)
    for result in PackedEngine().train(
        cells, lab.materials(), test_every=0, progress=lambda steps: None
    ):
        assert _bits(result) == _bits(whole[result.key])
        assert torch.equal(torch.rand(7), torch.rand(7, generator=own))


def test_a_pack_interrupted_elsewhere_is_dealt_anew(lab):
    cells = at_budgets([lab.cell(name) for name in ("none", "mixup")], (10, 40))
    dealer = Dealer(cells, engine="packed", workers=1, device_kind="cpu")
    one_lost = [cell for cell in cells if (cell.pretrain_steps, cell.arm.label) != (10, "none")]
    assert [len(pack) for pack in dealer.packs(one_lost)] == [3]
    one_left = [cell for cell in cells if cell.arm.label == "none"]
    assert [[cell.key for cell in pack] for pack in dealer.packs(one_left)] == [
        [cell.key for cell in plan_packs(one_left, 1)[0]]
    ]


def _bits(result):
    metrics = {k: v for k, v in result.metrics.items() if k != "pretrain_seconds"}
    return metrics, result.curves, result.correct


class Drawing(torch.nn.Module):
    """Draws from torch's own generator in training, as no layer of torch's that is packed does."""

    feature_dim = 16

    def __init__(self, in_channels, image_size):
        super().__init__()
        self.layer = torch.nn.LazyLinear(16)
        self.layer(torch.zeros(1, in_channels * image_size[0] * image_size[1]))

    def forward(self, x):
        noise = torch.rand(16) if self.training else torch.full((16,), 0.5)
        return self.layer(x.flatten(1)) * noise
