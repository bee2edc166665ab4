"""The components of this distribution; free of Ray."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_executors"]


@hookimpl
def register_executors(register: Callable[[str, str], None]) -> None:
    """Register the one executor."""
    register("ray", "augbench_ray.executor:executor")
