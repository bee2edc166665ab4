"""Matplotlib as all figures use it: palette, fonts, axes, legends, files that never differ.

Drawn on the Agg and SVG canvases directly: no display, no global state of pyplot, no font but
the ones that matplotlib ships.
"""

# ruff: noqa: E402 - the environment is looked at before the import of matplotlib

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from augbench.options import named
from augbench.text import file_name, shown
from augbench.writing import FileNames, save

# A backend that a notebook has put there, or nonsense, would end the import; none is used.
_backend = os.environ.pop("MPLBACKEND", None)
try:
    import matplotlib
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

__all__ = [
    "PALETTE",
    "REFERENCE",
    "X_LABEL",
    "Y_LABEL",
    "FileNames",
    "legend_above",
    "log2_axis",
    "one_line",
    "save_figure",
    "slug",
    "style",
    "wrapped",
]

# Okabe and Ito (2008), "Color universal design"; black is the baseline's.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
REFERENCE = "#666666"
"""The colour of zero lines, floors and ceilings."""

X_LABEL, Y_LABEL = 64, 42
"""Letters on one line of a label below and beside the axes of a figure of one column."""
_MOST_LINES = 4
_DPI = 200
_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a name may hold dollar signs
    "svg.fonttype": "path",  # text as outlines: no machine's fonts are asked for
    "svg.hashsalt": "augbench",  # the same bytes for the same figure
}


@contextmanager
def style() -> Iterator[None]:
    """The settings that every figure is made and saved under, whatever the user's own are."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type]  # its keys are literals
        # A sign that DejaVu lacks is drawn as a box: better than no figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def save_figure(figure: Figure, path: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write `path` with each format's suffix; raises `StoreError` if that is impossible."""
    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in formats]
    figure.dpi = _DPI
    with style():
        # Not `savefig`, which draws everything twice for each file to find its extent.
        for target in paths:
            save(
                target,
                partial(_print, figure, target.suffix),
                hint=f"name a writable folder with {named('out')}",
            )
            figure.set_layout_engine("none")  # arranged once
    return paths


def _print(figure: Figure, suffix: str, place: Path) -> None:
    print_file: Any  # matplotlib annotates neither
    if suffix == ".png":
        print_file = FigureCanvasAgg(figure).print_png
        # The default costs more time than the drawing does, for little.
        fast = {"compress_level": 3}
        print_file(place, metadata={"Software": None}, pil_kwargs=fast)
    else:
        print_file = FigureCanvasSVG(figure).print_svg
        print_file(place, metadata={"Date": None})


def slug(*names: str) -> str:
    """Names as a part of a file name; two different ones differ there too (`augbench.text`)."""
    return "-to-".join(map(file_name, names))


def one_line(name: str, longest: int) -> str:
    """A name fit for a figure: on one line, the middle of a very long one left out."""
    text = shown(" ".join(name.split()))  # its kinds of signs are also what XML cannot hold
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[-(longest // 2 - 1) :]}"
    return f" {text}" if text.startswith("_") else text  # matplotlib hides leading underscores


def wrapped(text: str, width: int) -> str:
    """A text on up to four lines of `width` letters, broken after a sign where one is near."""
    rest, lines = one_line(text, _MOST_LINES * width), []
    while len(rest) > width:
        signs = [i + 1 for i, letter in enumerate(rest[:width]) if letter in ":,- _=/"]
        cut = max((i for i in signs if i > width // 2), default=width)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return "\n".join([*lines, rest])


def log2_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """Samples per class on a log2 scale, a tick at each size."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([float(size) for size in sizes]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(size) for size in sizes])


def legend_above(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """A legend above the axes, where no data is, for which the figure grows."""
    letters = int(17 * figure.get_figwidth())  # that fit side by side at the legend's size
    names = [one_line(name, letters - 7) for _, name in entries]  # 7 for the line beside a name
    columns = max(1, min(len(names), letters // (max(map(len, names)) + 7)))
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * rows)
    figure.legend(
        [artist for artist, _ in entries],
        names,
        loc="outside upper left",
        ncols=-(-len(names) // rows),
        borderaxespad=0.1,
        handlelength=2.6,
        columnspacing=1.4,
    )
