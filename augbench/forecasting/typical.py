"""Typical noise of paired differences, measured once: used where no pilot is at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augbench.statistics import PairedNoise

__all__ = ["GLYPHS", "HANDWRITING", "Typical"]

_SIZES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Typical:
    """The noise of accuracies (as shares) that a study of `source` had."""

    source: str
    noise: PairedNoise


def _measured(
    source: str, points: tuple[float, ...], alike: tuple[tuple[float, ...], ...], between: float
) -> Typical:
    """From standard deviations in points and the correlations right of the diagonal, 8 seeds."""
    count = len(points)
    correlation = np.eye(count)
    for k, row in enumerate(alike):
        correlation[k, k + 1 :] = correlation[k + 1 :, k] = row
    sd = np.array(points) / 100
    return Typical(
        source, PairedNoise(_SIZES, correlation * np.outer(sd, sd), between, seeds=8, arms=2)
    )


# Both are differences of collage and mixup from none under the default recipe (2,000 steps of 8
# images, `convnet`, the linear readout), seeds 0 to 7, as `paired_noise` gives them:
# augbench run --aug collage --aug mixup
GLYPHS = _measured(
    "glyph-digits → glyph-letters, collage and mixup",
    (5.85, 5.00, 5.03, 4.57, 2.32, 0.83, 0.83),
    (
        (0.85, 0.33, 0.39, 0.29, -0.14, -0.43),
        (0.55, 0.56, 0.49, -0.11, -0.38),
        (0.91, 0.77, 0.51, 0.33),
        (0.84, 0.55, 0.11),
        (0.44, 0.02),
        (0.62,),
    ),
    0.95,
)
# augbench run --aug collage --aug mixup --pre-train-dataset mnist --finetune-dataset emnist \
#   --finetune-samples-per-class 64
HANDWRITING = _measured(
    "MNIST → EMNIST letters, collage and mixup",
    (2.85, 3.15, 2.36, 2.87, 1.54, 0.90, 0.96),
    (
        (0.87, 0.79, 0.68, 0.56, 0.32, 0.04),
        (0.65, 0.48, 0.32, 0.53, 0.09),
        (0.90, 0.65, 0.37, 0.10),
        (0.67, 0.17, 0.05),
        (0.20, 0.25),
        (0.47,),
    ),
    0.92,
)
