import pytest

from augbench.testing import _calls


@pytest.fixture
def few_examples(monkeypatch):
    """Every search tries six inputs at most: enough to see that a check has an outcome."""
    search = _calls.smallest_failure

    def short(*arguments, examples, **how):
        return search(*arguments, examples=min(examples, 6), **how)

    monkeypatch.setattr(_calls, "smallest_failure", short)
