"""A new corruption."""

from __future__ import annotations

from augbench.cli._templates._template import Template

__all__ = ["CORRUPTION"]

_IMPORTS = """\
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from augbench.corruptions.contract import at_strength
@REGISTER@

if TYPE_CHECKING:
    from torch import Tensor
"""

_CODE = '''\
class @CLASS@:
    """A shadow on the right of each image, from a column on that is drawn for each."""

    operations: ClassVar[frozenset[str]] = frozenset({"brightness"})

    def __init__(self, strength: int, reach: float = 0.5) -> None:
        if not 0 <= reach <= 1:
            raise ValueError(f"reach must be a share from 0 to 1, got {reach}")
        self.strength, self.reach = strength, reach
        self.darkness = at_strength(strength, (0.3, 0.5, 0.7))  # the share of the light that goes

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images uint8 [N, C, H, W]; `images` stay as they are."""
        width = images.shape[-1]
        edge = rng.uniform(0, self.reach * width, size=len(images))  # [N]
        mask = images.new_tensor(np.arange(width) >= edge[:, None])  # [N, W], 1 in the shadow
        taken = (images * self.darkness).to(images.dtype)
        return images - taken * mask[:, None, None, :]
'''

_TEST = '''\
"""@CLASS@ keeps AugBench's contract, and does what it says."""

import numpy as np
import pytest
import torch
from augbench.testing import corruption_conformance

from @MODULE@.corruption import @CLASS@


@corruption_conformance(@CLASS@)
def test_it_keeps_the_contract() -> None:
    """Each check is a test; a known failure goes into `expected_failures={"check": "reason"}`."""


def test_the_right_is_in_the_shadow_and_the_rest_as_it_was() -> None:
    images = torch.full((5, 1, 4, 8), 200, dtype=torch.uint8)
    shown = @CLASS@(2)(images, rng=np.random.default_rng(0))
    assert shown[..., 4:].eq(100).all()
    assert set(shown.flatten().tolist()) <= {100, 200}


def test_a_reach_beyond_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        @CLASS@(1, reach=2)
'''

CORRUPTION = Template(
    kind="corruption",
    noun="a corruption",
    component="@CLASS@",
    imports=_IMPORTS,
    code=_CODE,
    test=_TEST,
    about="a shadow\non the right of each image.",
    examples=("list corruptions",),
    parameters="| `reach` | 0.5 | the shadow begins in this share of the width, from the left |\n",
    dependencies=("augbench", "numpy"),
)
