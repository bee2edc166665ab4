"""Progress is shown where somebody looks, in a few lines, and never in the way of a result."""

import io
import re

import pytest
from rich.console import Console

import augbench
from augbench.api import plan
from augbench.errors import OptionError
from augbench.progress import Progress, progress_here
from augbench.progress._jupyter import JupyterProgress
from augbench.progress._terminal import LinesProgress, TerminalProgress
from augbench.protocol.cell_result import CellResult


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Drawn(Progress):
    """Keeps what it would draw."""

    def __init__(self, **how):
        super().__init__(**how)
        self.lines = []

    def draw(self):
        self.lines.append(self.line if self.running else self.closing_lines)


def ok(cell):
    return CellResult(cell.key, {"accuracy": 0.5})


def test_nothing_is_shown_where_nobody_looks_or_somebody_else_does(
    tiny_options, capsys, monkeypatch
):
    augbench.run(tiny_options)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    augbench.run(tiny_options, progress=False)
    mine = Drawn(every=0.0)
    augbench.run(tiny_options, seeds=3, observer=mine)
    assert terminal.getvalue() == ""
    assert mine.lines[0] == "0 of 4 cells, 0 %"
    augbench.run(tiny_options, seeds=3)
    assert "12 cells, all of them stored" in terminal.getvalue()


def test_progress_that_is_no_answer_is_one_clear_line(tiny_options):
    with pytest.raises(OptionError, match="either progress=True or an observer"):
        augbench.run(tiny_options, observer=Drawn(), progress=True)
    with pytest.raises(OptionError, match="progress: expected True, False, or None"):
        augbench.run(tiny_options, progress="yes")


def test_where_asked_for_a_script_shows_a_dozen_lines_on_standard_error(tiny_options, capsys):
    augbench.run(tiny_options, seeds=5, engine="reference", progress=True)
    out, err = capsys.readouterr()
    first, *tenths, last = err.splitlines()
    assert out == ""
    assert first == "0 of 20 cells, 0 %"
    assert len(tenths) <= 10
    percents = [int(re.search(r"(\d+) %", line)[1]) for line in tenths]
    assert percents == sorted(percents)
    assert re.fullmatch(r"20 cells computed in \d+:\d\d \(.*out\)", last)
    augbench.run(tiny_options, seeds=5, engine="reference", progress=True)
    assert re.fullmatch(r"20 cells, all of them stored in .*out\n", capsys.readouterr().err)


def test_a_terminal_shows_a_bar_that_leaves_one_line(tiny_options, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    augbench.run(tiny_options)
    assert capsys.readouterr().out == ""
    assert "8 cells" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("out)")
    lasting = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", terminal.getvalue().split("\x1b[2K")[-1])
    assert lasting.strip().startswith("8 cells computed in ")


def test_the_display_suits_where_it_runs(monkeypatch):
    assert not isinstance(progress_here().__enter__(), Progress)
    assert isinstance(progress_here(True), LinesProgress)
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(progress_here(), TerminalProgress)
    monkeypatch.setattr("augbench.progress.in_jupyter", lambda: True)
    assert isinstance(progress_here(), JupyterProgress)
    assert not isinstance(progress_here(False).__enter__(), Progress)
    monkeypatch.setattr("sys.stderr", None)  # as under pythonw
    monkeypatch.setattr("augbench.progress.in_jupyter", lambda: False)
    assert not isinstance(progress_here().__enter__(), Progress)


def test_the_time_left_is_told_from_the_steps_since_training_began(tiny_options):
    planned, clock = plan(tiny_options), Clock()
    steps = sum(cell.steps for cell in planned.cells)
    with Drawn(every=0.0, clock=clock) as drawn:
        drawn.planned(planned, {})
        clock.now = 30.0  # until the workers have loaded torch
        drawn.progressed(0)
        assert drawn.seconds_left is None
        clock.now = 40.0
        drawn.progressed(steps // 4)
        assert drawn.seconds_left == 30.0
        assert drawn.line == "0 of 8 cells, 25 %, 0:30 left"


def test_cells_that_fail_or_that_another_run_trained_count_whole(tiny_options):
    planned = plan(tiny_options)
    with Drawn(every=0.0) as drawn:
        drawn.planned(planned, {})
        failed, *rest = planned.cells
        drawn.finished(failed, CellResult(failed.key, error="ValueError: \x1b[2J no\nway"))
        assert drawn.share == 1 / 8
        drawn.waiting("waiting for another run")
        assert drawn.line.endswith("waiting for another run")
        for cell in rest:
            drawn.finished(cell, ok(cell))
        assert drawn.share == 1
    told, error = drawn.lines[-1]
    assert re.fullmatch(r"7 cells computed in 0:00, 1 failed \(.*out\)", told)
    assert error == r"the first failure: ValueError: \x1b[2J no way"


def test_what_was_stored_before_is_told_apart(tiny_options):
    planned = plan(tiny_options)
    with Drawn(every=0.0) as drawn:
        drawn.planned(planned, {cell.key: 0.5 for cell in planned.cells[:6]})
        for cell in planned.cells[6:]:
            drawn.finished(cell, ok(cell))
    assert "2 cells computed in 0:00, 6 were stored" in drawn.lines[-1][0]


def test_an_interrupt_loses_nothing_and_says_how_to_go_on(tiny_options, capsys, monkeypatch):
    draw = LinesProgress.draw

    def interrupt(self):
        if self.running and self.share > 0.4:
            raise KeyboardInterrupt
        draw(self)

    monkeypatch.setattr(LinesProgress, "draw", interrupt)
    with pytest.raises(KeyboardInterrupt):
        augbench.run(tiny_options, engine="reference", progress=True)
    told = capsys.readouterr().err.splitlines()[-1]
    number = int(re.match(r"stopped: (\d+) new cells? (is|are) stored in .*goes on", told)[1])
    assert 0 < number < 8
    monkeypatch.setattr(LinesProgress, "draw", draw)
    result = augbench.run(tiny_options, engine="reference", progress=True)
    assert f"{8 - number} cells computed" in capsys.readouterr().err
    assert not result.missing


def test_a_notebook_s_output_is_escaped(tiny_options, monkeypatch):
    shown = []
    monkeypatch.setattr(JupyterProgress, "draw", lambda self: shown.append(self._html()))
    planned = plan(tiny_options)
    with JupyterProgress() as progress:
        progress.planned(planned, {})
        cell = planned.cells[0]
        progress.finished(cell, CellResult(cell.key, error="<script>alert(1)</script>"))
        progress.noted("<b>bold</b>")
    assert 'value="0.0000"' in shown[0]
    assert "&lt;script&gt;" in shown[-1]
    assert "&lt;b&gt;" in shown[-1]
    assert "<script" not in "".join(shown)
    assert len(shown[-1]) < 500


def test_names_do_not_move_the_cursor_of_a_terminal(tiny_options, monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with TerminalProgress() as progress:
        progress._console = Console(file=terminal, color_system=None)
        progress.planned(plan(tiny_options), {})
        progress.noted("a\x1b[2Jb")
    assert "a\\x1b[2Jb" in terminal.getvalue()
