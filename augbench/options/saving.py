"""Write a study to a file of TOML that `study_file` reads."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from augbench.errors import OptionError
from augbench.options.arms import Arms, ArmSpec
from augbench.options.file_paths import to_file
from augbench.options.groups.files import FILES
from augbench.options.groups.machine import MACHINE
from augbench.options.option import Option, short
from augbench.options.study_file import REQUIRES, shown
from augbench.options.table import Options, grouped

__all__ = ["study_text", "write_study"]

_HEAD = """\
A study of AugBench: `augbench run {name}` computes it, or goes on with it.
An option on the command line wins over this file. Paths are relative to the file's folder.
"""
_RECIPE = "all of its values are written here, and win: remove those that it is to set"


def write_study(options: Options, path: Path, requires: Mapping[str, str]) -> None:
    """Write the options to a new file; raises `OptionError`.

    A file that says the same already is left as it is, so that a command can be given twice.
    """
    try:
        text = study_text(options, path, requires).encode()
    except UnicodeEncodeError as error:
        lost = short(error.object[error.start : error.end])
        raise OptionError(f"a study file cannot hold {lost}: it is no character") from None
    try:
        if path.exists():
            if path.is_file() and path.read_bytes() == text:
                return
            raise OptionError(
                f"{shown(path)} is there already, with other contents; remove it, or name "
                "another file"
            )
        _write(path, text)
    except (OSError, ValueError) as error:
        if isinstance(error, OptionError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionError(f"cannot write the study file {shown(path)}: {reason}") from None


def study_text(options: Options, path: Path, requires: Mapping[str, str]) -> str:
    """The contents of a study file at `path`.

    What is compared and how it is trained is written out, defaults too: a later version may have
    other defaults, or another recipe of that name. Where it runs is told where it is not left to
    the machine.
    """
    import tomlkit

    document = tomlkit.document()
    for line in _HEAD.format(name=path.name).splitlines():
        document.add(tomlkit.comment(line))
    for heading, group in grouped(Options).items():
        told = [option for option in group.values() if _is_told(options, option, heading)]
        if told:
            document.add(tomlkit.nl())
            document.add(tomlkit.comment(heading))
        for option in told:
            moved = to_file(option.name, getattr(options, option.name), path.parent)
            value = tomlkit.item(_toml(moved))
            if option.name == "recipe" and moved != Options.recipe:
                value.comment(_RECIPE)
            document.add(option.name, value)
    if options.arms:
        document.add("arm", tomlkit.item([_arm(arm) for arm in options.arms]))
    if requires:
        document.add(REQUIRES, tomlkit.item(dict(requires)))
    return tomlkit.dumps(document)


def _arm(arm: ArmSpec) -> dict[str, Any]:
    """An arm as the table of its words."""
    base = {"base": arm.base} if arm.base else {}
    own = {name: _toml(value) for name, value in arm.settings}
    return {"name": arm.name, "aug": arm.augmentations, **base, **own}


def _is_told(options: Options, option: Option[Any, Any], heading: str) -> bool:
    """True for an option that a file names; an empty one, or None, only where that is news."""
    if isinstance(option, Arms):  # tables stand at the end of a file
        return False
    if option.name == "pretrain_steps" and options.epochs:
        return False
    value = getattr(options, option.name)
    if value != _otherwise(options, option):
        return True
    return heading not in (MACHINE, FILES) and value not in (None, ())


def _otherwise(options: Options, option: Option[Any, Any]) -> Any:
    """The value of an option that a file does not name."""
    recipe = Options(
        recipe=options.recipe,
        optimizer=options.optimizer,
        finetune_optimizer=options.finetune_optimizer,
    )
    return getattr(recipe, option.name)


def _toml(value: Any) -> Any:
    """A value as TOML has it: a list for a tuple, a text for a path, false for None."""
    if value is None:
        return False
    if isinstance(value, tuple):
        return list(value)
    return value.as_posix() if isinstance(value, Path) else value


def _write(path: Path, text: bytes) -> None:
    """Write beside the file and rename, so that no half of it is ever there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
