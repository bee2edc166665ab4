"""A new backbone."""

from __future__ import annotations

from augbench.cli._templates._template import Template

__all__ = ["BACKBONE"]

_IMPORTS = """\
from __future__ import annotations

from augbench.errors import StudyError
@REGISTER@
from torch import nn
"""

_CODE = '''\
class @CLASS@(nn.Sequential):
    """Two convolutions: images [N, C, H, W] → features [N, 8·width], the means of maps' quarters.

    It has no classification head: AugBench adds that.
    """

    def __init__(
        self,
        in_channels: int,
        image_size: tuple[int, int],
        *,
        width: int = 16,
    ) -> None:
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if min(image_size) < 4:
            raise StudyError(
                "@NAME@ needs images of at least 4×4 pixels, "
                f"got {image_size[0]}×{image_size[1]} (height×width)"
            )
        super().__init__(
            nn.Conv2d(in_channels, width, kernel_size=3, padding=1),  # [N, width, H, W]
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),  # [N, width, H // 2, W // 2]
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Dropout2d(0.1),  # as a module, so that its masks come from the cell's own stream
            nn.AdaptiveAvgPool2d(2),  # [N, 2·width, 2, 2]
            nn.Flatten(),
        )
        self.feature_dim = 8 * width
'''

_TEST = '''\
"""@CLASS@ keeps AugBench's contract, and does what it says."""

import pytest
import torch
from augbench.errors import StudyError
from augbench.testing import backbone_conformance

from @MODULE@.backbone import @CLASS@


@backbone_conformance(@CLASS@)
def test_it_keeps_the_contract() -> None:
    """Each check is a test; a known failure goes into `expected_failures={"check": "reason"}`."""


@pytest.mark.parametrize("width", [1, 5])
def test_there_are_four_features_for_each_map(width: int) -> None:
    network = @CLASS@(3, (9, 12), width=width)
    assert network.feature_dim == 8 * width
    assert network(torch.zeros(2, 3, 9, 12)).shape == (2, 8 * width)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(StudyError, match="at least 4×4 pixels, got 3×8"):
        @CLASS@(1, (3, 8))


def test_a_width_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        @CLASS@(1, (8, 8), width=0)
'''

BACKBONE = Template(
    kind="backbone",
    noun="a backbone",
    component="@CLASS@",
    imports=_IMPORTS,
    code=_CODE,
    test=_TEST,
    about="two convolutions,\nand the means of each map's quarters.",
    examples=("run --backbone @NAME@", "run --backbone @NAME@:width=32"),
    parameters="| `width` | 16 | maps of the first convolution; the second has twice as many |\n",
    dependencies=("augbench", "torch"),
)
