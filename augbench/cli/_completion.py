"""Completion by the shell: names of components and words of options, after the last comma."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from augbench.options import Option

if TYPE_CHECKING:
    from augbench.plugins.components import Kind

__all__ = ["completions", "names_of"]

_KINDS: dict[str, Kind] = {
    "augmentations": "augmentation",
    "base": "augmentation",
    "baseline": "augmentation",
    "pretrain_datasets": "dataset",
    "finetune_datasets": "dataset",
    "dataset": "dataset",
    "backbone": "backbone",
    "executor": "executor",
    "corruptions": "corruption",
}
"""The kind of component that each option names."""

_PATHS = {"out": "dir", "data_root": "dir", "plugins": "file"}


def completions(name: str, option: Option[Any, Any] | None, typed: str) -> list[CompletionItem]:
    """The values of an option that begin as what is typed; several stand between commas."""
    if name in _PATHS:
        return [CompletionItem(typed, type=_PATHS[name])]
    known = getattr(option, "choices", None) or names_of(_KINDS.get(name))
    before, comma, last = typed.rpartition(",")
    return [CompletionItem(before + comma + one) for one in known if one.startswith(last)]


def names_of(kind: Kind | None) -> Iterable[str]:
    """The names of the installed components of a kind, in order; none of no kind."""
    if kind is None:
        return ()
    from augbench.plugins.registry import Registry

    return Registry.load().names(kind)
