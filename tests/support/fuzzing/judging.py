"""Trains a case packed and one by one, as the engines do, and says where they part.

Cells are judged in float64, where only a fault or chaos can part them, and in float32. Networks
whose nudged copies part from themselves as far are chaotic: there, nothing is said.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import torch
from torch import Tensor, nn

from augbench.packed import choice as probing
from augbench.packed import replay as replaying
from augbench.packed import timing
from augbench.packed.choice import Choice, choose
from augbench.packed.heads import Heads
from augbench.packed.ops import side_by_side
from augbench.packed.replay import Replayed
from augbench.protocol.loss import soft_label_cross_entropy
from augbench.protocol.recipe import Recipe
from augbench.training.descent import descent
from fuzzing.drawing import Case, draw

__all__ = ["Verdict", "judge", "judge_modules", "judge_seed", "speed_does_not_decide"]

_CLASSES = 4
_STEPS = 12
_TESTED = 8  # the step after which the networks are also asked in eval mode
_TOLERANCE = {torch.float32: 3e-4, torch.float64: 1e-7}
_NUDGE = {torch.float32: 1e-7, torch.float64: 1e-16}
_NUDGES = 4
_BEYOND = {torch.float64: 30, torch.float32: 300}
"""Times as far apart as a nudged control, and it is a fault: in float32 only what float64 cannot
show, since a packing rounds otherwise at each step, and a control is nudged at the first alone."""
_LARGER, _BEYOND_LARGER = 100, 10
"""Further controls of float32 are nudged so many times as far, and allow so many times theirs: sums
in another order are that far off, and a rectifier may open in one of them and not in another."""


@dataclass
class Verdict:
    """Outcome of one case: the packing, its reason, and the faults found."""

    case: Case | str
    reason: str
    packed: bool
    replayed: bool = False
    gain: float | None = None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n  ".join([str(self.case), self.reason, *self.faults])


@contextmanager
def speed_does_not_decide(*, replay: bool = True) -> Iterator[None]:
    """Take any packing that is right, and `replay` whatever can be, faster or not."""
    patches = [
        mock.patch.object(probing, "_WORTH_IT", 0),
        mock.patch.object(timing, "_REPEATS", 1),
    ]
    if replay:
        patches += [
            mock.patch.object(replaying, "_TRIALS", 0),
            mock.patch.object(replaying, "LONGEST", math.inf),
        ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def judge_seed(seed: int) -> Verdict:
    """Judge a seed's case: some by vmap alone, some with replays where they are faster."""
    only = "by vmap" if seed % 8 == 7 else None
    return judge(draw(seed), only=only, replay=seed % 8 != 3)


def judge(case: Case, *, only: str | None = None, replay: bool = True) -> Verdict:
    """Judge a case; `only` names the one packing that may be chosen, such as "by vmap"."""
    packers = tuple(one for one in probing._PACKERS if only in (None, one[0]))
    with speed_does_not_decide(replay=replay), mock.patch.object(probing, "_PACKERS", packers):
        return judge_modules(
            case, [case.backbone(k) for k in range(case.cells)], case.image, case.batch,
            rate=case.rate, scale=case.scale, steps=_STEPS if replay else 26,
        )  # fmt: skip


def judge_modules(
    case: Case | str,
    modules: Sequence[nn.Module],
    image: tuple[int, int, int],
    batch: int,
    *,
    rate: float = 0.05,
    scale: float = 1.0,
    steps: int = _STEPS,
    dtypes: Sequence[torch.dtype] = (torch.float64, torch.float32),
    choosing: Callable[[list[nn.Module], Tensor], Choice] = choose,
) -> Verdict:
    """Judge networks of one architecture, each a cell's own, as `choosing` packs them."""
    generator = torch.Generator().manual_seed(1)
    before = [copy.deepcopy(one.state_dict()) for one in modules]
    torch.manual_seed(0)
    try:
        choice = choosing(list(modules), torch.rand(batch, *image, generator=generator))
    except Exception as error:  # the engine says it, and trains one by one
        choice = Choice(None, f"one by one ({error})", keeps=False)
    verdict = Verdict(case, choice.reason, packed=choice.packer is not None, gain=choice.gain)
    for one, state in zip(modules, before, strict=True):
        if any(not _same_bits(v, state[name]) for name, v in one.state_dict().items()):
            verdict.faults.append("choose changes the backbones")
            break
    if choice.keeps and (text := _depends_on_more(modules[0], image, generator)):
        verdict.faults.append(text)
    if choice.packer is not None:
        for dtype in dtypes:
            trial = _Trial(modules, image, batch, rate, scale, steps, dtype)
            text, replayed = trial.compare(choice)
            verdict.replayed |= replayed
            if text:
                verdict.faults.append(f"{str(dtype).removeprefix('torch.')}: {text}")
    return verdict


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())


