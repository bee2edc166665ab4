from __future__ import annotations

import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
