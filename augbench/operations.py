"""The words for what is done to images, the same for augmentations and for corruptions.

An augmentation that trains with an operation has an advantage under a corruption that does the
same: AugMix, for one, leaves out of its operations those of the corruptions it is tested on
(Hendrycks et al. 2020, arXiv 1912.02781, section 3). `overlap` tells where that is not so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from augbench.errors import ContractError
from augbench.plugins.suggestion import suggestion

if TYPE_CHECKING:
    from augbench.plugins.pipelines import Pipeline
    from augbench.plugins.registry import Registry

__all__ = ["OPERATIONS", "operations_of", "overlap", "pipeline_operations"]

OPERATIONS: dict[str, str] = {
    "noise": "single pixels get other values",
    "blur": "neighbouring pixels are averaged, or made to differ more (sharpened)",
    "contrast": "differences between pixels are made smaller or larger",
    "brightness": "all pixels become brighter or darker",
    "colour": "hue, saturation or channels are changed",
    "tone": "values go through a curve: solarised, posterised, equalised, inverted",
    "compression": "the image is stored with a loss",
    "occlusion": "a part is covered, cut out, or replaced by something else",
    "translation": "the content is moved",
    "rotation": "the content is turned",
    "scale": "the content is made smaller or larger",
    "shear": "the content is slanted",
    "flip": "the content is mirrored",
    "crop": "the border of the content is cut off",
    "elastic": "the content is bent by a smooth random field",
    "mixing": "another image enters the image",
}
"""The vocabulary of `operations`, with meanings."""


def operations_of(component: object) -> frozenset[str]:
    """Return the declared operations of an augmentation or a corruption, a part of `OPERATIONS`.

    Empty for one that declares none: it does nothing of the kind, or does not tell. Raises
    `ContractError` for anything but a frozenset, set or tuple of words of the vocabulary.
    """
    declared: object = getattr(component, "operations", frozenset())
    kind = component if isinstance(component, type) else type(component)
    known = ", ".join(OPERATIONS)
    if not isinstance(declared, (frozenset, set, tuple)):
        raise ContractError(
            f"{kind.__name__}: expected `operations` as a frozenset of {known}, got {declared!r}"
        )
    for one in declared:
        if one not in OPERATIONS:
            near = suggestion(one, OPERATIONS) if isinstance(one, str) else ""
            raise ContractError(
                f"{kind.__name__}: there is no operation {one!r}{near} (operations: {known})"
            )
    return frozenset(declared)


def pipeline_operations(registry: Registry, pipeline: Pipeline) -> frozenset[str]:
    """Return the operations of all augmentations in a pipeline; raises as `Registry.create`."""
    made = [registry.create(component) for component in pipeline.components]
    return frozenset().union(*map(operations_of, made))


def overlap(training: frozenset[str], corruption: frozenset[str]) -> frozenset[str]:
    """Return the operations of a corruption that training has met.

    `training` is what a pipeline does (`pipeline_operations`), `corruption` what a corruption does
    (`operations_of`). Empty: no declared operation of training resembles the corruption.
    """
    return training & corruption
