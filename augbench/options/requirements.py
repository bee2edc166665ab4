"""The distributions that a study needs, in versions that it can be run with."""

from __future__ import annotations

import sys
from typing import Any

from augbench import __version__
from augbench.errors import OptionError
from augbench.options.option import short

__all__ = ["at_least", "check_requirement"]


def check_requirement(distribution: str, specifier: Any) -> None:
    """Raise `OptionError` unless a distribution is installed in a version that fits.

    `specifier` is one of PEP 440, such as `>=0.2,<1`, or "" for any version.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import InvalidName, canonicalize_name
    from packaging.version import InvalidVersion

    try:
        name = canonicalize_name(distribution, validate=True)
        wanted = SpecifierSet(specifier)
    except InvalidName:
        raise OptionError(f"{short(distribution)} is no name of a distribution") from None
    except (InvalidSpecifier, TypeError, AttributeError):
        raise OptionError(
            f'{distribution}: expected a version such as ">=0.2", or "" for any, '
            f"got {short(specifier)}"
        ) from None
    install = f"pip install {_quoted(f'{distribution}{wanted}')}"
    version = _installed(name)
    if version is None:
        raise OptionError(f"{distribution} is not installed; install it: {install}")
    try:
        fits = wanted.contains(version, prereleases=True)
    except InvalidVersion:
        fits = not str(wanted)
    if not fits:
        raise OptionError(
            f"the study requires {distribution} {wanted}, and {version or 'no version'} is "
            f"installed; install another: {install}"
        )


def at_least(version: str) -> str:
    """The specifier of a version and later ones; "" where the version is not one of PEP 440."""
    from packaging.version import InvalidVersion, Version

    try:
        return f">={Version(version).public}"
    except InvalidVersion:
        return ""


def _installed(name: str) -> str | None:
    if name == "augbench":  # also where it is a checkout, not installed
        return __version__
    import importlib.metadata  # late: it imports half of `email`

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _quoted(text: str) -> str:
    """An argument for a shell: `<` and `>` would redirect. cmd.exe knows double quotes only."""
    mark = '"' if sys.platform == "win32" else "'"
    return f"{mark}{text}{mark}" if set(text) & set("<>=!~,* ") else text
