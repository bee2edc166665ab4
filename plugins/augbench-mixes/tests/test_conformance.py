"""AugBench's conformance kit, every check of it, on every method."""

from __future__ import annotations

from augbench.testing import augmentation_conformance

from augbench_mixes.cutmix import CutMix
from augbench_mixes.cutout import Cutout
from augbench_mixes.fmix import FMix
from augbench_mixes.gridmix import GridMix
from augbench_mixes.manifold_mixup import ManifoldMixup
from augbench_mixes.mosaic import Mosaic
from augbench_mixes.puzzlemix import PuzzleMix
from augbench_mixes.resizemix import ResizeMix
from augbench_mixes.ricap import Ricap
from augbench_mixes.saliencymix import SaliencyMix
from augbench_mixes.smoothmix import SmoothMix
from augbench_mixes.zeta_mixup import ZetaMixup


@augmentation_conformance(CutMix)
def test_cutmix_conforms(): ...


@augmentation_conformance(Cutout)
def test_cutout_conforms(): ...


@augmentation_conformance(FMix)
def test_fmix_conforms(): ...


@augmentation_conformance(GridMix)
def test_gridmix_conforms(): ...


@augmentation_conformance(ManifoldMixup)
def test_manifold_mixup_conforms(): ...


@augmentation_conformance(Mosaic)
def test_mosaic_conforms(): ...


@augmentation_conformance(PuzzleMix)
def test_puzzlemix_conforms(): ...


@augmentation_conformance(PuzzleMix(labels=2, transport=0))
def test_puzzlemix_without_its_parts_conforms(): ...


@augmentation_conformance(ResizeMix)
def test_resizemix_conforms(): ...


@augmentation_conformance(Ricap)
def test_ricap_conforms(): ...


@augmentation_conformance(SaliencyMix)
def test_saliencymix_conforms(): ...


@augmentation_conformance(SmoothMix)
def test_smoothmix_conforms(): ...


@augmentation_conformance(ZetaMixup)
def test_zeta_mixup_conforms(): ...


@augmentation_conformance(ZetaMixup(sources=3))
def test_zeta_mixup_of_three_conforms(): ...
