"""The components of this distribution; free of submitit."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_executors"]


@hookimpl
def register_executors(register: Callable[[str, str], None]) -> None:
    """Register the one executor."""
    register("submitit", "augbench_submitit.executor:executor")
