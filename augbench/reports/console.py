"""The terminal as reports print to it: names from outside are text and nothing else."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.markup import escape
from rich.text import Text

from augbench.text import escaped, shown

__all__ = ["Console", "plain"]


class Console(rich.console.Console):
    """A console in which no name moves the cursor, turns letters round, or becomes a picture."""

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's own; whatever is printed as a string, in a table or alone, passes here."""
        # A long word is not cut where it may hold markup, which has to stay whole.
        plain = options.get("markup") is False
        return super().render_str(shown(text) if plain else escaped(text), **options)


def plain(text: str) -> str:
    """A text from outside as markup that says just this, its long words cut in the middle."""
    return escape(shown(text))