def _depends_on_more(
    module: nn.Module, image: tuple[int, int, int], generator: torch.Generator
) -> str | None:
    """Complaint if features that are kept depend on more than the image in eval mode, or None."""
    one = copy.deepcopy(module).double().train()
    with torch.no_grad():
        for value in one.parameters():  # as after some training: what began at zero no longer is
            value.add_(0.1 * torch.rand(value.shape, generator=generator, dtype=torch.double))
        images = torch.rand(16, *image, generator=generator).double()
        if len(images) > 1:
            one(images.clone())
        one.eval()
        images[::3] *= 0.2  # some are dark
        whole = one(images.clone())
        with torch.enable_grad():
            if not _near(one(images.clone()).detach(), whole, 1e-6):
                return "keeps features that depend on whether gradients are wanted"
        for size in (16, 8, 1):
            try:
                parts = torch.cat([one(part.clone()) for part in images.split(size)])
            except ValueError:  # torch refuses single values to some normalisations
                continue
            if not _near(parts, whole, 1e-6):
                return f"keeps features that depend on more than the image (by {size})"
    return None


class _Trial:
    """The same training by several networks: outputs of each step, and the state that remains."""

    def __init__(
        self,
        modules: Sequence[nn.Module],
        image: tuple[int, int, int],
        batch: int,
        rate: float,
        scale: float,
        steps: int,
        dtype: torch.dtype,
    ) -> None:
        generator = torch.Generator().manual_seed(2)
        self.dtype, self.rate, self.batch, cells = dtype, rate, batch, len(modules)
        self.modules = [copy.deepcopy(one).to(dtype).train() for one in modules]
        torch.manual_seed(3)
        dim = int(modules[0].feature_dim)  # type: ignore[arg-type]
        self.heads = [nn.Linear(dim, _CLASSES).to(dtype) for _ in modules]
        drawn = torch.rand(cells, steps, batch, *image, generator=generator) * scale
        self.images = drawn.to(dtype)  # [K, S, B, C, H, W]
        targets = torch.rand(steps, cells, batch, _CLASSES, generator=generator).softmax(-1)
        self.targets = targets.to(dtype)
        self.asked = torch.rand(5, *image, generator=generator).to(dtype) * scale

    def compare(self, choice: Choice) -> tuple[str | None, bool]:
        """First difference of packed from plain training, or None; true if steps were replayed."""
        assert choice.packer is not None
        try:
            packed, replayed = self._packed(choice)
        except Exception as error:
            return f"training raises {type(error).__name__}: {' '.join(str(error).split())}", False
        plain = self._plain()
        controls: list[dict[str, Tensor]] = []
        further: list[dict[str, Tensor]] = []
        for name, wanted in plain.items():
            got = packed[name]
            if got.shape != wanted.shape:
                return f"{name}: shape {tuple(got.shape)}, not {tuple(wanted.shape)}", replayed
            if _near(got, wanted, _TOLERANCE[self.dtype]):
                continue
            controls = controls or [self._plain(nudge) for nudge in range(1, 1 + _NUDGES)]
            if _diverged(wanted) or any(_diverged(one[name]) for one in controls):
                return None, replayed  # the numbers from here on say nothing
            apart = _apart(got, wanted)
            own = max(_apart(one[name], wanted) for one in controls)
            allowed = _BEYOND[self.dtype] * own
            if not apart <= allowed and self.dtype == torch.float32:
                further = further or [self._plain(n, _LARGER) for n in range(1, 1 + _NUDGES)]
                allowed = _BEYOND_LARGER * max(_apart(one[name], wanted) for one in further)
            if not apart <= allowed:
                return f"{name}: {apart:.2g} apart, controls {own:.2g}", replayed
            if own > 1e-2:
                return None, replayed  # chaos
        return None, replayed

    def _packed(self, choice: Choice) -> tuple[dict[str, Tensor], bool]:
        assert choice.packer is not None
        torch.manual_seed(4)
        backbones = choice.packer([copy.deepcopy(one) for one in self.modules])
        heads = Heads([copy.deepcopy(one) for one in self.heads])
        backbones.train()
        step = descent(
            backbones, heads, [Recipe(learning_rate=self.rate)] * heads.weight.shape[0], 1000
        )
        steps, cells = len(self.targets), len(self.modules)
        inputs = side_by_side([one.flatten(0, 1) for one in self.images], self.batch)
        seen = {}
        for s in range(steps):
            weight = self.targets[s] / -self.batch
            seen[f"outputs of step {s + 1}"] = step(inputs[s], weight).clone()
            if s + 1 in (_TESTED, steps):
                backbones.train(False)
                seen[f"features after step {s + 1}"] = self._asked_packed(backbones)
                backbones.train()
        for name, value in backbones.stacked().items():
            seen[name] = (value if value.ndim else value.expand(cells)).detach().clone()
        return seen, isinstance(step, Replayed) and step.in_use

    @torch.no_grad()
    def _asked_packed(self, backbones: probing.Packed) -> Tensor:
        shared = backbones(self.asked.clone(), shared=True)
        own = torch.cat([self.asked.roll(k, 0) for k in range(len(self.modules))], 1)
        return torch.stack([shared, backbones(own)]).detach().clone()

    def _plain(self, nudge: int = 0, larger: float = 1) -> dict[str, Tensor]:
        """One after the other, as `reference.py` trains; with a nudge, from slightly elsewhere."""
        of_cells = [self._plain_one(k, nudge, larger) for k in range(len(self.modules))]
        seen = {}
        for name in of_cells[0]:
            values = [one[name] for one in of_cells]
            if name.startswith("features"):
                seen[name] = torch.stack(values, dim=1)
            elif name.startswith("outputs"):
                seen[name] = torch.stack(values)
        return seen

    def _plain_one(self, k: int, nudge: int, larger: float) -> dict[str, Tensor]:
        torch.manual_seed(4)
        backbone, head = copy.deepcopy(self.modules[k]), copy.deepcopy(self.heads[k])
        if nudge:
            generator, size = torch.Generator().manual_seed(nudge), larger * _NUDGE[self.dtype]
            with torch.no_grad():
                for value in (*backbone.parameters(), *head.parameters()):
                    noise = torch.randn(value.shape, generator=generator).to(value.dtype)
                    value.mul_(1 + size * noise.clamp(-3, 3).sign() * (1 + noise.abs()))
        model = nn.Sequential(backbone, head, nn.LogSoftmax(dim=1)).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=self.rate)
        seen = {}
        for s, x in enumerate(self.images[k]):
            optimizer.zero_grad()
            outputs = model(_laid_out(x, nudge))
            soft_label_cross_entropy(outputs, self.targets[s, k]).backward()
            optimizer.step()
            seen[f"outputs of step {s + 1}"] = outputs.detach().clone()
            if s + 1 in (_TESTED, len(self.images[k])):
                model.eval()
                with torch.no_grad():
                    both = [backbone(self.asked.clone()), backbone(self.asked.roll(k, 0))]
                seen[f"features after step {s + 1}"] = torch.stack(both).clone()
                model.train()
        return seen


