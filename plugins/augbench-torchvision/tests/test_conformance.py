"""AugBench's conformance kit, every check of it, on every component."""

from __future__ import annotations

import functools

from augbench.testing import augmentation_conformance, backbone_conformance

from augbench_torchvision.cifar_resnet import cifar_resnet
from augbench_torchvision.policies import AugMix, RandAugment, TrivialAugmentWide
from augbench_torchvision.resnet18 import resnet18
from augbench_torchvision.transforms import Affine, Elastic, RandomErasing


@augmentation_conformance(AugMix)
def test_augmix_conforms(): ...


@augmentation_conformance(RandAugment)
def test_randaugment_conforms(): ...


@augmentation_conformance(TrivialAugmentWide)
def test_trivialaugment_conforms(): ...


@augmentation_conformance(RandomErasing)
def test_random_erasing_conforms(): ...


@augmentation_conformance(Elastic)
def test_elastic_conforms(): ...


@augmentation_conformance(Affine)
def test_affine_conforms(): ...


@backbone_conformance(functools.partial(cifar_resnet, depth=8))
def test_cifar_resnet_conforms(): ...


@backbone_conformance(resnet18)
def test_resnet18_conforms(): ...
