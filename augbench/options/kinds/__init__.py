"""The kinds of options: what may be given, what is kept, and how a range reads."""

from __future__ import annotations

from augbench.options.kinds.folders import Folder, OptionalFolder
from augbench.options.kinds.lists import Shares, Sizes
from augbench.options.kinds.names import Name, Names, OptionalName
from augbench.options.kinds.numbers import MOST, Count, Number, OptionalCount, OptionalNumber
from augbench.options.kinds.words import Choice, Switch, Words

__all__ = [
    "MOST",
    "Choice",
    "Count",
    "Folder",
    "Name",
    "Names",
    "Number",
    "OptionalCount",
    "OptionalFolder",
    "OptionalName",
    "OptionalNumber",
    "Shares",
    "Sizes",
    "Switch",
    "Words",
]
