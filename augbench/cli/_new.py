"""`augbench new`."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

import click

from augbench.errors import UsageError

__all__ = ["new_command"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
_LONGEST = 30


@click.command("new")
@click.argument("kind", type=click.Choice(["augmentation"]))
@click.argument("name")
@click.option("--single-file", is_flag=True, help="Write one file for --plugin, no distribution.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to write into.  [default: this one]",
)
def new_command(kind: str, name: str, single_file: bool, out: Path) -> None:
    """Write a new plugin that works: a small installable distribution, with a test.

    NAME is what users will write after --aug. Nothing is ever overwritten.
    """
    from augbench.cli import _templates

    words = _words(name)
    files = _templates.SINGLE_FILE if single_file else _templates.DISTRIBUTION
    target = out / (f"{words['MODULE']}.py" if single_file else name)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already: choose another name, or another --out")
    try:
        for path, text in files.items():
            place = target if single_file else target / _filled(path, words)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("x", encoding="utf-8") as file:
                file.write(_filled(text, words))
            click.echo(f"wrote {place}")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror or error}") from None

    click.echo("\nNow:")
    if single_file:
        check = f"augbench check {target}"
        preview = f"augbench preview --plugin {target} --aug {name}"
    else:
        click.echo(f'  pip install --editable "{target}[test]"')
        check, preview = f"augbench check {name}", f"augbench preview --aug {name}"
    click.echo(f"  {check}\n  {preview}")


def _words(name: str) -> dict[str, str]:
    """The names that follow from one; raises `UsageError` for one that cannot be used."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"a name starts with a letter and consists of at most {_LONGEST} letters and digits, "
            f"with single '-' or '_' between them, as in my-mix; got {name!r}"
        )
    from augbench.plugins.registry import Registry

    module = re.sub("[-_]", "_", name).lower()
    if name == "all" or name in Registry.load().names("augmentation"):
        raise UsageError(f"there is an augmentation {name!r} already: choose another name")
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
