"""Measurement under shift: packed as in the reference, on the same images for everyone."""

from dataclasses import replace

import numpy as np
import pytest
import shifting
import torch
from lab import SETTINGS

from augbench.batching.corrupted_tests import CorruptedTests, copy_path
from augbench.batching.materials import CellMaterials
from augbench.plugins.components import Component
from augbench.protocol.shift import shift_metric
from augbench.protocol.study import Trial
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

OWN = replace(SETTINGS, full_steps=12, full_learning_rate=0.05, knn_neighbours=5)


def corruption(name, strength=1, source="1"):
    return Component(
        "corruption",
        name,
        parameters=(("strength", strength),),
        source_hash=source,
        varied=frozenset({"strength"}),
        label=f"{name}:strength={strength}",
    )


KINDS = {
    "same": shifting.Same,
    "grain": shifting.Grain,
    "broken": shifting.Broken,
}


class ShiftedLab:
    """A laboratory whose cells are measured under shift; counts the calls of corruptions."""

    def __init__(self, lab, shift):
        self._lab, self._shift, self.made = lab, shift, []

    def create(self, component):
        if component.kind == "corruption":
            self.made.append(component)
            return KINDS[component.name](**dict(component.parameters))
        return self._lab.of(component)

    def materials(self):
        load = self._lab.datasets
        return CellMaterials(
            self.create, lambda info: load[info.content_hash], shift=tuple(self._shift)
        )

    def train(self, engine, cells):
        found = engine.train(cells, self.materials(), test_every=0, progress=lambda steps: None)
        return {result.key: result for result in found}


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "cache"))


def _cells(lab, readouts=("linear", "knn", "full")):
    return [
        replace(lab.cell(name, seed=seed, settings=OWN), readout=readout)
        for name in ("none", "mixup")
        for seed in (0, 1)
        for readout in readouts
    ] + [replace(lab.cell("mixup", seed=0, settings=OWN, target=lab.source), readout="own-head")]


def test_packed_readouts_under_shift_are_those_of_the_reference(lab):
    tests = [corruption("same"), corruption("grain", 1), corruption("grain", 3)]
    shifted, cells = ShiftedLab(lab, tests), _cells(lab)
    together, alone = (shifted.train(e, cells) for e in (PackedEngine(), ReferenceEngine()))
    fell = []
    for cell in cells:
        one, other = together[cell.key].metrics, alone[cell.key].metrics
        assert set(one) == set(other) >= {shift_metric(test) for test in tests}
        for test in tests:
            name = shift_metric(test)
            assert abs(one[name] - other[name]) <= 1 / 40
            assert round(one[name] * 60, 6) % 1 == 0 or round(one[name] * 80, 6) % 1 == 0
        # Images that are not changed give the clean accuracy to the bit.
        for metrics in (one, other):
            assert metrics[shift_metric(tests[0])] == metrics["accuracy"]
        fell.append(other["accuracy"] - other[shift_metric(tests[2])])
    assert np.mean(fell) > 0


def test_each_copy_is_made_once_for_all_arms_seeds_readouts_and_workers(lab):
    tests = [corruption("grain", strength) for strength in (1, 2)]
    first, cells = ShiftedLab(lab, tests), _cells(lab, ["linear", "knn"])
    first.train(PackedEngine(), cells)
    # Those of D_F, and of D_P, on which the pretraining head is judged.
    assert sorted(first.made, key=str) == sorted(tests * 2, key=str)
    second = ShiftedLab(lab, tests)
    second.train(ReferenceEngine(), cells[:2])
    assert second.made == []
    copies = {
        images.images.numpy().tobytes()
        for cell in cells[:-1]
        for name, images in second.materials().corrupted_tests(cell)
        if name == shift_metric(tests[0])
    }
    assert len(copies) == 1


def test_a_trial_is_never_measured_under_shift(lab):
    cell = lab.cell("mixup", settings=OWN)
    trial = replace(cell, trial=Trial(0, validation_samples_per_class=2))
    shifted = ShiftedLab(lab, [corruption("grain")])
    for engine in (PackedEngine(), ReferenceEngine()):
        (result,) = shifted.train(engine, [trial]).values()
        assert result.ok
        assert set(result.metrics) == {"accuracy"}
    assert shifted.made == []


@pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
def test_a_corruption_that_fails_costs_its_own_numbers_alone(lab, engine):
    tests = [corruption("broken", strength) for strength in (1, 2, 3)]
    shifted = ShiftedLab(lab, tests)
    cells = [lab.cell("none", seed=seed, settings=OWN) for seed in (0, 1)]
    for result in shifted.train(engine(), cells).values():
        assert result.ok, result.traceback
        assert [shift_metric(one) in result.metrics for one in tests] == [True, False, True]
    assert shifted.made.count(tests[1]) == 1  # it is not tried again and again


def test_a_damaged_or_foreign_copy_is_made_again(lab, tmp_path):
    dataset, one = lab.datasets[lab.target.content_hash], corruption("grain")
    made = []

    def create(component):
        made.append(component)
        return shifting.Grain(1)

    whole = np.array(CorruptedTests(create).copy_of(dataset, one, 0))
    path = copy_path(dataset.content_hash, one, 0)
    content = bytearray(path.read_bytes())
    for damage in (bytes(content[:-1]), bytes(content[:-1]) + bytes([content[-1] ^ 1]), b""):
        path.write_bytes(damage)
        np.testing.assert_array_equal(CorruptedTests(create).copy_of(dataset, one, 0), whole)
    assert len(made) == 4
    np.testing.assert_array_equal(CorruptedTests(create).copy_of(dataset, one, 0), whole)
    assert len(made) == 4
    # Another root seed, another strength and other code are other copies.
    others = [(one, 1), (corruption("grain", 2), 0), (corruption("grain", source="2"), 0)]
    assert len({path, *(copy_path(dataset.content_hash, *other) for other in others)}) == 4


def test_without_a_cache_folder_the_numbers_are_the_same(lab, tmp_path, monkeypatch):
    dataset, one = lab.datasets[lab.target.content_hash], corruption("grain")
    kept = np.array(CorruptedTests(lambda c: shifting.Grain(1)).copy_of(dataset, one, 0))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "file"))
    tests = CorruptedTests(lambda c: shifting.Grain(1))
    again = tests.copy_of(dataset, one, 0)
    np.testing.assert_array_equal(again, kept)
    assert tests.copy_of(dataset, one, 0) is again
    assert torch.tensor(kept).dtype == torch.uint8
