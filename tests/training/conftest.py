"""Fixtures of the laboratory; see `tests/support/lab.py`."""

from lab import _one_thread, _packings_are_chosen_once, agree, lab, session_lab

__all__ = ["_one_thread", "_packings_are_chosen_once", "agree", "lab", "session_lab"]
