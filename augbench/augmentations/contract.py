"""The contract of an augmentation: from source images to an image and each source's weight.

The harness draws the sources (position i of a batch and other positions of the same batch, never
i itself), makes the soft labels from the weights, and calls the augmentation on whole blocks of
steps at once: row i of the output may depend on row i of the sources and on the draws alone.

Class attributes describe an augmentation; all but `sources` are optional, and a class that lacks
one means its default: `needs`, `shares`, `value_range`, `returns_distribution` and `operations`,
which `needs_of`, `shares_of`, `value_range_of`, `returns_distribution_of` and `operations_of` read;
and `search_space`, see `augbench.augmentations.search_space`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from augbench.errors import ContractError
from augbench.operations import operations_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = [
    "FROM_NETWORK",
    "NEEDS",
    "Augmentation",
    "HiddenAugmentation",
    "needs_of",
    "operations_of",
    "returns_distribution_of",
    "shares_of",
    "value_range_of",
]

FROM_NETWORK = frozenset({"gradients", "hidden"})
"""The needs that only a network in training can supply.

An augmentation that has one is called step by step: N is the batch, not a block of steps.

- `"gradients"`: the call receives a keyword argument `gradients`, a tuple with one float32 tensor
  [N, C, H, W] for each source: the gradient of that image's own loss (the cross entropy of its
  true label) with respect to its pixels. The network is the one in training, as it stands before
  the step, in eval mode. It costs a forward and a backward pass a step.
- `"hidden"`: the call mixes the outputs of one layer of the network instead of images, see
  `HiddenAugmentation`. It costs no further pass.
"""

NEEDS = FROM_NETWORK | {"labels", "progress"}
"""The allowed members of `needs`: keyword arguments of the call beside the sources.

- `"labels"`: the call receives `labels`, a tuple with one int64 tensor [N] for each source: the
  classes of its images, for mixing within or across classes.
- `"progress"`: the call receives `progress`, float32 [N] in [0, 1): the share of pretraining that
  is done before the step to which an image belongs, for augmentation that fades or ends early.

Both are supplied for whole blocks of steps.
"""


@runtime_checkable
class Augmentation(Protocol):
    """An augmentation of `sources` images per output.

    Hyper-parameters are keyword arguments of the constructor, with defaults, each a bool, int,
    float or str; they are validated there (`ValueError`), and kept as attributes of their names.

    ```python
    class Half:
        sources = 2

        def __call__(self, x_i, x_j, *, rng):
            return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)
    ```

    Further class attributes, with their defaults:

    - `needs = frozenset()`: its needs beyond the sources, a subset of `NEEDS`.
    - `shares = True`: the weights are the shares of the pixels, so that the mean of the output is
      the weighted mean of the sources wherever these are constant images. Where weights are
      something else, `shares` is a string that says so, and why.
    - `value_range = (0.0, 1.0)`: the range of the output's values, for sources in [0, 1].
    - `returns_distribution = False`: if True, the second result is a class distribution
      [N, classes], each row summing to 1, instead of weights; the call receives `classes`, their
      number, as a keyword argument. For labels that no weights of sources give, such as smoothed
      ones; most such augmentations need `"labels"` as well.
    - `search_space = {}`: where tuning searches numeric parameters of the constructor, by name, as
      `(low, high)` or, evenly on a logarithmic axis, `(low, high, "log")`. The range is the
      literature's, not the one that the constructor allows. It enters no key.
    - `operations = frozenset()`: what it does to an image, in the words of
      `augbench.operations.OPERATIONS`, so that results under corruptions that do the same can be
      marked. Empty means that it does none of these, or does not tell. A property where it depends
      on parameters. It changes no result, and does not enter the hash of the source.
    """

    sources: ClassVar[int]
    """The number of images that one output is made of: 1, 2 (a pair), or more."""

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> object:
        """Augment a batch.

        Each source is float32 [N, C, H, W] in [0, 1] and must be left unchanged; N may be 1 or odd.
        All randomness comes from `rng`. The result lies on the device of the sources:

        - 1 source: `image`, or `(image, weight)` with weight [N] of ones.
        - 2 sources: `(image, lam)`, with `lam` [N] in [0, 1], the share of `x_i`.
        - K > 2 sources: `(image, weights)`, with weights [N, K], each row summing to 1.

        `image` is float32 [N, C, H, W], of the sources' shape.
        """
        ...


class HiddenAugmentation(Augmentation, Protocol):
    """An augmentation with `needs = frozenset({"hidden"})`: it mixes a layer's outputs.

    Its sources are float32 [N, …] of any further shape, in any range, and so is its output: the
    images themselves [N, C, H, W], feature maps, or vectors [N, D]. Gradients pass through it.
    """

    def choose_layer(self, layers: Sequence[str], *, rng: np.random.Generator) -> str:
        """Choose at which layer to mix; called once a step, before the call.

        `layers` begins with `""`, the images; then come the names of the backbone's children
        (`named_children`) in the order in which they run: to mix at one is to mix its output.
        Children that do not run exactly once, or whose output is not one tensor [N, …], are left
        out; a backbone that only wraps one other module is looked into.
        """
        ...


def needs_of(augmentation: object) -> frozenset[str]:
    """Return the needs of an augmentation or its class; raises `ContractError` if unknown."""
    needs: object = getattr(augmentation, "needs", frozenset())
    kind = augmentation if isinstance(augmentation, type) else type(augmentation)
    who = kind.__name__
    known = ", ".join(map(repr, sorted(NEEDS)))
    if not isinstance(needs, (frozenset, set, tuple)):
        raise ContractError(f"{who}: expected `needs` as a frozenset of {known}, got {needs!r}")
    for need in needs:
        if need not in NEEDS:
            raise ContractError(
                f"{who} needs {need!r}, which AugBench cannot supply (it can supply {known})"
            )
    if set(needs) >= FROM_NETWORK:
        raise ContractError(f"{who}: 'gradients' and 'hidden' cannot be needed together")
    if "hidden" in needs and not callable(getattr(augmentation, "choose_layer", None)):
        raise ContractError(f"{who} needs 'hidden', but has no method choose_layer(layers, *, rng)")
    return frozenset(needs)


def shares_of(augmentation: object) -> bool | str:
    """Return True if the weights claim to be shares of the pixels, else the reason why not."""
    shares = getattr(augmentation, "shares", True)
    if shares is not True and not (isinstance(shares, str) and shares.strip()):
        raise ContractError(
            f"{type(augmentation).__name__}: expected `shares` to be True, or a string that says "
            f"why its weights are no shares of the pixels, got {shares!r}"
        )
    return shares


def value_range_of(augmentation: object) -> tuple[float, float]:
    """The range in which an augmentation promises to keep its output's values."""
    declared = getattr(augmentation, "value_range", (0.0, 1.0))
    try:
        low, high = map(float, declared)
        if low < high:
            return low, high
    except (TypeError, ValueError):
        pass
    raise ContractError(
        f"{type(augmentation).__name__}: expected `value_range` as (low, high), got {declared!r}"
    )


def returns_distribution_of(augmentation: object) -> bool:
    """Return True if the second result of a call is a class distribution instead of weights."""
    declared = getattr(augmentation, "returns_distribution", False)
    if not isinstance(declared, bool):
        raise ContractError(
            f"{type(augmentation).__name__}: expected `returns_distribution` to be True or False, "
            f"got {declared!r}"
        )
    return declared
