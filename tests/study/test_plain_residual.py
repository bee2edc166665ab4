"""What the study says of a residual network on hands, by a plain loop that shares no code with it.

One image of each class pretrains a network of the same kind by the same recipe: without
augmentation its features tell other hands badly apart, with RandAugment well.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from torchvision import datasets, transforms

STEPS, WARMUP, FINETUNE = 2000, 100, 80

needs_data = pytest.mark.skipif(
    "AUGBENCH_DATA" not in os.environ, reason="AUGBENCH_DATA names no folder with photographs"
)


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(out), nn.BatchNorm2d(out)])
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        inner = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.norms[1](self.second(inner)) + self.shortcut(x))


def residual_network():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Block(16, 16, 1),
        Block(16, 32, 2),
        Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def images(split):
    folder = Path(os.environ["AUGBENCH_DATA"]) / "photos" / "sign-digits" / split
    as_tensor = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
    found = datasets.ImageFolder(folder, as_tensor)
    return torch.stack([image for image, _ in found]), np.array(found.targets)


def pretrained(images, labels, augment, seed):
    """The network, in eval mode and with its normalisation, after the study's pretraining."""
    torch.manual_seed(seed)
    network, head = residual_network(), nn.Linear(64, 10)
    normalize = transforms.Normalize(images.mean((0, 2, 3)), images.std((0, 2, 3)))
    optimizer = torch.optim.SGD(
        [*network.parameters(), *head.parameters()],
        lr=0.0125,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
    )
    warmup = LinearLR(optimizer, 1 / (WARMUP + 1), 1, WARMUP)
    schedule = SequentialLR(
        optimizer, [warmup, CosineAnnealingLR(optimizer, STEPS - WARMUP)], [WARMUP]
    )
    crop = transforms.RandomCrop(32, 4)
    for _ in range(STEPS):
        batch = torch.stack([crop(augment(image)) for image in images])
        loss = functional.cross_entropy(head(network(normalize(batch))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    return lambda images: network(normalize(images))


@needs_data
@pytest.mark.slow
def test_a_residual_network_needs_randaugment_on_one_hand_a_class():
    train, labels = images("train")
    test, answers = images("test")
    order = np.random.default_rng(0).permutation(len(train))
    by_class = [order[labels[order] == k] for k in range(10)]
    once = np.array([each[0] for each in by_class])
    finetune = np.concatenate([each[:FINETUNE] for each in by_class])

    operations = transforms.RandAugment(2, 9)
    arms = {
        "none": lambda image: image,
        "randaugment": lambda image: operations((image * 255).byte()).float() / 255,
    }
    accuracy = {}
    for name, augment in arms.items():
        features = pretrained(train[once], torch.from_numpy(labels[once]), augment, seed=0)
        with torch.no_grad():
            known, asked = features(train[finetune]).numpy(), features(test).numpy()
        head = LogisticRegression(C=100, max_iter=3000).fit(known, labels[finetune])
        accuracy[name] = head.score(asked, answers)
    assert accuracy["none"] < 0.55
    assert accuracy["randaugment"] > 0.65