def _laid_out(x: Tensor, nudge: int) -> Tensor:
    """The same images; for a control nudged too, and for every other one in another memory order.

    Torch's batch normalisation of values beyond 1e19 gives zeros in one order and numbers in
    another. Of a map that is one bias everywhere it gives zeros whose sign, which a rectifier
    behind it asks for, is rounding. Where the plain network hangs on that, it is no judge.
    """
    if not nudge:
        return x.clone()
    generator = torch.Generator().manual_seed(nudge)
    size = _NUDGE[x.dtype] * (1000 if float(x.abs().max()) < 1e-6 else 1)  # above a bias's rounding
    x = x + size * torch.randn(x.shape, generator=generator).to(x.dtype)
    return x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2) if nudge % 2 else x


def _diverged(values: Tensor) -> bool:
    return not bool(values.isfinite().all()) or float(values.abs().max()) > 1e8


def _apart(got: Tensor, wanted: Tensor) -> float:
    """The largest distance, measured against the largest value; infinite for NaN."""
    if not got.isfinite().all():
        return math.inf
    return float((got - wanted).abs().max()) / max(1e-6, float(wanted.abs().max()))


def _near(got: Tensor, wanted: Tensor, tolerance: float) -> bool:
    if not wanted.isfinite().all():
        return False
    return got.shape == wanted.shape and _apart(got, wanted) <= tolerance
