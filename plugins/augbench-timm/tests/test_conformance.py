"""AugBench's conformance kit, every check of it."""

from __future__ import annotations

import functools

from augbench.testing import augmentation_conformance, backbone_conformance

from augbench_timm.mixers import TimmMixup
from augbench_timm.models import timm_model


@augmentation_conformance(TimmMixup)
def test_timm_s_mixup_conforms(): ...


@augmentation_conformance(TimmMixup("mixup,cutmix", prob=0.8))
def test_timm_s_mixup_and_cutmix_conform(): ...


@backbone_conformance(functools.partial(timm_model, model="resnet10t"))
def test_a_timm_model_conforms(): ...
