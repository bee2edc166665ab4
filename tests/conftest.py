import contextlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# Before torch is imported: its threads would fight over the cores with the workers of tests.
os.environ["OMP_NUM_THREADS"] = "1"

# No test is timed: a busy machine is no fault of what it computes.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TINY = Path(__file__).parent / "support" / "tiny.py"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory, pytestconfig):
    """A cache folder for all processes of the session; compiled kernels stay for the next one.

    Their names hold a digest of the sources that write them, so that no stale one is ever used.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    kept = getattr(pytestconfig, "cache", None)  # `-p no:cacheprovider` has none
    if kept is not None:
        with contextlib.suppress(OSError):  # another process has made the link
            (folder / "kernels").symlink_to(kept.mkdir("augbench-kernels"))
    return folder


@pytest.fixture(autouse=True)
def _own_cache(shared_cache, monkeypatch):
    """Tests neither read nor fill the user's cache."""
    monkeypatch.setenv("AUGBENCH_CACHE", str(shared_cache))


@pytest.fixture(autouse=True, scope="session")
def _template():
    """Child processes are copies of one that has imported torch: see `template`."""
    from template import POSSIBLE, Template

    if not POSSIBLE:
        yield
        return
    from augbench.executors import child

    template = Template()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "subprocess", template)
        yield
    template.close()


@pytest.fixture
def fresh_interpreters(monkeypatch):
    """Child processes start as they do for a user."""
    from augbench.executors import child

    monkeypatch.setattr(child, "subprocess", subprocess)


@pytest.fixture
def only_built_in(monkeypatch):
    """Hide the plugins that this environment has; those that a test installs itself are seen."""
    every = importlib.metadata.distributions
    entry_points = importlib.metadata.entry_points(group="augbench")
    hidden = {point.dist.name for point in entry_points} - {"augbench"}
    monkeypatch.setattr(
        importlib.metadata,
        "distributions",
        lambda **kwargs: (d for d in every(**kwargs) if d.name not in hidden),
    )


@pytest.fixture
def few_examples(monkeypatch):
    """Checks of conformance try six inputs at most: enough to see that each has an outcome."""
    from augbench.testing import _calls, _corruption_calls

    search = _calls.smallest_failure

    def short(*arguments, examples, **how):
        return search(*arguments, examples=min(examples, 6), **how)

    for module in (_calls, _corruption_calls):
        monkeypatch.setattr(module, "smallest_failure", short)


@pytest.fixture
def figures_as_svg(monkeypatch):
    """Figures that would be files of three formats are one, at a third of the time."""
    from augbench import plotting

    def short(figure, path, formats=plotting.FORMATS):
        return save(figure, path, ("svg",) if "svg" in formats else formats)

    save = plotting.save_figure
    monkeypatch.setattr(plotting, "save_figure", short)


@pytest.fixture
def figures_by_name(figures_as_svg, monkeypatch):
    """Figures are not arranged either, where all that is asked is which there are."""
    from augbench import plotting

    def unarranged(figure, path, formats=plotting.FORMATS):
        figure.set_layout_engine("none")
        return save(figure, path, formats)

    save = plotting.save_figure
    monkeypatch.setattr(plotting, "save_figure", unarranged)


@pytest.fixture
def tiny_options(tmp_path):
    """A study of a few seconds on the tiny data sets, computed in this process."""
    from augbench import Options

    return Options(
        augmentations=("mixup",),
        pretrain_datasets=("tiny-a",),
        finetune_datasets=("tiny-b",),
        samples_per_class=(1, 4),
        seeds=2,
        batch_size=4,
        pretrain_steps=8,
        finetune_steps=8,
        finetune_samples_per_class=5,
        workers=0,
        out=tmp_path / "out",
        plugins=(str(TINY),),
    )


@pytest.fixture
def augbench(capsys, monkeypatch):
    """Run the command line in this process; returns (exit code, output, errors)."""
    from augbench.cli import main

    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["augbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


@pytest.fixture
def no_children(monkeypatch):
    """Data sets are looked at in this process: a plan would start two."""
    from photographs import InThisProcess

    for module in ("augbench.proposing.folders", "augbench.running.inspecting"):
        monkeypatch.setattr(f"{module}.Isolated", InThisProcess)
