"""The handout's sweep as a good engineer writes it in PyTorch: one network, one batch at a time.

Augmentation is vectorised over the batch, images are tensors in memory, finetuning runs through
the frozen convolutions without gradients. `python benchmarks/plain_loop.py CELLS STEPS THREADS`
prints the seconds and the CPU seconds of CELLS cells, on the CPU or on the DEVICE that a fourth
argument names.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from augbench.plugins.registry import Registry

BATCH, RATE = 8, 0.01
DEVICE = torch.device(sys.argv[4] if len(sys.argv) > 4 else "cpu")
SIZES = (1, 2, 4, 8, 16, 32, 64)
CELLS = [(name, size) for size in SIZES for name in ("none", "collage", "mixup")]


def load():
    registry = Registry.load()
    return [
        registry.create(registry.resolve("dataset", name))(None)
        for name in ("glyph-digits", "glyph-letters")
    ]


def tensors(images, labels):
    return torch.tensor(images, device=DEVICE).float() / 255, torch.tensor(labels, device=DEVICE)


def first_of_each_class(dataset, count):
    chosen = torch.cat(
        [
            torch.nonzero(torch.tensor(dataset.train_labels) == label)[:count, 0]
            for label in range(len(dataset.classes))
        ]
    )
    return tensors(dataset.train_images[chosen], dataset.train_labels[chosen])


def make_backbone():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(8, 16, 5), nn.Dropout2d(0.5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
    )


def batches(count, steps):
    """Shuffled epochs; a set smaller than a batch is used whole."""
    size, done = min(BATCH, count), 0
    while True:
        order = torch.randperm(count, device=DEVICE)
        for batch in order[: count // size * size].view(-1, size):
            if done == steps:
                return
            yield batch
            done += 1


def augmented(name, x, y):
    if name == "none":
        return x, y
    partner = torch.randperm(len(x), device=DEVICE)
    if name == "mixup":
        alpha = torch.tensor(0.3, device=DEVICE)
        lam = torch.distributions.Beta(alpha, alpha).sample((len(x),))
        share = lam.view(-1, 1, 1, 1)
        return share * x + (1 - share) * x[partner], lam[:, None] * y + (1 - lam[:, None]) * y[
            partner
        ]
    mixed = x[partner].clone()
    mixed[:, :, :14, 14:] = x[:, :, :14, 14:]
    mixed[:, :, 14:, :14] = x[:, :, 14:, :14]
    return mixed, (y + y[partner]) / 2


def train_cell(name, size, digits, letters, test, steps):
    backbone, head = make_backbone().to(DEVICE), nn.Linear(256, 10).to(DEVICE)
    x, labels = first_of_each_class(digits, size)
    y = F.one_hot(labels, 10).float()
    model = nn.Sequential(backbone, head)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for batch in batches(len(x), steps):
        inputs, targets = augmented(name, x[batch], y[batch])
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    backbone.eval()
    head = nn.Linear(256, 26).to(DEVICE)
    optimizer = torch.optim.SGD(head.parameters(), lr=RATE)
    x, labels = letters
    for batch in batches(len(x), steps):
        with torch.no_grad():
            features = backbone(x[batch])
        optimizer.zero_grad()
        F.cross_entropy(head(features), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = sum(
            (head(backbone(images)).argmax(1) == labels).sum().item()
            for images, labels in zip(test[0].split(500), test[1].split(500), strict=True)
        )
    return right / len(test[0])  # `item` has waited for the device


def main(cells, steps, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    digits, dataset = load()
    letters = first_of_each_class(dataset, 256)
    test = tensors(dataset.test_images, dataset.test_labels)
    begin = time.perf_counter()
    train_cell("none", 1, digits, letters, test, 20)  # warms up, and counts for nothing
    start, before = time.perf_counter(), time.process_time()
    for name, size in CELLS[-cells:]:
        train_cell(name, size, digits, letters, test, steps)
    print(time.perf_counter() - start, time.process_time() - before, start - begin)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
