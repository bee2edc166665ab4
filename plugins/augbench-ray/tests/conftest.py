"""A real cluster of two nodes on this machine, heard by nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ["OMP_NUM_THREADS"] = "1"

PLUGIN = Path(__file__).parent / "small.py"
HOST = "127.0.0.2"  # heard on this machine alone; for 127.0.0.1, Ray takes another address


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


class TwoNodes:
    """A cluster whose head computes nothing, with two nodes of one CPU."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "node_ip_address": HOST,
                "include_dashboard": False,
                "object_store_memory": 80 * 2**20,
            },
        )
        self.nodes = [self.add() for _ in range(2)]
        self.address = self.cluster.address

    def add(self):
        return self.cluster.add_node(
            num_cpus=1, node_ip_address=HOST, object_store_memory=80 * 2**20
        )

    def kill(self, number: int) -> None:
        """End a node as a power cut does, until `start` puts another in its place."""
        self.cluster.remove_node(self.nodes[number], allow_graceful=False)

    def start(self, number: int) -> None:
        """Put a new node in the place of one that was killed; from the main thread alone."""
        self.nodes[number] = self.add()


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[TwoNodes]:
    made = TwoNodes()
    yield made
    made.cluster.shutdown()
