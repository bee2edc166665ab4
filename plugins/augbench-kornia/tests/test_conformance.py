"""AugBench's conformance kit, every check of it."""

from __future__ import annotations

from augbench.testing import augmentation_conformance

from augbench_kornia.mosaic import KorniaMosaic
from augbench_kornia.pairs import KorniaPair


@augmentation_conformance(KorniaPair)
def test_kornia_s_mixup_conforms(): ...


@augmentation_conformance(KorniaPair("cutmix"))
def test_kornia_s_cutmix_conforms(): ...


@augmentation_conformance(KorniaMosaic)
def test_kornia_s_mosaic_conforms(): ...
