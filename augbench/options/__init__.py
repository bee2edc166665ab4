"""The options of a study: `table` declares them, everything else here serves them to a surface.

Light: no surface may pay for NumPy or torch to learn what an option is called.
"""

from __future__ import annotations

from augbench.options.calling import TakesOptions, made_from, takes_options
from augbench.options.option import KeyEntry, Option, options_of
from augbench.options.recipes import RECIPES, filled_from_recipe
from augbench.options.reporting import reported, titled
from augbench.options.spelling import named, spelling, written_as
from augbench.options.table import Options, Settings, grouped

__all__ = [
    "RECIPES",
    "KeyEntry",
    "Option",
    "Options",
    "Settings",
    "TakesOptions",
    "filled_from_recipe",
    "grouped",
    "made_from",
    "named",
    "options_of",
    "reported",
    "spelling",
    "takes_options",
    "titled",
    "written_as",
]
