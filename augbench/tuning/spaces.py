"""Search spaces: what a user writes behind `--tune`, and the ranges of what all arms share.

    lr,weight_decay,own                   names: ranges of ours, and what arms declare
    lr=1e-3..1 log                        a range, evenly by the logarithm
    momentum=0.5..0.95, mixup.alpha       … evenly; one parameter of an augmentation

Shared are the recipe's numbers that trainings which are taken together may each have of their own,
of pretraining and of finetuning. `own` are the parameters for which an arm's augmentations declare
a `search_space`: see `augbench.tuning.arms`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Never

from augbench.errors import OptionError
from augbench.options import PREFIXES, Settings, Training, named, options_of
from augbench.options.option import short
from augbench.plugins.suggestion import suggestion
from augbench.protocol.recipe import OF_EACH_CELL, Recipe

__all__ = [
    "OWN",
    "TUNABLE",
    "Dimension",
    "Spaces",
    "Wanted",
    "default_of",
    "parsed_spaces",
    "part_of",
    "refuse",
    "shared_dimensions",
]

OWN = "own"
"""The word for all parameters for which an arm's augmentations declare a search space."""


def part_of(name: str) -> Training:
    """The training that a setting which can be tuned is of."""
    return next(part for part, prefix in PREFIXES.items() if name.startswith(prefix))


def _plain(name: str) -> str:
    """The name of a setting in its recipe."""
    return name.removeprefix(PREFIXES[part_of(name)])


TUNABLE = tuple(name for name in options_of(Settings) if _plain(name) in OF_EACH_CELL)
"""The settings that can be tuned, in the order of their table."""

_BOUNDS = re.compile(r"(\S+?)\s*\.\.\s*(\S+)(\s+log)?")

_DIGITS = 4
"""Significant digits of a value: enough for any search, and readable in keys and reports."""


@dataclass(frozen=True)
class Dimension:
    """One parameter of a search space, from `low` to `high`, both included.

    `name` is a setting's name in Python, or an augmentation's `mixup.alpha`. `log` means evenly by
    the logarithm; `whole`, whole numbers alone, each as likely as its share [k, k + 1) of the axis.
    """

    name: str
    low: float
    high: float
    log: bool
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{self.name}: expected low < high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.name}: expected a low bound above 0 for log, got {self.low}")

    def at(self, u: float) -> float:
        """The value at `u` in [0, 1): monotone, of 4 significant digits, never out of range."""
        high = self.high + 1 if self.whole else self.high
        value = self.low * (high / self.low) ** u if self.log else self.low + u * (high - self.low)
        value = math.floor(value) if self.whole else float(f"{value:.{_DIGITS}g}")
        return min(max(value, self.low), self.high)

    def position(self, value: float) -> float:
        """The place of a value on the axis, from 0 at `low` to 1 at `high`; outside, beyond these.

        NaN where a value of 0 or less has no place on a logarithmic axis.
        """
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        if value <= 0:
            return math.nan
        return math.log(value / self.low) / math.log(self.high / self.low)

    @property
    def middle(self) -> float:
        """The middle of the axis: of a logarithmic one, the geometric mean."""
        return math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2

    @property
    def label(self) -> str:
        """The name in reports: a setting's title, or the augmentation's parameter."""
        option = options_of(Settings).get(self.name)
        return option.title if option else self.name

    @property
    def range(self) -> str:
        """The range as it is written behind `--tune`: `0.001..0.1 log`."""
        return f"{self.low:g}..{self.high:g}{' log' if self.log else ''}"


@dataclass(frozen=True)
class Wanted:
    """A parameter to tune as its user wrote it; without `bounds` (low, high), the range is ours."""

    name: str
    bounds: tuple[float, float] | None = None
    log: bool = False


@dataclass(frozen=True)
class Spaces:
    """The parameters to tune: `shared` settings, in the order of their table, and arms' own.

    `own` is True for all that arms declare; `parameters` are those of augmentations that were
    named, sorted, as `mixup.alpha`.
    """

    shared: tuple[Wanted, ...] = ()
    own: bool = False
    parameters: tuple[Wanted, ...] = ()

    @property
    def wants_parameters(self) -> bool:
        """True if any parameter of an augmentation is tuned."""
        return self.own or bool(self.parameters)


