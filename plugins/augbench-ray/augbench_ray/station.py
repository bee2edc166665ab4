"""The part that Ray starts on a node: it tells its versions before anything is imported there.

Ray sends this module by its content, so that a node that lacks this very distribution, or AugBench,
can say so. Everything else is imported once the versions agree.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from augbench.protocol.study import Cell

__all__ = ["Station", "versions_of"]


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """The version of Python and of each distribution, "" for one that is not installed.

    AugBench's own has a digest of its source added: an installation from source keeps its number.
    """
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    spec = importlib.util.find_spec("augbench")
    if "augbench" in found and spec is not None and spec.origin:
        digest, top = hashlib.sha256(), Path(spec.origin).parent
        for path in sorted(top.rglob("*.py")):
            source = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{path.relative_to(top).as_posix()}\0{len(source)}\0".encode() + source)
        text = f"{found['augbench']} (source {digest.hexdigest()[:8]})"
        found["augbench"] = text.strip()
    return found


class Station:
    """One worker's place on a node: an actor, whose methods the driver calls one by one."""

    def describe(self, distributions: tuple[str, ...]) -> tuple[str, str, dict[str, str]]:
        """The id of this node, its name, and the versions of what it has."""
        import ray

        context = ray.get_runtime_context()
        return context.get_node_id(), _node_name(), versions_of(distributions)

    def prepare(self, job: Any, files: Any) -> Any:
        """Take a job and its plugin files; see `Supervisor.prepare` for the answer."""
        from augbench_ray.supervisor import Supervisor

        self._supervisor = Supervisor(job, files)
        return self._supervisor.prepare()

    def take_dataset(self, content_hash: str, dataset: Any) -> None:
        """Take the images of a data set that this node lacks."""
        self._supervisor.take_dataset(content_hash, dataset)

    def train(self, pack: list[Cell]) -> Iterator[list[Any]]:
        """Train a pack; yields events, several at a time, as they come."""
        yield from self._supervisor.train(pack)

    def stop(self) -> None:
        """End in order."""
        self._supervisor.stop()


def _node_name() -> str:
    import ray

    return str(ray.util.get_node_ip_address())
