"""The options of a study: `settings` and `groups` declare them, `table` joins them.

Everything else here serves them to a surface.

Light: no surface may pay for NumPy or torch to learn what an option is called.
"""

from __future__ import annotations

from augbench.options.arms import ArmSpec
from augbench.options.calling import TakesOptions, made_from, takes_options
from augbench.options.kinds import MOST
from augbench.options.option import PREFIXES, KeyEntry, Option, Training, option_table, options_of
from augbench.options.problems import Origin, Problems
from augbench.options.recipes import RECIPES, filled_from_recipe
from augbench.options.reporting import differing, reported, titled
from augbench.options.requirements import at_least
from augbench.options.settings import Settings
from augbench.options.spelling import named, spelling, written_as
from augbench.options.table import NO_DATASET, Options, grouped

__all__ = [
    "MOST",
    "NO_DATASET",
    "PREFIXES",
    "RECIPES",
    "ArmSpec",
    "KeyEntry",
    "Option",
    "Options",
    "Origin",
    "Problems",
    "Settings",
    "TakesOptions",
    "Training",
    "at_least",
    "differing",
    "filled_from_recipe",
    "grouped",
    "made_from",
    "named",
    "option_table",
    "options_of",
    "reported",
    "spelling",
    "takes_options",
    "titled",
    "written_as",
]
