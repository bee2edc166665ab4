"""`augbench new`."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from augbench.cli._streams import echo
from augbench.cli._templates import TEMPLATES
from augbench.errors import UsageError

if TYPE_CHECKING:
    from augbench.cli._templates._template import Template
    from augbench.plugins.components import Kind

__all__ = ["new_command"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
_LONGEST = 30


@click.command("new")
@click.argument("kind", type=click.Choice(list(TEMPLATES)))
@click.argument("name")
@click.option("--single-file", is_flag=True, help="Write one file for --plugin, no distribution.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to write into.  [default: this one]",
)
def new_command(kind: Kind, name: str, single_file: bool, out: Path) -> None:
    """Write a new plugin that works: a small installable distribution, with a test.

    NAME is what users will write after --aug, --backbone, or --pre-train-dataset and
    --finetune-dataset, or for the corruption. Nothing is ever overwritten.
    """
    template = TEMPLATES[kind]
    words = _words(template, name)
    files = template.single_file() if single_file else template.distribution()
    target = out / (f"{words['MODULE']}.py" if single_file else name)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already: choose another name, or another --out")
    try:
        for path, text in files.items():
            place = target if single_file else target / _filled(path, words)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("x", encoding="utf-8") as file:
                file.write(_filled(text, words))
            echo(f"wrote {place}")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror or error}") from None

    echo("\nNow:")
    verb, _, options = _filled(template.examples[0], words).partition(" ")
    if single_file:
        echo(f"  augbench check {target}\n  augbench {verb} --plugin {target} {options}")
    else:
        echo(f'  pip install --editable "{target}[test]"')
        echo(f"  augbench check {name}\n  augbench {verb} {options}")


def _words(template: Template, name: str) -> dict[str, str]:
    """The names that follow from a component's; raises `UsageError` for one that cannot be used."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"a name starts with a letter and consists of at most {_LONGEST} letters and digits, "
            f"with single '-' or '_' between them, as in my-mix; got {name!r}"
        )
    from augbench.plugins.registry import Registry

    module = re.sub("[-_]", "_", name).lower()
    if name == "all" or name in Registry.load().names(template.kind):
        raise UsageError(f"there is {template.noun} {name!r} already: choose another name")
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise UsageError(
            f"{name!r} would become the module {module!r}, which Python has already: "
            "choose another name"
        )
    parts = re.split("[-_]", name)
    return {"NAME": name, "MODULE": module, "CLASS": "".join(p[:1].upper() + p[1:] for p in parts)}


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
