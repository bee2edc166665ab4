"""The files that `augbench new` writes. `@NAME@`, `@MODULE@` and `@CLASS@` are filled in."""

from __future__ import annotations

__all__ = ["DISTRIBUTION", "SINGLE_FILE"]

_CLASS = '''\
class @CLASS@:
    """The left part of x_i beside the right part of x_j, cut at a column drawn for each pair."""

    sources: ClassVar[int] = 2

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

_AUGMENTATION = f'''\
"""@NAME@: an augmentation for AugBench."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["@CLASS@"]


{_CLASS}'''

_HOOKS = '''\
"""Tells AugBench what is here: the entry point in pyproject.toml names this module."""

from augbench.plugins import Register, hookimpl


@hookimpl
def register_augmentations(register: Register) -> None:
    """Register it by name; the string keeps this module quick to import."""
    register(
        "@NAME@",
        "@MODULE@.augmentation:@CLASS@",
    )
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

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@NAME@"
version = "0.1.0"
description = "@NAME@: an augmentation for AugBench."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["augbench", "numpy", "torch"]

[project.optional-dependencies]
test = ["pytest>=8.2"]

# This is how AugBench finds the plugin once it is installed.
[project.entry-points.augbench]
@NAME@ = "@MODULE@.hooks"

[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
packages = ["@MODULE@"]

[tool.pytest.ini_options]
testpaths = ["tests"]
filterwarnings = ["error"]
"""

_README = """\
# @NAME@

An augmentation for [AugBench](https://pypi.org/project/augbench/): the left part of one image
beside the right part of another.

```console
$ pip install --editable ".[test]"
$ augbench check @NAME@
$ augbench preview --aug @NAME@
$ augbench run --aug @NAME@ --aug mixup
$ pytest
```

| parameter | default | meaning |
| --- | --- | --- |
| `alpha` | 1.0 | the cut lies at a share ~ Beta(alpha, alpha) of the width |
"""

DISTRIBUTION = {
    "pyproject.toml": _PYPROJECT,
    "README.md": _README,
    "@MODULE@/__init__.py": '"""@NAME@: an augmentation for AugBench."""\n',
    "@MODULE@/py.typed": "",
    "@MODULE@/augmentation.py": _AUGMENTATION,
    "@MODULE@/hooks.py": _HOOKS,
    "tests/test_@MODULE@.py": _TEST,
}

SINGLE_FILE = {
    "@MODULE@.py": f'''\
"""@NAME@: an augmentation for AugBench, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from augbench.plugins import Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["@CLASS@", "register_augmentations"]


{_CLASS}

@hookimpl
def register_augmentations(register: Register) -> None:
    """Register @NAME@."""
    register("@NAME@", @CLASS@)
''',
}
