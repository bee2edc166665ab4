"""Random networks: packed, they get the numbers that they get one by one, or they are not packed.

A failure prints the seed and the network. To see it again, and to make it smaller:
`PYTHONPATH=tests/support python -m fuzzing SEED --shrink`.
"""

from dataclasses import replace

import pytest
import torch
from fuzzing import Case, alone, draw, judge, judge_modules, judge_seed, speed_does_not_decide
from fuzzing.pieces import PIECES

from augbench.packed import replay as replaying
from augbench.packed.choice import Choice
from augbench.packed.tape import Tape
from augbench.packed.trace import PackedByRules
from augbench.packed.vmap import PackedByVmap
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

# Networks as careless as users' are warn of what they do; the numbers are what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore")

_AT_ONCE = 4  # seeds of one test


def assert_no_fault(judged):
    if judged.faults:
        pytest.fail(str(judged), pytrace=False)


def assert_right(seeds):
    wrong = [f"seed {seed}: {judged}" for seed in seeds if (judged := judge_seed(seed)).faults]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize("first", range(0, 40, _AT_ONCE))
def test_random_networks_get_the_numbers_of_one_by_one(first):
    assert_right(range(first, first + _AT_ONCE))


@pytest.mark.slow
@pytest.mark.parametrize("first", [40, 65, *range(1000, 2000, 25)])
def test_a_thousand_random_networks_get_the_numbers_of_one_by_one(first):
    assert_right(range(first, first + 25))


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("kind", sorted(PIECES))
def test_every_piece_alone_gets_the_numbers_of_one_by_one(kind, batch):
    wrong = [str(judged) for case in alone(kind, batch) if (judged := judge(case)).faults]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


FOUND = {
    "a replayed normalisation of flattened features": [
        "max_pool flatten bn1d",
        "batch=8 conv3:out=16 act pooled:kind=layers bn1d",
        "conv3 flatten bn linear act",
    ],
    "variances too large for float32": [
        "scale=1e+30 conv3 bn pooled",
        "constant conv3 bn pooled",
        "scale=1e+30 bn maths:kind=erf pooled",
        "scale=1e+30 act:kind=mish bn maths:kind=square pooled",
        "scale=1e-30 conv3 bn pooled",
    ],
    "state that changes in forward": [
        "conv3 counting pooled",
        "conv3 counting:kind=attribute pooled",
        "conv3 counting:kind=every_other pooled",
        "conv3 counting:kind=warmup pooled",
        "conv3 counting:kind=late pooled",
        "conv3 running pooled",
        "conv3 running:kind=previous pooled",
    ],
    "features that depend on the batch": [
        "batch=1 conv3 bn:track=False pooled",
        "batch=8 conv3 of_the_batch pooled",
        "batch=16 conv3 of_the_batch:kind=std pooled",
        "batch=8 conv3 of_the_batch:kind=first pooled",
        "batch=2 conv3 pooled bn:track=False",
        "batch=8 conv3 of_the_batch_later pooled",
    ],
    "features that depend on more than images": [
        "conv3 moody:kind=grad pooled",
    ],
}


@pytest.mark.parametrize(
    "line", [line for lines in FOUND.values() for line in lines], ids=lambda line: line[:60]
)
def test_what_was_once_wrong_is_right(line):
    assert_no_fault(judge(Case.parse(line)))


@pytest.mark.parametrize(
    ("line", "packer"),
    [
        ("conv3 counting:kind=attribute pooled", PackedByRules),
        ("conv3 counting:kind=warmup pooled", PackedByRules),
        ("conv3 of_the_batch pooled", PackedByVmap),
        ("batch=1 conv3 bn:track=False pooled", PackedByVmap),
    ],
)
def test_the_judge_sees_what_a_probe_would_have_to_see(line, packer):
    """The judge finds these networks wrong when they are packed without being verified."""
    case = Case.parse(line)
    modules = [case.backbone(k) for k in range(2)]
    judged = judge_modules(
        case, modules, case.image, case.batch, choosing=lambda *_: Choice(packer, "unasked")
    )
    assert judged.faults


def test_the_judge_sees_a_replay_that_leaves_something_out(monkeypatch):
    replay = Tape.replay
    case = Case.parse("conv3 act pooled")
    assert not judge(case).faults

    def forgetful(self, *, refresh=True):
        if refresh:  # the verifying replay is left as it is
            self._actions = self._actions[:-1]
        replay(self, refresh=refresh)

    monkeypatch.setattr(Tape, "replay", forgetful)
    assert not judge(case).replayed  # the check of the packing has seen it first
    monkeypatch.setattr(replaying, "_CHECKED_AGAIN", ())
    modules = [case.backbone(k) for k in range(2)]
    with speed_does_not_decide():
        judged = judge_modules(
            case,
            modules,
            case.image,
            case.batch,
            choosing=lambda *_: Choice(PackedByRules, "unasked"),
        )
    assert judged.faults


def test_a_network_is_its_line_and_its_seed():
    for seed in range(30):
        case = draw(seed)
        assert Case.parse(str(case)) == case == draw(seed)
        assert case.trains()


def differences(one, other):
    """The largest difference of two results' losses and metrics; None if both failed alike."""
    if not (one.ok and other.ok):
        return None if not one.ok and not other.ok else float("inf")
    pairs = [
        (a, b)
        for name, curve in one.curves.items()
        for a, b in zip(curve.loss, other.curves[name].loss, strict=True)
    ]
    pairs += [(one.metrics[name], other.metrics[name]) for name in ("nll", "pretrain_nll")]
    return max(abs(a - b) / max(1, abs(b)) for a, b in pairs)


def assert_engines_agree(lab, seed):
    """Through the engines that users use, beside a reference from weights that are nudged."""
    case = draw(seed)

    def factory(in_channels, image_size, nudge=0):
        network = case.network()
        generator = torch.Generator().manual_seed(nudge)
        with torch.no_grad():
            for value in network.parameters() if nudge else ():
                value.mul_(1 + 2e-7 * torch.randn(value.shape, generator=generator))
        return network

    lab.factories["drawn"] = factory
    lab.source = lab.add_images("drawn source", 3, shape=case.image, seed=1)
    lab.target = lab.add_images("drawn target", 4, shape=case.image, seed=2)
    settings = replace(lab.cell().settings, batch_size=case.batch, pretrain_steps=25)
    cells = [
        lab.cell(augmentation, 3, number, backbone="drawn", settings=settings)
        for number, augmentation in enumerate(("none", "mixup"))
    ]
    engine = PackedEngine()
    packed = lab.train(engine, cells, test_every=10)
    reference = lab.train(ReferenceEngine(), cells, test_every=10)
    apart = [differences(packed[cell.key], reference[cell.key]) for cell in cells]
    if max(one or 0 for one in apart) < 1e-4:
        return
    controls = []
    for nudge in (1, 2, 3):
        lab.factories["drawn"] = lambda *about, nudge=nudge: factory(*about, nudge=nudge)
        nudged = lab.train(ReferenceEngine(), cells, test_every=10)
        controls += [differences(nudged[cell.key], reference[cell.key]) or 0 for cell in cells]
    assert max(one or 0 for one in apart) < 30 * max(controls), f"{seed}: {case}: {engine.choice}"


@pytest.mark.parametrize("seed", range(2000, 2005))
def test_random_networks_get_the_references_results_from_the_engine(lab, seed):
    with speed_does_not_decide():
        assert_engines_agree(lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2005, 2110))
def test_a_hundred_random_networks_get_the_references_results_from_the_engine(lab, seed):
    with speed_does_not_decide():
        assert_engines_agree(lab, seed)
