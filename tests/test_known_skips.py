"""`.ci/run` fails for a skip whose reason is not on its list."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
SUPPORT = str(Path(__file__).parent / "support")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SUPPORT)


SKIPPING = """
import pytest
@pytest.mark.skipif(True, reason="needs a GPU")
def test_on_a_gpu(): ...
def test_with_a_library():
    pytest.importorskip("no_such_library", reason="no_such_library is not installed")
@pytest.mark.xfail(reason="as expected")
def test_that_fails(): assert False
def test_that_passes(): ...
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_skip_for_another_reason_fails_the_run(pytester, workers):
    pytester.makepyfile(SKIPPING)
    options = ("-p", "known_skips", "-n", workers, "-p", "no:cacheprovider")
    result = pytester.runpytest_subprocess(*options, "--may-skip", "a GPU")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, skipped=2, xfailed=1)
    result.stdout.fnmatch_lines(
        ["*test_with_a_library: *no_such_library is not installed", "*1 passed, 2 skipped*"]
    )
    assert "test_on_a_gpu: " not in result.stdout.str()


def test_skips_on_the_list_pass(pytester):
    pytester.makepyfile(SKIPPING)
    options = ("-p", "known_skips", "-n", "0", "-p", "no:cacheprovider")
    result = pytester.runpytest_inprocess(
        *options, "--may-skip", "a GPU", "--may-skip", "is not installed$"
    )
    assert result.ret == pytest.ExitCode.OK


def test_a_whole_file_that_is_skipped_counts(pytester):
    pytester.makepyfile("import pytest\npytest.skip('not today', allow_module_level=True)")
    result = pytester.runpytest_inprocess("-p", "known_skips", "-n", "0", "-p", "no:cacheprovider")
    assert result.ret != pytest.ExitCode.OK
    assert "not today" in result.stdout.str()
