"""Cells of a store are trained again, in their packs, and compared."""

from dataclasses import replace

import numpy as np
import pytest

import augbench as library
from augbench.api import plan
from augbench.plugins.registry import Registry
from augbench.store import Store
from augbench.verifying import rebuilt


@pytest.fixture
def options(tiny_options):
    return replace(
        tiny_options, samples_per_class=(1,), seeds=1, pretrain_steps=4, finetune_steps=4
    )


def test_a_study_is_rebuilt_from_its_description_alone(tiny_options):
    options = replace(
        tiny_options,
        augmentations=("mixup:alpha=0.1/0.3", "collage|mixup@0.25+crop-flip"),
        base="crop-flip",
        arms=("name=fast aug=mixup lr=0.05 pretrain_steps=3",),
        pretrain_steps=(3, 5),
        ruler_sizes=(2,),
        references=True,
        seeds=1,
        test_every=4,
        recipe="standard",
    )
    planned = plan(options)
    with Store.open(options.out) as store:
        store.plan(planned.study, planned.cells, "")
        stored = store.study()
    cells, datasets = rebuilt(stored, Registry.load(options.plugins))
    assert list(cells) == list(dict.fromkeys(cell.key for cell in planned.cells))
    assert datasets == planned.datasets
    assert {key: cell.arm.needs for key, cell in cells.items()} == {
        cell.key: cell.arm.needs for cell in planned.cells
    }


def test_cells_agree_with_themselves_and_a_changed_one_is_found(augbench, options, tmp_path):
    result = library.run(options)
    planned = plan(options)
    keys = [cell.key for cell in planned.cells]
    out = tmp_path / "again"
    by_key = {cell.key: cell for cell in result.cells}
    first = by_key[keys[0]].result
    bits = np.unpackbits(np.frombuffer(first.correct, np.uint8))[:40]
    bits[: bits.size // 2] ^= 1
    metrics = {**first.metrics, "accuracy": float(bits.mean())}
    # Without predictions, which would contradict such bits.
    wrong = replace(first, metrics=metrics, correct=np.packbits(bits).tobytes(), predicted=b"")
    environment = {**by_key[keys[0]].environment, "cpu": "another"}
    with Store.open(out) as store:
        store.plan(planned.study, planned.cells, "")
        for cell, found in zip(planned.cells, (wrong, by_key[keys[1]].result), strict=True):
            store.record(cell, found, environment, "cpu", pack=keys)
    code, printed, errors = augbench(
        "verify", "--out", out, "--recompute", 1, "--plugin", *options.plugins
    )
    assert code == 1
    lines = printed.splitlines()
    assert lines[1].startswith("computed with cpu another, here ")
    assert lines[2].startswith("disagree: tiny-a→tiny-b none s=1 seed 0: accuracy 0.")
    assert lines[-1].startswith("trained 2 cells again, in their packs: 1 agree, ")
    assert errors.startswith("error: 1 cell trained again did not agree")


def test_a_plugin_that_was_edited_is_told_of_before_anything_trains(options, augbench, tmp_path):
    plugin = tmp_path / "mine.py"
    code = """
from augbench import hookimpl
class Mine:
    sources = 1
    def __call__(self, x, *, rng):
        return x
@hookimpl
def register_augmentations(register):
    register("mine", Mine)
"""
    plugin.write_text(code)
    options = replace(options, plugins=(*options.plugins, str(plugin)), augmentations=("mine",))
    planned = plan(options)
    with Store.open(options.out) as store:
        store.plan(planned.study, planned.cells, "")
    plugin.write_text(code.replace("return x", "return x[:]"))
    flags = [word for one in options.plugins for word in ("--plugin", one)]
    code, _, errors = augbench("verify", "--out", options.out, "--recompute", 1, *flags)
    assert code == 2
    assert errors.startswith("error: augmentation 'mine' is not the one that was trained with")
