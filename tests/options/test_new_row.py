"""A new option is one row: a copy of the package with one more row has it everywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import augbench
from augbench.api import plan

ROW = """
    dampening: Number = Number(
        "--dampening",
        zero=True,
        default=0.0,
        title="dampening",
        help="Dampening of SGD.",
        group=TRAINING,
        key=KeyEntry("pretraining", "dampening"),
    )

    @cached_property
    def key_parts("""

SCRIPT = """
import contextlib, inspect, io, json, sys
from pathlib import Path
import click
sys.path.insert(0, sys.argv[1])  # tests/support
import augbench
from augbench.api import plan
from augbench.cli import cli, main
from augbench.errors import OptionError
from augbench.results import StudyResult
from augbench.reports.page import render_page
from augbench.store import Store
from augbench.running import inspecting
from photographs import InThisProcess
from synthetic import fill, make_study

inspecting.Isolated = InThisProcess  # another interpreter a data set takes seconds

def key(**options):
    return plan("mixup", seeds=1, samples_per_class=4, **options).cells[0].key

def message(**options):
    try:
        key(**options)
    except OptionError as error:
        return str(error)

study = make_study(settings=augbench.Settings(dampening=0.9))
fill(Path("store"), study)
with Store.read(Path("store")) as store:
    page = render_page(StudyResult(store.study()))
command = cli.get_command(None, "run")
with contextlib.redirect_stdout(io.StringIO()) as planned, contextlib.suppress(SystemExit):
    main(["run", "--dry-run", "--dampening", "0.5"])
print(json.dumps({
    "package": augbench.__file__,
    "default": inspect.signature(augbench.run).parameters["dampening"].default,
    "help": command.get_help(click.Context(command, info_name="run")),
    "doc": augbench.run.__doc__,
    "keys": [key(), key(dampening=0.0), key(dampening=0.9)],
    "message": message(dampening=-1),
    "stored": [make_study().to_json()["settings"], study.to_json()["settings"]],
    "page": page[page.index('id="settings"'):],
    "planned": planned.getvalue(),
}))
"""


def test_a_new_option_is_one_row(tmp_path, no_children):
    original = Path(augbench.__file__).parent
    copy = tmp_path / "source" / "augbench"
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__"))
    table = copy / "options" / "settings.py"
    text = table.read_text()
    place = "\n    @cached_property\n    def key_parts("
    assert text.count(place) == 1
    table.write_text(text.replace(place, ROW))

    support = str(Path(__file__).parents[1] / "support")
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, support],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(copy.parent)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["package"] == str(copy / "__init__.py")
    assert found["default"] == 0.0
    assert "--dampening X" in found["help"]
    words = "Dampening of SGD. [a number of 0 or more; default: 0.0]"
    assert words in " ".join(found["help"].split())
    assert f"dampening: {words}" in " ".join(found["doc"].split())
    assert found["message"] == "dampening: expected a number of 0 or more, got -1"
    assert "<dt>dampening</dt><dd>0.9</dd>" in found["page"]

    # It enters keys and descriptions only where it changes something: stored cells stay valid.
    before = plan("mixup", seeds=1, samples_per_class=4).cells[0].key
    assert found["keys"][:2] == [before, before]
    assert found["keys"][2] != before
    assert "dampening" not in found["stored"][0]
    assert found["stored"][1]["dampening"] == 0.9
    assert "dampening: 0.5\n" in found["planned"]
