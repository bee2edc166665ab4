"""Kept backbones: what was pretrained once is loaded, with the same numbers, or found unfit."""

import json
from dataclasses import replace

import pytest
import torch
from lab import SETTINGS
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from augbench.batching import kept_backbones
from augbench.batching.kept_backbones import KeptBackbones
from augbench.protocol.inputs import network_inputs
from augbench.protocol.study import Budget, Trial
from augbench.training import reference, together
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

ENGINES = pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
OWN = replace(
    SETTINGS,
    pretrain_steps=10,
    finetune_steps=6,
    full_steps=6,
    full_learning_rate=0.05,
    knn_neighbours=5,
)


def _cells(lab, *readouts, settings=OWN, **how):
    return [
        replace(lab.cell(name, seed=seed, settings=settings, **how), readout=readout)
        for name in ("none", "mixup")
        for seed in (0, 1)
        for readout in readouts
    ]


def _train(lab, engine, cells, folder, test_every=0):
    """Results by key, and what the files are told of."""
    materials = lab.materials()
    materials.kept = folder and KeptBackbones(folder, test_every)
    done = []
    results = {
        one.key: one
        for one in engine.train(cells, materials, test_every=test_every, progress=done.append)
    }
    assert set(results) == {cell.key for cell in cells}
    if all(one.ok for one in results.values()):
        assert sum(done) == sum(cell.steps for cell in cells)
    return results, materials.kept.notes if folder else []


@pytest.fixture
def nothing_is_pretrained(monkeypatch):
    def forbid():
        def refuse(*_, **__):
            raise AssertionError("it was pretrained")

        monkeypatch.setattr(together, "_pretrain", refuse)
        monkeypatch.setattr(together, "_pretrain_alone", refuse)
        monkeypatch.setattr(reference, "pretrain", refuse)

    return forbid


def _same(one, other):
    assert one.ok, one.traceback
    timeless = [
        {name: v for name, v in each.metrics.items() if name != "pretrain_seconds"}
        for each in (one, other)
    ]
    assert timeless[0] == timeless[1]
    assert (one.curves, one.correct) == (other.curves, other.correct)


@ENGINES
def test_other_readouts_pretrain_nothing_and_have_the_same_bits(
    lab, tmp_path, nothing_is_pretrained, engine
):
    own = replace(OWN, normalize="channels")
    every = ("linear", "knn", "own-head", "full")
    cells = _cells(lab, *every, target=lab.source, settings=own)
    whole, _ = _train(lab, engine(), cells, None)
    _, told = _train(
        lab, engine(), _cells(lab, "linear", target=lab.source, settings=own), tmp_path
    )
    assert told == []
    assert {path.stem for path in tmp_path.iterdir()} == {cell.pretrain_key for cell in cells}
    nothing_is_pretrained()
    later, told = _train(lab, engine(), cells, tmp_path)
    assert told == []
    for key, result in later.items():
        _same(result, whole[key])


@ENGINES
def test_other_finetuning_data_pretrain_nothing(lab, tmp_path, nothing_is_pretrained, engine):
    cells = _cells(lab, "linear", "full")
    whole, _ = _train(lab, engine(), cells, None)
    _train(lab, engine(), _cells(lab, "own-head", target=lab.source), tmp_path)
    nothing_is_pretrained()
    later = engine()
    for key, result in _train(lab, later, cells, tmp_path)[0].items():
        _same(result, whole[key])
    assert engine is ReferenceEngine or "4 networks at a time, loaded as they were" in later.choice


