"""Steps that are recorded once and replayed: the same bits, or no replay at all."""

import copy
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scale import Scale, WideScale
from torch import nn

from augbench.packed import replay as replaying
from augbench.packed.dropout import own_dropout
from augbench.packed.heads import Heads
from augbench.packed.replay import Replayed, ReplayError
from augbench.packed.rules import registry as rules
from augbench.packed.tape import refresh_each_replay
from augbench.packed.trace import PackedByRules
from augbench.protocol.recipe import Recipe
from augbench.training.descent import descent


@pytest.fixture(autouse=True, scope="module")
def _always():
    """Replay whatever can be replayed, faster or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "_TRIALS", 0)
        patch.setattr(replaying, "LONGEST", math.inf)
        yield


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)),
            *(nn.Dropout(0.2), nn.ELU()),
        )

    def forward(self, x):
        return torch.relu(torch.add(x, self.body(x))).mean((2, 3))


LAYERS = {
    "convolution": lambda: [nn.Conv2d(2, 4, 3, padding=1)],
    "pooled convolution": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.ReLU()],
    "dropout of channels": lambda: [nn.Conv2d(2, 4, 3), nn.Dropout2d(0.5), nn.MaxPool2d(2)],
    "stride": lambda: [nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.GELU()],
    "batch normalisation": lambda: [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)],
    # Its input is transposed in memory, which an operator of torch does not write back.
    "batch normalisation of flattened features": lambda: [
        *(nn.Conv2d(2, 16, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.BatchNorm1d(16)),
    ],
    "cumulative batch normalisation": lambda: [nn.BatchNorm2d(2, momentum=None)],
    "other normalisations": lambda: [nn.GroupNorm(2, 2), nn.InstanceNorm2d(2, affine=True)],
    "dilation, which no kernel knows": lambda: [nn.Conv2d(2, 3, 3, dilation=2), nn.Hardswish()],
    "residual": lambda: [Residual(2)],
    "linear": lambda: [nn.Flatten(), nn.Linear(128, 5), nn.Dropout(0.5), nn.Tanh()],
    "average": lambda: [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 1)],
}


def descents(make, dtype, cells=2, batch=3, classes=4, device="cpu"):
    """The same training twice: as it is, and replayed; with what each changes."""
    torch.manual_seed(0)
    plain = [make() for _ in range(cells)]
    with torch.no_grad():
        dim = plain[0](torch.rand(batch, 2, 8, 8)).shape[1]
    heads = [nn.Linear(dim, classes).to(device, dtype) for _ in range(cells)]
    both = []
    for _ in range(2):
        own = [
            own_dropout(copy.deepcopy(one), lambda n, k=k: np.random.default_rng([k, n])).to(
                device, dtype
            )
            for k, one in enumerate(plain)
        ]
        packed, together = PackedByRules(own), Heads(heads)
        packed.train()
        step = descent(packed, together, [Recipe(learning_rate=0.1)] * cells, 1000)
        assert isinstance(step, Replayed)
        both.append((step, [*together.parameters(), *packed.stacked().values()]))
    (plain_step, plain_state), (replayed, state) = both
    return plain_step._step, plain_state, replayed, state


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(sorted(LAYERS)),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_a_replayed_training_gives_the_same_bits(layers, dtype, batch, seed):
    plain, plain_state, replayed, state = descents(
        lambda: nn.Sequential(*LAYERS[layers](), nn.Flatten()), dtype
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(8):
        x = torch.rand(batch + 1, 4, 8, 8, generator=generator, dtype=dtype)
        weight = -torch.rand(2, batch + 1, 4, generator=generator, dtype=dtype)
        assert torch.equal(replayed(x, weight), plain(x, weight))
        assert all(map(torch.equal, state, plain_state))
    assert replayed.in_use or layers == "cumulative batch normalisation"  # looks at its counter


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS")
@pytest.mark.parametrize("layers", sorted(LAYERS))
def test_on_a_gpu_a_graph_gives_the_numbers_of_the_steps(layers):
    plain, plain_state, replayed, state = descents(
        lambda: nn.Sequential(*LAYERS[layers](), nn.Flatten()), torch.float64, device="cuda"
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        x = torch.rand(3, 4, 8, 8, generator=generator, dtype=torch.float64).cuda()
        weight = -torch.rand(2, 3, 4, generator=generator, dtype=torch.float64).cuda()
        assert torch.allclose(replayed(x, weight), plain(x, weight), rtol=1e-10, atol=1e-10)
        for one, other in zip(state, plain_state, strict=True):
            assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)
    assert replayed.in_use or layers == "cumulative batch normalisation"  # looks at its counter


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS")
def test_the_memory_of_a_graph_is_spoilt_and_a_replay_writes_all_of_it():
    def make():
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())

    plain, _, replayed, _ = descents(make, torch.float64, device="cuda")
    for step in range(6):
        x = torch.rand(3, 4, 8, 8, dtype=torch.float64).cuda()
        weight = -torch.rand(2, 3, 4, dtype=torch.float64).cuda()
        if step > 3:
            replayed._tape.spoil()
            assert replayed._output.isnan().all()
        assert torch.allclose(replayed(x, weight), plain(x, weight), rtol=1e-10, atol=1e-10)
    assert replayed.in_use


def counting(body, value):
    """A step of the given body, how often the body itself ran, and the step replayed."""
    calls = itertools.count()

    def step(x):
        next(calls)
        return body(value, x)

    return Replayed(step, [value]), lambda: next(calls)


CHECKS = 2  # of the tape before it is used, and of the second replay


def test_a_replay_runs_none_of_the_steps_own_code():
    step, runs = counting(lambda value, x: value.add_(x).sum(), torch.zeros(3))
    results = [float(step(torch.full((3,), float(n)))) for n in range(1, 7)]
    assert results == [3.0, 9.0, 18.0, 30.0, 45.0, 63.0]
    assert step.in_use
    assert runs() == 3 + CHECKS


@pytest.fixture
def operator():
    """An operator x → 2·x whose form for given memory is the test's own."""
    library = torch.library.Library("augbench_tests", "FRAGMENT")
    name = f"double_{next(_NUMBERS)}"
    library.define(f"{name}(Tensor x) -> Tensor")
    library.define(f"{name}.out(Tensor x, *, Tensor(a!) out) -> Tensor(a!)")
    library.impl(name, lambda x: 2 * x, "CPU")

    def with_form(form):
        library.impl(f"{name}.out", lambda x, *, out: form(x, out), "CPU")
        return getattr(torch.ops.augbench_tests, name)

    yield with_form
    library._destroy()


