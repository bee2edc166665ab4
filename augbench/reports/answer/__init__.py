"""The answer of a study in some twenty lines: what to use where, by how much, how sure that is.

`answer_of` reads it of a study's results; `answer_lines` writes it as plain text, for a terminal, a
notebook or a file. Everything else that a report holds stands behind it.
"""

from __future__ import annotations

from augbench.reports.answer._answer import Answer, Means, Point, Row, answer_of
from augbench.reports.answer._lines import AnswerTable, answer_lines, answer_table, headline_lines

__all__ = [
    "Answer",
    "AnswerTable",
    "Means",
    "Point",
    "Row",
    "answer_lines",
    "answer_of",
    "answer_table",
    "headline_lines",
]