@pytest.mark.parametrize("budgets", [(5, 10), (10, 5)])
def test_each_budget_is_kept(lab, tmp_path, nothing_is_pretrained, budgets):
    cells = [
        replace(one, budget=Budget(steps))
        for one in _cells(lab, "linear", "knn")
        for steps in budgets
    ]
    whole, _ = _train(lab, PackedEngine(), cells, tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
    nothing_is_pretrained()
    for key, result in _train(lab, PackedEngine(), cells, tmp_path)[0].items():
        _same(result, whole[key])


def test_engines_read_each_others_files(lab, tmp_path, agree, nothing_is_pretrained):
    cells = _cells(lab, "linear", "knn", "full")
    by_packed, by_reference = tmp_path / "packed", tmp_path / "reference"
    for folder in (by_packed, by_reference):
        folder.mkdir()
    _train(lab, PackedEngine(), cells[::3], by_packed)
    whole, _ = _train(lab, ReferenceEngine(), cells, by_reference)
    nothing_is_pretrained()
    for engine, folder in ((ReferenceEngine(), by_packed), (PackedEngine(), by_reference)):
        found, told = _train(lab, engine, cells, folder)
        assert told == []
        for key, result in found.items():
            agree(result, whole[key])


def test_what_is_kept_of_some_serves_beside_what_is_not(lab, tmp_path, agree):
    cells = _cells(lab, "linear")
    _train(lab, PackedEngine(), cells[:2], tmp_path)
    whole, _ = _train(lab, PackedEngine(), cells, None)
    for key, result in _train(lab, PackedEngine(), cells, tmp_path)[0].items():
        agree(result, whole[key])
    assert len(list(tmp_path.iterdir())) == len(cells)


def test_a_file_serves_other_programs(lab, tmp_path):
    cells = _cells(lab, "linear")
    results, _ = _train(lab, PackedEngine(), cells, tmp_path)
    cell = cells[3]
    path = tmp_path / f"{cell.pretrain_key}.safetensors"
    tensors = load_file(path)
    backbone = lab.factories["small"](1, (10, 10))
    names = {n.removeprefix("backbone."): v for n, v in tensors.items() if n.startswith("backbone")}
    backbone.load_state_dict(names)
    test = lab.materials().test_set(cell.pretrain)
    with torch.no_grad():
        features = backbone.eval()(network_inputs(test.images))
        logits = features @ tensors["head.weight"].T + tensors["head.bias"]
    nll = torch.nn.functional.cross_entropy(logits, test.labels).item()
    assert nll == pytest.approx(results[cell.key].metrics["pretrain_nll"], abs=1e-5)
    with safe_open(path, framework="pt") as file:
        told = {name: json.loads(text) for name, text in file.metadata().items()}
    assert (told["arm"], told["seed"], told["samples_per_class"]) == ("mixup", 1, 2)
    assert (told["dataset"], told["protocol"], told["steps"]) == ("source", 1, 10)
    assert told["curve"]["loss"] == list(results[cell.key].curves["pretrain"].loss)
    assert 0 < kept_backbones.file_bytes(backbone, 3) - path.stat().st_size < 6000


def _written(path, change_tensors=None, **told):
    """The file with other metadata or tensors, and a check sum that is right."""
    with safe_open(path, framework="pt") as file:
        about = {**file.metadata(), **{name: json.dumps(v) for name, v in told.items()}}
    tensors = (change_tensors or dict)(load_file(path))
    del about["sha256"]
    about["sha256"] = json.dumps(kept_backbones._digest(about, tensors))
    save_file(tensors, path, metadata=about)


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


DAMAGE = {
    "cannot be read": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "cannot be read (": lambda path: path.write_bytes(b"no safetensors"),
    "cannot be read (Er": lambda path: path.write_bytes(b""),
    "is damaged": _flip,
    "is of another pretraining": lambda path: _written(path, pretrain_key="0" * 64),
    "is not one of AugBench's": lambda path: save_file({"x": torch.zeros(2)}, path),
    "is not one": lambda path: _written(path, curve={"step": 3}),
    "is of another network": lambda path: _written(path, lambda own: {**own, "x": torch.ones(2)}),
    "is of another network: ": lambda path: _written(
        path, lambda own: {**own, "head.weight": own["head.weight"][:2]}
    ),
    "is of another network: its": lambda path: _written(
        path, lambda own: {n: v.double() if v.is_floating_point() else v for n, v in own.items()}
    ),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_a_file_that_is_not_the_pretrainings_is_told_of_once(lab, tmp_path, message):
    (cell, *_) = _cells(lab, "linear")
    _train(lab, ReferenceEngine(), [cell], tmp_path)
    (path,) = tmp_path.iterdir()
    DAMAGE[message](path)
    kept, materials = KeptBackbones(tmp_path), lab.materials()
    assert not kept.has(cell, materials)
    assert not kept.has(cell, materials)
    (line,) = kept.notes
    assert f"pretrained anew, since the kept {path.name} {message}" in line
    assert "\n" not in line


@ENGINES
def test_damaged_files_are_pretrained_anew_and_mended(lab, tmp_path, engine):
    cells = _cells(lab, "linear")[:2]
    whole, _ = _train(lab, engine(), cells, tmp_path)
    for path in tmp_path.iterdir():
        _flip(path)
    again, told = _train(lab, engine(), cells, tmp_path)
    assert len(told) == len(cells)
    for cell in cells:
        _same(again[cell.key], whole[cell.key])
    assert _train(lab, engine(), cells, tmp_path)[1] == []


@ENGINES
def test_a_curve_without_the_tests_that_are_asked_for_does_not_serve(lab, tmp_path, engine):
    cells = _cells(lab, "linear")[:2]
    plain, _ = _train(lab, engine(), cells, tmp_path)
    tested, told = _train(lab, engine(), cells, tmp_path, test_every=5)
    assert len(told) == len(cells)
    assert all("has no tests every 5 steps" in line for line in told)
    for cell in cells:
        assert tested[cell.key].curves["pretrain"].test_step == (5, 10)
    # The other way it does, and its tests are left out.
    again, told = _train(lab, engine(), cells, tmp_path)
    assert told == []
    for cell in cells:
        assert again[cell.key].curves["pretrain"] == plain[cell.key].curves["pretrain"]


@ENGINES
def test_neither_trials_nor_what_diverged_is_kept(lab, tmp_path, engine):
    cell = lab.cell(settings=OWN, size=4, target=lab.source)
    trial = replace(cell, trial=Trial(0, 3, outside=4))
    wild = replace(OWN, learning_rate=1e30)
    diverged = lab.cell("mixup", settings=wild)
    results, told = _train(lab, engine(), [trial, diverged], tmp_path)
    assert results[trial.key].ok
    assert not results[diverged.key].ok
    assert list(tmp_path.iterdir()) == []
    assert told == []


def test_a_folder_that_cannot_be_written_costs_no_result(lab, tmp_path):
    cells = _cells(lab, "linear")[:2]
    results, told = _train(lab, PackedEngine(), cells, tmp_path / "file" / "below")
    (tmp_path / "file").rename(tmp_path / "was")
    (tmp_path / "file").write_text("")
    results, told = _train(lab, PackedEngine(), cells, tmp_path / "file")
    assert all(one.ok for one in results.values())
    assert len(told) == len(cells)
    assert all("cannot be written" in line or "cannot be read" in line for line in told)
