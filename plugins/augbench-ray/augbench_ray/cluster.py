"""The connection to a Ray cluster: quiet, and one line where there is none."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from augbench.environment import cuda_devices
from augbench.errors import UsageError
from augbench.executors.threads import cores

__all__ = ["Cluster", "Room", "connected", "local_room", "useful_nodes"]

_REACH = 5.0  # seconds to reach the cluster's head

_LOOPBACK = "127.0.0.2"  # nobody else hears it; for 127.0.0.1, Ray takes the network's address

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass(frozen=True)
class Room:
    """What a cluster holds: its nodes that live, and the workers that they can hold."""

    nodes: int
    workers: int


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to."""

    address: str

    def room(self, cpus: float, gpus: float) -> Room:
        """Its room for workers of so many CPUs and GPUs; raises `UsageError` if there is none."""
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return _room(nodes, cpus, gpus, f"the Ray cluster at {self.address}")


def useful_nodes(cpus: float, gpus: float) -> set[str]:
    """Ray's ids of the nodes that live and can hold such a worker."""
    import ray

    return {
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and _holds(node["Resources"], cpus, gpus)
    }


def local_room(cpus: float, gpus: float) -> Room:
    """The room of a cluster of this machine alone; raises `UsageError` if there is none."""
    return _room([{"CPU": cores(), "GPU": cuda_devices()}], cpus, gpus, "Ray on this machine")


def _room(nodes: list[dict[str, float]], cpus: float, gpus: float, where: str) -> Room:
    workers = sum(_holds(node, cpus, gpus) for node in nodes)
    if not workers:
        share = f"{cpus:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
        raise UsageError(
            f"no node of {where} can hold a worker of {share} (the largest of {len(nodes)} has "
            f"{_most(nodes, 'CPU')} CPU and {_most(nodes, 'GPU')} GPU); ask for less with "
            "--executor ray:cpus=…,gpus=…"
        )
    return Room(len(nodes), workers)


def _holds(node: dict[str, float], cpus: float, gpus: float) -> int:
    by_cpu = node.get("CPU", 0.0) / cpus
    return int(min(by_cpu, node.get("GPU", 0.0) / gpus) if gpus else by_cpu)


def _most(nodes: list[dict[str, float]], resource: str) -> str:
    return f"{max((node.get(resource, 0.0) for node in nodes), default=0.0):g}"


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Be connected to the cluster at an address; raises `UsageError` if it cannot be reached.

    A connection that this process has already is used, and kept.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield Cluster(address)
        return
    found = "local" if address == "local" else _reachable(address)
    options: dict[str, Any] = (
        {"include_dashboard": False, "_node_ip_address": _LOOPBACK, "num_cpus": cores()}
        if found == "local"
        else {}
    )
    handlers = _Handlers()
    try:
        ray.init(
            address=found,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            namespace="augbench",
            **options,
        )
    except Exception as error:  # of many kinds, RuntimeError for another version of Python or Ray
        raise UsageError(f"Ray at {found} cannot be used: {_first_line(error)}") from error
    finally:
        handlers.restore()
    try:
        yield Cluster(found)
    finally:
        ray.shutdown()
        handlers.restore()


class _Handlers:
    """The signal handlers of this process, which Ray replaces."""

    def __init__(self) -> None:
        self._main = threading.current_thread() is threading.main_thread()
        self._kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}

    def restore(self) -> None:
        """Put them back."""
        for number, handler in self._kept.items():
            # Once a signal has come, whoever took it has decided about the next ones.
            if self._main and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


def _reachable(address: str) -> str:
    """The address as host:port, which answers; Ray itself would try for minutes."""
    found = address
    if address == "auto":
        from ray._private.services import get_ray_address_from_environment

        found = get_ray_address_from_environment("auto", None) or ""
        if not found:
            raise UsageError(
                "no Ray cluster runs on this machine: start one with `ray start --head`, name one "
                "with --executor ray:address=host:port, or use ray:address=local"
            )
    host, _, port = found.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"ray: expected address as auto, local or host:port, got {found!r}")
    if host in ("127.0.0.1", "localhost"):
        import ray

        # Ray does so as well, wherever the head listens.
        host = ray.util.get_node_ip_address()
    try:
        socket.create_connection((host, int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster answers at {host}:{port} ({error}); `ray status` tells whether it runs"
        ) from error
    return f"{host}:{port}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
