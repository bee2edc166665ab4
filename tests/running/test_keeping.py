"""Keeping backbones from the outside: the folder, what is said of it, and what it spares."""

from dataclasses import replace

import pytest

from augbench.api import execute, plan
from augbench.errors import OptionError, StoreError
from augbench.executors.contract import Job, Packed
from augbench.executors.worker import PackTrainer
from augbench.options import Options
from augbench.options import table as options_table
from augbench.running.keeping import FOLDER, kept_size
from augbench.training.notes import Note, summary


def test_a_later_readout_finds_the_backbones(tiny_options, tmp_path, monkeypatch):
    first = replace(tiny_options, keep_backbones=True, out=tmp_path, workers=0)
    result = execute(plan(first))
    assert not result.failed
    pretrained = {cell.pretrain_key for cell in plan(first).cells}
    assert {path.stem for path in (tmp_path / FOLDER).iterdir()} == pretrained

    from augbench.training import together

    def refuse(*_, **__):
        raise AssertionError("it was pretrained")

    monkeypatch.setattr(together, "_pretrain", refuse)
    monkeypatch.setattr("augbench.training.reference.pretrain", refuse)
    later = execute(plan(replace(first, readouts=("knn",))))
    assert not later.failed
    assert not later.missing


def test_without_the_option_nothing_is_kept(tiny_options, tmp_path):
    execute(plan(replace(tiny_options, out=tmp_path, workers=0)))
    assert not (tmp_path / FOLDER).exists()


def test_keeping_changes_no_key(tiny_options, tmp_path):
    keys = [
        [cell.key for cell in plan(replace(tiny_options, out=tmp_path, keep_backbones=kept)).cells]
        for kept in (False, True)
    ]
    assert keys[0] == keys[1]


def test_a_dry_run_tells_the_size_on_disk(tiny_options, tmp_path):
    planned = plan(replace(tiny_options, keep_backbones=True, out=tmp_path, workers=0))
    count, size = kept_size(planned)
    execute(planned)
    files = list((tmp_path / FOLDER).iterdir())
    assert count == len(files)
    assert 0.5 < sum(path.stat().st_size for path in files) / size < 1.1


def test_without_safetensors_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(options_table, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match="pip install safetensors"):
        Options(keep_backbones=True)
    Options()


def test_a_folder_that_cannot_be_made_is_one_line(tiny_options, tmp_path):
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(StoreError, match="cannot make the folder") as found:
        execute(plan(replace(tiny_options, keep_backbones=True, out=tmp_path, workers=0)))
    assert "\n" not in str(found.value)


def test_a_machine_without_the_folder_says_so_and_keeps_none(tiny_options, tmp_path):
    planned = plan(tiny_options)
    job = Job(
        "packed",
        "cpu",
        tuple(planned.datasets.items()),
        plugins=tiny_options.plugins,
        kept_backbones=tmp_path / "elsewhere",
    )
    events = []
    trainer = PackTrainer(job)
    for _ in range(2):
        trainer.train(planned.cells[:1], events.append)
    notes = [one.note for one in events if isinstance(one, Packed) and not one.note.networks]
    (note,) = notes
    assert "are not kept, since it has no folder" in note.reason
    assert summary([Note(3, "packed"), note]).endswith(f"; {note.reason}")
    assert not (tmp_path / "elsewhere").exists()
