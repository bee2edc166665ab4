"""Plugins that are files: their content travels, and stands on the node under the same name.

A file's name names its distribution, and its content enters the keys of cells; its folder does not.
"""

from __future__ import annotations

from pathlib import Path

from augbench.plugins.discovery import installed, normalized

__all__ = ["PluginFiles", "packed", "unpacked"]

PluginFiles = tuple[tuple[str, bytes | None], ...]
"""Each of a job's plugins in order, a file with its content."""


def packed(plugins: tuple[str, ...]) -> PluginFiles:
    """The plugins of a job, with the content of those that are files."""
    return tuple(
        (one, Path(one).read_bytes() if Path(one).is_absolute() else None) for one in plugins
    )


def unpacked(plugins: PluginFiles, folder: Path) -> tuple[str, ...]:
    """The plugins as this node finds them: a file that it lacks is written into the folder.

    One that blocks a plugin which is not installed here is left out.
    """
    here = {normalized(p.distribution) for p in installed()} | {p.name for p in installed()}
    found = []
    for number, (name, content) in enumerate(plugins):
        if content is None:
            if not name.startswith("no:") or {name[3:], normalized(name[3:])} & here:
                found.append(name)
            continue
        path = Path(name)
        if not path.is_file() or path.read_bytes() != content:
            path = folder / str(number) / path.name
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        found.append(str(path))
    return tuple(found)
