"""The default study's way through the packed engine: no speed is lost unseen."""

import math
from collections import Counter

import pytest

import augbench
from augbench.packed import codegen, replay
from augbench.training import descent

KERNELS = ("convolve", "convolve_and_pool", "gradients_through_pool", "pool", "normalize")


class Noted(augbench.Observer):
    def __init__(self):
        self.text = ""

    def detailed(self, text):
        self.text = text


@pytest.fixture
def replays(monkeypatch):
    """Every step of training that may be replayed, whether that is faster here or not."""
    made = []

    class Watched(replay.Replayed):
        def __init__(self, *how):
            super().__init__(*how)
            made.append(self)

    monkeypatch.setattr(descent, "Replayed", Watched)
    monkeypatch.setattr(replay, "_TRIALS", 0)
    monkeypatch.setattr(replay, "LONGEST", math.inf)
    return made


@pytest.fixture
def asked_for(monkeypatch):
    """The kernels that were asked for."""
    counts = Counter()

    def spied(name, make):
        def kernel(*arguments):
            counts[name] += 1
            return make(*arguments)

        return kernel

    for name in KERNELS:
        monkeypatch.setattr(codegen, name, spied(name, getattr(codegen, name)))
    return counts


def test_every_pack_of_the_default_study_is_replayed_on_kernels_that_pool(
    replays, asked_for, tmp_path
):
    observer = Noted()
    result = augbench.run(
        seeds=1,
        samples_per_class=(1, 8),
        pretrain_steps=8,
        finetune_steps=2,
        finetune_samples_per_class=4,
        calibration_samples_per_class=2,
        workers=0,
        engine="packed",
        out=tmp_path,
        observer=observer,
    )
    assert not result.failed
    assert "packed by rules" in observer.text
    assert "one by one" not in observer.text.split("times as fast")[0]
    assert replays
    assert all(one.in_use for one in replays)
    # Convolution, maximum and rectifier are one kernel each way; none runs by itself.
    assert set(asked_for) == {"convolve_and_pool", "gradients_through_pool"}
