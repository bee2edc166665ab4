"""What is asked of an executor, and what becomes of a study whose executor forgets cells."""

from dataclasses import replace

from augbench.api import execute, plan

FORGETFUL = """
from augbench import hookimpl
from augbench.executors.serial import ThisProcess


class Forgetful(ThisProcess):
    def run(self, packs, job, emit):
        packs = list(packs)
        super().run([pack[1:] for pack in packs], job, emit)


@hookimpl
def register_executors(register):
    register("forgetful", Forgetful)
"""


def test_cells_that_an_executor_forgets_fail_and_the_study_ends(tiny_options, tmp_path):
    path = tmp_path / "forgetful.py"
    path.write_text(FORGETFUL)
    options = replace(
        tiny_options, executor="forgetful", plugins=(*tiny_options.plugins, str(path))
    )
    result = execute(plan(options))
    assert not result.missing
    assert 0 < len(result.failed) < len(result.cells)
    for cell in result.failed:
        assert cell.result.error.startswith("ExecutorError: the executor returned without")