_NUMBERS = itertools.count()


def test_an_operator_that_writes_nothing_at_a_replay_is_found(operator):
    double = operator(lambda x, out: out)
    step, _ = counting(lambda value, x: value.add_(double(x)).clone(), torch.zeros(1))
    # The same input each time: what the first step left in memory would be right.
    assert [float(step(torch.ones(1))) for _ in range(6)] == [2, 4, 6, 8, 10, 12]
    assert not step.in_use


def test_an_operator_that_writes_what_it_once_wrote_is_found(operator):
    once = []

    def remembered(x, out):
        once.append(2 * x)
        return out.copy_(once[0])

    double = operator(remembered)
    remembered(torch.ones(1), torch.empty(1))
    step, _ = counting(lambda value, x: value.add_(double(x)).clone(), torch.zeros(1))
    assert [float(step(torch.ones(1))) for _ in range(6)] == [2, 4, 6, 8, 10, 12]
    assert not step.in_use


@pytest.mark.parametrize("goes_wrong_at", [3, 17])
def test_a_replay_that_goes_wrong_later_raises_before_its_numbers_are_used(operator, goes_wrong_at):
    calls = itertools.count(1)
    right = lambda x: x * 2 if next(calls) < goes_wrong_at else x * 3  # noqa: E731
    double = operator(lambda x, out: out.copy_(right(x)))
    step, _ = counting(lambda value, x: value.add_(double(x)).clone(), torch.zeros(1))
    with pytest.raises(ReplayError, match="went wrong"):
        list(map(step, [torch.ones(1)] * 30))
    assert step.in_use