def parsed_spaces(given: str | Sequence[str]) -> Spaces:
    """Read what a user wrote: one text of parts between commas, or a list of such texts.

    A part is NAME or NAME=LOW..HIGH, with ` log` behind it where values are spread by their
    logarithm. NAME is a setting, by its name in Python or its flag's (`learning_rate`, `lr`,
    `weight-decay`); a parameter of an augmentation, `mixup.alpha`; or `own`. Raises `OptionError`,
    one line, for an unknown name, one that is given twice, and a range that is malformed, empty, or
    leaves what its setting allows.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        refuse(f"expected a text or a list of texts, such as 'lr,own', got {short(given)}")
    found: dict[str, Wanted] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        wanted = _part(part)
        if wanted.name in found:
            refuse(f"{short(wanted.name)} is given twice; give it once")
        found[wanted.name] = wanted
    return Spaces(
        tuple(found[name] for name in TUNABLE if name in found),
        OWN in found,
        tuple(found[name] for name in sorted(found) if "." in name),
    )


def shared_dimensions(spaces: Spaces, settings: Settings) -> tuple[Dimension, ...]:
    """The dimensions of shared settings, for an arm that is trained under `settings`.

    Where the user gave no range:

    - learning rate: a factor of 10 either side of the arm's own, log: as wide as the usual grids,
      and around a rate that somebody meant for this optimizer. In finetuning, around the rate that
      the head, or the whole network, has there.
    - momentum: 0.5 to 0.99, between the ends of what is common in practice (Goodfellow, Bengio &
      Courville 2016, *Deep Learning*, section 8.3.2).
    - weight decay with SGD: 1e-5 to 1e-2, log: a factor of 20 to 50 either side of the 5e-4 that
      small residual networks are trained with. With AdamW, where a step shrinks weights by rate ×
      decay (Loshchilov & Hutter 2019, arXiv 1711.05101): 1e-3 to 1, log. At a rate of 0.001, a
      decay of 1 shrinks them e-fold in 1,000 steps; one of 1e-3 does nothing.
    - label smoothing: 0 to 0.2, around the 0.1 of Szegedy et al. 2016 (arXiv 1512.00567).
    - gradient clipping: norms from 0.1 to 10, log, around the customary 1. No clipping is not among
      them, but it is the first trial where it is the default.
    """
    return tuple(
        Dimension(one.name, *one.bounds, one.log) if one.bounds else _usual(one.name, settings)
        for one in spaces.shared
    )


def default_of(settings: Settings, name: str) -> float:
    """The value of a shared setting where it is not tuned; of a rate that is not given, the rate
    that the head, or the whole network, is then trained at.
    """
    return float(getattr(Recipe.of(settings, part_of(name)), _plain(name)))


def _usual(name: str, settings: Settings) -> Dimension:
    plain = _plain(name)
    if plain == "learning_rate":
        rate = default_of(settings, name)
        return Dimension(name, _rounded(rate / 10), _rounded(rate * 10), log=True)
    adamw = Recipe.of(settings, part_of(name)).optimizer == "adamw"
    low, high, log = {
        "momentum": (0.5, 0.99, False),
        "weight_decay": (1e-3, 1.0, True) if adamw else (1e-5, 1e-2, True),
        "label_smoothing": (0.0, 0.2, False),
        "clip_norm": (0.1, 10.0, True),
    }[plain]
    return Dimension(name, low, high, log)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _part(text: str) -> Wanted:
    word, equals, written = (part.strip() for part in text.partition("="))
    name = _name(word)
    if not equals:
        return Wanted(name)
    if name == OWN:
        refuse(
            f"'own' takes no range, got {short(text)}; name a parameter, as in mixup.alpha=0.05..2"
        )
    low, high, log = _range(text, written)
    option = options_of(Settings).get(name)
    if option is not None:
        for bound in (low, high):
            try:
                option.check(bound)
            except OptionError:
                refuse(f"expected {option.expected} for both ends of {word}, got {short(text)}")
        if low == 0 and getattr(option, "zero_words", None):
            refuse(f"0 means {option.show(0.0)} for {word}: begin above it, got {short(text)}")
    return Wanted(name, (low, high), log)


def _name(word: str) -> str:
    plain = word.removeprefix("--")
    if plain == OWN or ("." in plain and all(plain.rpartition("."))):
        return plain
    spellings = dict(_spellings())
    name = spellings.get(plain.replace("-", "_"))
    if name is None:
        options = options_of(Settings)
        known = [*(options[one].flag.removeprefix("--") for one in TUNABLE), OWN]
        near = suggestion(plain, {*known, *spellings})
        refuse(
            f"{short(word)} cannot be tuned{near} (expected {', '.join(known)}, or a parameter of "
            "an augmentation, such as mixup.alpha)"
        )
    return name


def _spellings() -> Iterator[tuple[str, str]]:
    options = options_of(Settings)
    for name in TUNABLE:
        for spelling in options[name].spellings:
            yield spelling, name


def _range(text: str, written: str) -> tuple[float, float, bool]:
    found = _BOUNDS.fullmatch(written)
    try:
        low, high = (float(bound) for bound in found.group(1, 2)) if found else (math.nan,) * 2
    except ValueError:
        low = high = math.nan
    if found is None or not (math.isfinite(low) and math.isfinite(high)):
        refuse(f"expected NAME, NAME=LOW..HIGH or 'NAME=LOW..HIGH log', got {short(text)}")
    log = found[3] is not None
    if low >= high:
        refuse(f"expected a range from a lower to a higher number, got {short(text)}")
    if log and low <= 0:
        refuse(f"expected a range that begins above 0 for log, got {short(text)}")
    return low, high, log


def refuse(problem: str) -> Never:
    """Raise the error of usage for what stands behind `--tune`."""
    raise OptionError(f"{named('tune')}: {problem}", "tune")
