"""Completion by the shell: names of components and words of options, after the last comma."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from augbench.options import Option

if TYPE_CHECKING:
    from augbench.plugins.components import Kind

__all__ = ["complete_component", "complete_dataset", "completions"]

_KINDS: dict[str, Kind] = {
    "augmentations": "augmentation",
    "base": "augmentation",
    "baseline": "augmentation",
    "pretrain_datasets": "dataset",
    "finetune_datasets": "dataset",
    "backbone": "backbone",
    "executor": "executor",
    "shift": "corruption",
}
"""The kind of component that each option names."""

_PATHS = {"out": "dir", "data_root": "dir", "plugins": "file"}


def completions(name: str, option: Option[Any, Any] | None, typed: str) -> list[CompletionItem]:
    """The values of an option that begin as what is typed; several stand between commas."""
    if name in _PATHS:
        return [CompletionItem(typed, type=_PATHS[name])]
    known = getattr(option, "choices", ())
    if name in _KINDS:
        known = _names_of([_KINDS[name]])
    before, comma, last = typed.rpartition(",")
    return [CompletionItem(before + comma + one) for one in known if one.startswith(last)]


def complete_dataset(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The data sets whose names begin as what is typed."""
    return completions("pretrain_datasets", None, incomplete)


def complete_component(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The components of any kind whose names begin as what is typed."""
    from augbench.plugins.components import WORDS

    return [CompletionItem(name) for name in _names_of(WORDS) if name.startswith(incomplete)]


def _names_of(kinds: Iterable[Kind]) -> list[str]:
    from augbench.plugins.registry import Registry

    registry = Registry.load()
    return [name for kind in kinds for name in registry.names(kind)]
