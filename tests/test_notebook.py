"""In Jupyter: real kernels run the cells that a user would write."""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from augbench.errors import StoreError
from augbench.store import Store

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "which_augmentation.ipynb"
# jupyter_client tells of its own future, and sockets of a killed kernel may be closed late.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:zmq"),
]


def executed(cells, folder, **how):
    """The cells with their outputs, run one after the other in a kernel of their own."""
    book = new_notebook(cells=[new_code_cell(text) for text in cells])
    NotebookClient(book, timeout=120, resources={"metadata": {"path": folder}}, **how).execute()
    return book.cells


def shown(cell, kind="text/plain"):
    """What the outputs of a cell hold of one kind, joined by lines."""
    return "\n".join(one["data"].get(kind, "") for one in cell.outputs if "data" in one)


def streams(cell):
    return "".join(one.text for one in cell.outputs if one.output_type == "stream")


def study_of(options, **changes):
    """The call of `augbench.run` for a study, as a user would write it."""
    return f"augbench.run({options!r}, {', '.join(f'{k}={v!r}' for k, v in changes.items())})"


def test_a_notebook_shows_progress_the_answer_and_warnings_and_reads_them(tiny_options, tmp_path):
    imports = "from pathlib import PosixPath\nimport augbench\nfrom augbench import Options"
    first, again, warned, verdict, best, frame, figure, module = executed(
        [
            f"{imports}\nresult = {study_of(tiny_options, engine='reference')}\nresult",
            study_of(tiny_options, engine="reference"),
            study_of(tiny_options, trials=3, progress=False) + ".best(4)",
            "result.verdict()",
            "result.best(4).best",
            "result.to_pandas()",
            "figure = result.plot()\nfigure",
            "import sys\n'matplotlib.pyplot' in sys.modules",
        ],
        tmp_path,
    )
    progress, result = first.outputs  # one that was written anew, and no line beside it
    assert progress["data"]["text/plain"].startswith("8 cells computed in ")
    assert "<script" not in progress["data"]["text/html"]
    assert result["data"]["text/plain"].startswith("tiny-a → tiny-b · 2 seeds")
    assert len(result["data"]["text/plain"].splitlines()) <= 6
    assert "<svg" in result["data"]["text/html"]
    assert "8 cells, all of them stored in" in shown(again)
    assert "StudyWarning: trials has no effect" in streams(warned)
    assert "BestSet at 4 samples per class" in shown(warned)
    assert len(warned.outputs) == 2
    assert shown(verdict).startswith("tiny-a → tiny-b · 2 seeds")
    assert "<details" in shown(verdict, "text/html")
    assert shown(best) == "('none', 'mixup')"
    assert "<table" in shown(frame, "text/html")
    assert shown(figure, "image/png")
    assert shown(module) == "False"


@pytest.mark.slow
def test_the_example_runs_and_says_which_augmentation_helps(tmp_path):
    book = nbformat.read(EXAMPLE, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    cells = {cell["id"]: cell for cell in book.cells}
    # At which size that is established is the processor's last bits to say.
    assert re.search(r"use (mixup|collage)", shown(cells["run"]))
    assert "18 cells computed" in shown(cells["own-run"])
    assert "half-and-half" in shown(cells["own-run"], "text/html")
    plugin = (ROOT / "examples" / "half_and_half.py").read_text()
    assert (tmp_path / "half_and_half.py").read_text().strip() == plugin.strip()


@pytest.mark.slow
def test_an_interrupted_cell_keeps_what_was_computed_and_the_next_call_goes_on(
    tiny_options, tmp_path
):
    """The kernel is interrupted as by the button: every process of its group gets a SIGINT."""
    imports = "from pathlib import PosixPath\nimport augbench\nfrom augbench import Options"
    call = study_of(tiny_options, workers=2, engine="reference", seeds=8, pretrain_steps=400)
    processes = "import psutil\nlen(psutil.Process().children(recursive=True))"
    book = new_notebook(cells=[new_code_cell(text) for text in (imports, call, processes, call)])
    client = NotebookClient(
        book, timeout=300, allow_errors=True, resources={"metadata": {"path": tmp_path}}
    )
    with client.setup_kernel():
        client.execute_cell(book.cells[0], 0)
        interrupting = _interrupt_once_cells_are_stored(client, tiny_options.out)
        client.execute_cell(book.cells[1], 1)
        interrupting.join()
        told, error = book.cells[1].outputs
        assert error["ename"] == "KeyboardInterrupt"
        number = int(re.match(r"stopped: (\d+) new", told["data"]["text/plain"])[1])
        with Store.read(tiny_options.out) as store:
            assert sum(one.status == "ok" for one in store.study().cells) == number > 0
        client.execute_cell(book.cells[2], 2)
        assert shown(book.cells[2]) == "0"
        client.execute_cell(book.cells[3], 3)
        assert f"{32 - number} cells computed" in shown(book.cells[3])


def _interrupt_once_cells_are_stored(client, out):
    """Interrupt the kernel as Jupyter does, by a signal to its process group, from a thread."""

    def wait():
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            time.sleep(0.2)
            with suppress(StoreError), Store.read(out) as store:
                if any(one.status == "ok" for one in store.study().cells):
                    break
        os.killpg(client.km.provisioner.pgid, signal.SIGINT)

    thread = Thread(target=wait)
    thread.start()
    return thread
