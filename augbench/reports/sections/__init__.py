"""The sections of a report, one file each: page, terminal and figures are made of them.

A new section is a file with a subclass of `Section`, and its line in `SECTIONS`.
"""

from __future__ import annotations

from augbench.reports.sections._section import (
    NamedFigure,
    Paragraph,
    Report,
    Section,
    view_slug,
)
from augbench.reports.sections.accuracy import Accuracy
from augbench.reports.sections.across_pairs import AcrossPairs
from augbench.reports.sections.answer import Summary
from augbench.reports.sections.best import Best
from augbench.reports.sections.budgets import Budgets
from augbench.reports.sections.calibration import Calibration
from augbench.reports.sections.cells import Cells
from augbench.reports.sections.classes import Classes
from augbench.reports.sections.convergence import Convergence
from augbench.reports.sections.cost import Cost
from augbench.reports.sections.data import Data
from augbench.reports.sections.effects import Effects
from augbench.reports.sections.environment import Environment
from augbench.reports.sections.gallery import Gallery
from augbench.reports.sections.heat_map import HeatMap
from augbench.reports.sections.learning_curves import LearningCurves
from augbench.reports.sections.multipliers import Multipliers
from augbench.reports.sections.other_budgets import OtherBudgets
from augbench.reports.sections.parameters import Parameters
from augbench.reports.sections.readouts import Readouts
from augbench.reports.sections.settings import Settings
from augbench.reports.sections.shift import Shift, ShiftEffects, ShiftMultipliers
from augbench.reports.sections.sizes import Sizes
from augbench.reports.sections.training_curves import TrainingCurves
from augbench.reports.sections.transfer import Transfer
from augbench.reports.sections.tuning import Tuning
from augbench.reports.sections.tuning_choices import TuningChoices
from augbench.reports.sections.tuning_effects import TuningEffects
from augbench.reports.sections.tuning_parameters import TuningParameters
from augbench.reports.sections.tuning_trials import TuningTrials
from augbench.reports.sections.verdicts import Verdicts

__all__ = ["SECTIONS", "NamedFigure", "Paragraph", "Report", "Section", "view_slug"]

SECTIONS: tuple[Section, ...] = (
    Summary(),
    Verdicts(),
    Best(),
    LearningCurves(),
    HeatMap(),
    Budgets(),
    OtherBudgets(),
    Readouts(),
    Tuning(),
    TuningEffects(),
    TuningChoices(),
    TuningTrials(),
    TuningParameters(),
    Convergence(),
    Effects(),
    Sizes(),
    Multipliers(),
    Accuracy(),
    Parameters(),
    Cost(),
    Calibration(),
    Shift(),
    ShiftEffects(),
    ShiftMultipliers(),
    Classes(),
    Transfer(),
    AcrossPairs(),
    Gallery(),
    Cells(),
    TrainingCurves(),
    Settings(),
    Environment(),
    Data(),
)
"""In the order in which they stand in a report."""
