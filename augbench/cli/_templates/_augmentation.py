"""A new augmentation."""

from __future__ import annotations

from augbench.cli._templates._template import Template

__all__ = ["AUGMENTATION"]

_IMPORTS = """\
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
@REGISTER@

if TYPE_CHECKING:
    from torch import Tensor
"""

_CODE = '''\
class @CLASS@:
    """The left part of x_i beside the right part of x_j, cut at a column drawn for each pair."""

    sources: ClassVar[int] = 2
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})

    def __init__(self, alpha: float = 1.0) -> None:
        if not 0 < alpha < float("inf"):
            raise ValueError(f"alpha must be a finite number above 0, got {alpha}")
        self.alpha = alpha

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; return the images, and `lam` [N], the share of x_i."""
        width = x_i.shape[-1]
        drawn = rng.beta(self.alpha, self.alpha, size=len(x_i))  # [N]
        cuts = np.rint(width * drawn)  # [N], in columns
        mask = x_i.new_tensor(np.arange(width) < cuts[:, None])  # [N, W], 1 where x_i shows
        lam = mask.mean(dim=1)  # the share that shows: after rounding, not before
        mask = mask[:, None, None, :]  # [N, 1, 1, W]
        return mask * x_i + (1 - mask) * x_j, lam
'''

_TEST = '''\
"""@CLASS@ keeps AugBench's contract, and does what it says."""

import numpy as np
import pytest
import torch
from augbench.testing import augmentation_conformance

from @MODULE@.augmentation import @CLASS@


@augmentation_conformance(@CLASS@)
def test_it_keeps_the_contract() -> None:
    """Each check is a test; a known failure goes into `expected_failures={"check": "reason"}`."""


def test_the_left_part_is_x_i_and_the_right_part_x_j() -> None:
    x_i, x_j = torch.ones(5, 1, 4, 8), torch.zeros(5, 1, 4, 8)
    image, lam = @CLASS@()(x_i, x_j, rng=np.random.default_rng(0))
    for row, share in zip(image, lam, strict=True):
        cut = round(8 * float(share))
        assert row[..., :cut].eq(1).all()
        assert row[..., cut:].eq(0).all()


def test_an_alpha_that_is_not_above_0_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        @CLASS@(alpha=0)
'''

AUGMENTATION = Template(
    kind="augmentation",
    noun="an augmentation",
    component="@CLASS@",
    imports=_IMPORTS,
    code=_CODE,
    test=_TEST,
    about="the left part of one image\nbeside the right part of another.",
    examples=("preview --aug @NAME@", "run --aug @NAME@ --aug mixup"),
    parameters="| `alpha` | 1.0 | the cut lies at a share ~ Beta(alpha, alpha) of the width |\n",
    dependencies=("augbench", "numpy", "torch"),
)