def test_a_step_that_changes_memory_it_does_not_tell_of_is_done_once_each_time():
    hidden = torch.zeros(1)

    def body(value, x):
        hidden.add_(x)
        return value.copy_(hidden).clone()

    step, runs = counting(body, torch.zeros(1))
    assert [float(step(torch.ones(1))) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert runs() == 6


def test_a_step_that_looks_at_a_value_is_not_replayed():
    def body(value, x):
        return value.add_(x if float(value.sum()) < 5 else -x).clone()

    step, runs = counting(body, torch.zeros(1))
    assert [float(step(torch.full((1,), 2.0))) for _ in range(6)] == [2, 4, 6, 4, 6, 4]
    assert not step.in_use
    assert runs() == 6


@pytest.mark.parametrize(
    "draw", [lambda value: value.copy_(torch.rand(1)), lambda value: value.uniform_()]
)
def test_a_step_that_draws_from_torchs_generator_is_not_replayed(draw):
    torch.manual_seed(0)
    drawn = torch.rand(6)
    torch.manual_seed(0)
    step, _ = counting(lambda value, x: draw(value).clone(), torch.zeros(1))
    assert [float(step(torch.zeros(1))) for _ in range(6)] == drawn.tolist()
    assert not step.in_use


def test_a_step_with_state_that_it_does_not_tell_of_is_not_replayed():
    hidden = torch.zeros(1)

    def body(value, x):
        return value.add_(hidden.add_(x)).clone()

    step, _ = counting(body, torch.zeros(1))
    assert [float(step(torch.ones(1))) for _ in range(3)] == [1, 3, 6]
    assert not step.in_use


def test_what_arrives_anew_arrives_at_each_replay():
    numbers = map(float, itertools.count(1))

    def body(value, x):
        return value.add_(refresh_each_replay(lambda: torch.full((1,), next(numbers))) * x).clone()

    step, runs = counting(body, torch.zeros(1))
    assert [float(step(torch.ones(1))) for _ in range(6)] == [1, 3, 6, 10, 15, 21]
    assert step.in_use
    assert runs() == 3 + CHECKS


def test_a_replay_that_gains_no_time_is_not_used(monkeypatch):
    monkeypatch.setattr(replaying, "_TRIALS", 2)
    step, runs = counting(lambda value, x: value.add_(x).clone(), torch.zeros(1))
    monkeypatch.setattr(Replayed, "_replay", slowly(Replayed._replay))
    assert [float(step(torch.ones(1))) for _ in range(12)] == list(range(1, 13))
    assert not step.in_use
    assert runs() == 10 + CHECKS


def slowly(replay):
    def slow(self, inputs):
        torch.rand(1_000_000).sort()
        return replay(self, inputs)

    return slow


def test_long_steps_are_not_recorded(monkeypatch):
    monkeypatch.setattr(replaying, "LONGEST", 1e-9)
    step, runs = counting(lambda value, x: value.add_(x).clone(), torch.zeros(1))
    assert [float(step(torch.ones(1))) for _ in range(6)] == list(range(1, 7))
    assert not step.in_use
    assert runs() == 6


def test_networks_with_rules_of_others_are_not_replayed(monkeypatch):
    monkeypatch.setitem(rules.LAYER_RULES, Scale, WideScale)
    nets = [nn.Sequential(nn.Conv2d(2, 3, 3), Scale(3), nn.Flatten()) for _ in range(2)]
    assert not PackedByRules(nets).replayable
    assert PackedByRules([nn.Sequential(net[0], net[2]) for net in nets]).replayable


def test_recording_imports_nothing_of_torchs_compiler():
    code = """
import sys, torch
from augbench.packed.replay import Replayed
value = torch.zeros(3)
step = Replayed(lambda x: value.add_(x).clone(), [value])
for _ in range(4):
    step(torch.ones(3))
print(step.in_use, sorted({"sympy", "torch._dynamo"} & set(sys.modules)))
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.split() == ["True", "[]"]
