"""Figures drawn by several processes are those of one, whole, or not there."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from synthetic import make_study

from augbench.reports import drawing, figures
from augbench.reports.drawing import Artists
from augbench.reports.figures import parts, save_figures, update_figures


@pytest.fixture
def result(read):
    return read(make_study(["mixup"], pairs=(("a", "b"), ("a", "B")), sizes=(1, 4), seeds=1))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """The parts that are drawn here: of one section for each pair, and of one for the study."""

    def some(result):
        return [one for one in parts(result) if one[0] in ("learning_curves", "effects")]

    for module in (drawing, figures):
        monkeypatch.setattr(module, "parts", some)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The only folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _bytes(paths, folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
def test_several_processes_draw_the_bytes_of_one(result, tmp_path, temporary, metric):
    result = result.about(metric)
    alone, together = tmp_path / "alone", tmp_path / "together"
    expected = save_figures(result, alone)
    with Artists(2) as artists:
        artists.begin(result)
        drawn = artists.draw(result, together)
        assert artists.written == drawn
    names = [str(path.relative_to(together)) for path in drawn]
    assert names == [str(path.relative_to(alone)) for path in expected]
    # Where a file system knows no capitals, neither of two pairs hides the other.
    assert len({name.casefold() for name in names}) == len(names) == 12
    assert _bytes(drawn, together) == _bytes(expected, alone)
    assert not list(temporary.iterdir())


def test_what_a_process_does_not_finish_is_drawn_all_the_same(result, tmp_path, temporary):
    with Artists(2) as artists:
        artists.start()
        os.kill(artists.processes[0], signal.SIGKILL)
        lines = update_figures(result, tmp_path / "figures", draw=artists.draw)
    expected = save_figures(result, tmp_path / "alone")
    assert len(lines) == len(expected)
    drawn = [tmp_path / "figures" / path.name for path in expected]
    assert _bytes(drawn, tmp_path / "figures") == _bytes(expected, tmp_path / "alone")
    assert not list(temporary.iterdir())


def test_whoever_stops_leaves_nothing(result, temporary):
    with Artists(2) as artists:
        artists.begin(result)
        processes = artists.processes
    assert not list(temporary.iterdir())
    assert not any(Path(f"/proc/{number}/exe").exists() for number in processes)


def test_without_a_folder_for_temporary_files_this_process_draws(result, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with Artists(1) as artists:
        drawn = artists.draw(result, tmp_path / "figures")
    assert drawn
    assert all(path.stat().st_size for path in drawn)
