"""Everything that AugBench raises on purpose.

```
AugbenchError                  one clear line: what was expected, what came, what to do
├── UsageError                 what the user gave cannot be used (exit code 2)
│   ├── UnknownNameError       no such augmentation, backbone or data set
│   ├── ParameterError         a malformed, unknown or refused parameter
│   ├── StudyError             the study cannot be carried out as asked
│   │   ├── OptionError        an option that is unknown, of the wrong type or out of range
│   │   └── StudyProblems      several of these at once, a line each
│   ├── DatasetError           images that are missing, corrupted or unfit
│   └── StoreError             a store that cannot be read or written
│       └── StoreBusyError     a store that cannot be used at the moment: trying again may help
├── PluginError                a plugin failed to load
├── ContractError              a plugin returned what its contract does not allow
├── DivergedError              a training's loss is no finite number any more
└── CellsFailedError           the study ended, but some of its cells failed (exit code 1)
```

Two `UserWarning`s, one line each: `StoreWarning` tells what a store had to do about damage, and
`StudyWarning` what may be wrong with a study's data sets, options or plugins; it runs all the same.
"""

from __future__ import annotations

__all__ = [
    "AugbenchError",
    "CellsFailedError",
    "ContractError",
    "DatasetError",
    "DivergedError",
    "OptionError",
    "ParameterError",
    "PluginError",
    "StoreBusyError",
    "StoreError",
    "StoreWarning",
    "StudyError",
    "StudyProblems",
    "StudyWarning",
    "UnknownNameError",
    "UsageError",
]


class AugbenchError(Exception):
    """The root: its text is one line that a user can act on."""

    exit_code = 1


class UsageError(AugbenchError, ValueError):
    """An input of the user's cannot be used."""

    exit_code = 2


class UnknownNameError(UsageError):
    """No augmentation, backbone or data set of that name is installed."""


class ParameterError(UsageError):
    """A parameter is malformed, unknown to its component, or refused by it."""


class StudyError(UsageError):
    """The study cannot be carried out as asked, for example with more images than there are."""


class OptionError(StudyError):
    """An option of the study is unknown, given twice, of the wrong type or out of range.

    `option` is its name in Python, where that is known.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class StudyProblems(StudyError):
    """Several problems of a study, found together: the text has a line for each."""


class DatasetError(UsageError):
    """A data set is missing, corrupted, or does not fit the study."""


class StoreError(UsageError):
    """A store cannot be read or written."""


class StoreBusyError(StoreError):
    """A store is locked, its disk is full or out of reach: trying again may help."""


class StoreWarning(UserWarning):
    """A store is damaged or was moved, and what became of it."""


class StudyWarning(UserWarning):
    """Something may be wrong with a study's data sets, options or plugins; it runs all the same."""


class PluginError(AugbenchError):
    """A plugin could not be loaded."""


class ContractError(AugbenchError):
    """A plugin returned what its contract does not allow."""


class DivergedError(AugbenchError):
    """A training whose loss is no longer a finite number."""


class CellsFailedError(AugbenchError):
    """The study ended, but some of its cells failed; the others are stored."""
