"""The file that a parent and its child process share."""

import os
import queue
import tempfile

import pytest

from augbench.executors.child import Child, Ended


@pytest.mark.skipif(os.name != "posix", reason="a mapped file keeps its name there")
def test_its_name_is_gone_before_the_child_does_anything(tmp_path, monkeypatch):
    # So that a run which is killed leaves nothing in the folder for temporary files.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inbox = queue.SimpleQueue()
    child = Child("operator:is_", inbox)  # it compares what it is given, and ends
    try:
        _, end = inbox.get(timeout=60)
        assert isinstance(end, Ended)
        assert list(tmp_path.iterdir()) == []
        assert child.place is None
    finally:
        child.close()
