"""Installed distributions, as importlib.metadata sees them: a `*.dist-info` beside its modules."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def _forget_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules imported by a test are gone afterwards, and strictness is what the test says."""
    monkeypatch.delenv("AUGBENCH_STRICT_PLUGINS", raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        # From its own attributes: torch.classes answers to every name.
        own = vars(module)
        places = [own.get("__file__"), *(own.get("__path__") or [])]
        if name == "made_up" or any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install("my-dist", "my_module.py source", …)` installs a distribution with a plugin.

    `files` maps paths to sources; without them, `source` becomes the plugin's only module.
    """

    def install(
        distribution: str,
        source: str = "",
        *,
        version: str = "1.0",
        files: dict[str, str] | None = None,
        points: dict[str, str] | None = None,
    ) -> Path:
        site = tmp_path / f"site-{distribution}"
        module = distribution.replace("-", "_")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        for name, text in (files or {f"{module}.py": source}).items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(textwrap.dedent(text))
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        lines = [f"{name} = {value}" for name, value in (points or {distribution: module}).items()]
        (info / "entry_points.txt").write_text("\n".join(["[augbench]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        return site

    return install


@pytest.fixture
def plugin_source() -> Callable[..., str]:
    """The source of a plugin that registers a working augmentation under each name."""

    def source(*names: str, head: str = "", body: str = "") -> str:
        calls = "\n".join(f"    register({name!r}, Aug)" for name in names)
        return f"""\
from augbench.plugins import hookimpl
{textwrap.dedent(head)}
class Aug:
    \"\"\"An augmentation for tests.\"\"\"
    sources = 2
    def __call__(self, x_i, x_j, *, rng):
        return x_i, x_i.new_ones(len(x_i))
@hookimpl
def register_augmentations(register):
{calls}
{textwrap.indent(textwrap.dedent(body), "    ")}
"""

    return source
