"""Matplotlib as all figures use it: palette, fonts, axes, legends, files that never differ.

Drawn on the Agg, SVG and PDF canvases directly: no display, no global state of pyplot, no font but
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
from unittest.mock import patch

from augbench.options import named
from augbench.text import cut, file_name, shown
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
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, NullLocator

__all__ = [
    "FORMATS",
    "PALETTE",
    "REFERENCE",
    "WIDTHS",
    "FileNames",
    "in_column",
    "label_axes",
    "label_panels",
    "legend_above",
    "letters",
    "log2_axis",
    "new_figure",
    "one_line",
    "save_figure",
    "set_title",
    "slug",
    "style",
    "wrapped",
]

FORMATS = ("png", "svg", "pdf")
"""The files of each figure, in the order in which they are written."""

# Okabe and Ito (2008), "Color universal design"; black is the baseline's.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
REFERENCE = "#666666"
"""The colour of zero lines, floors and ceilings."""

# The narrower text widths of two-column and one-column venues (ICML: 3.25 and 6.75 inches; IEEE:
# 3.5 and 7.16; Nature: 3.5 and 7.2), so that a figure that is stretched to fit has larger letters.
WIDTHS = {"column": 3.25, "page": 6.75}
"""Widths of figures in inches, by what they fill in print."""
_FONT_SIZES = {"column": (8.0, 7.0), "page": (9.0, 8.0)}  # points: of text, of legends
_MOST_LINES = 4
_DPI = 300
_STYLE: dict[str, Any] = {
    # The second name is what a viewer of an SVG takes where it lacks the first.
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "figure.labelsize": "medium",
    "image.composite_image": False,  # each as it is, not all of an axes drawn anew as one
    "legend.frameon": False,
    "text.parse_math": False,  # a name may hold dollar signs
    "svg.fonttype": "none",  # text that can be searched and edited
    "pdf.fonttype": 42,  # TrueType: many venues refuse the outlines of Type 3
    "svg.hashsalt": "augbench",  # the same bytes for the same figure
}


@contextmanager
def style(width: str = "page") -> Iterator[None]:
    """The settings that every figure is made and saved under, whatever the user's own are.

    `width` is one of `WIDTHS`; it sets the size of letters and of `new_figure`.
    """
    text, legend = _FONT_SIZES[width]
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type]  # its keys are literals
        matplotlib.rcParams["font.size"] = text
        matplotlib.rcParams["legend.fontsize"] = legend
        matplotlib.rcParams["figure.figsize"] = (WIDTHS[width], 3.6)
        # A sign that DejaVu lacks is drawn as a box: better than no figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def in_column() -> bool:
    """True under the style of figures that fill one column of two."""
    return float(matplotlib.rcParams["figure.figsize"][0]) <= WIDTHS["column"]


def new_figure(height: float) -> Figure:
    """An empty figure of the style's width; `height` is in inches, a fifth less in a column."""
    width, _ = matplotlib.rcParams["figure.figsize"]
    return Figure(figsize=(width, 0.8 * height if in_column() else height), layout="constrained")


def letters(inches: float) -> int:
    """The letters of a label that fit side by side on so many inches."""
    # DejaVu's letters are on average 0.56 of their size wide; 72 points are an inch.
    return max(12, int(inches * 72 / (0.56 * matplotlib.rcParams["font.size"])))


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Labels below and beside the only axes of a figure, on as many lines as they need."""
    width, height = _inches(axes)
    axes.set_xlabel(wrapped(x, letters(width - 0.7)))
    axes.set_ylabel(wrapped(y, letters(height - 0.7)))


def label_panels(figure: Figure, x: str, y: str, *notes: str) -> None:
    """One label below all panels of a figure, notes under it, and one beside them."""
    width, height = figure.get_size_inches()
    lines = [wrapped(line, letters(width - 0.3)) for line in (x, *notes)]
    figure.supxlabel("\n".join(filter(None, lines)))
    figure.supylabel(wrapped(y, letters(height - 0.7)))


def set_title(axes: Axes, *parts: str) -> None:
    """A title of several parts above the only axes of a figure."""
    width, _ = _inches(axes)
    axes.set_title(wrapped("; ".join(filter(None, parts)), letters(width - 0.7)))


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the figure that axes are in."""
    box, dpi = axes.figure.bbox, axes.figure.dpi
    return box.width / dpi, box.height / dpi


def save_figure(figure: Figure, path: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write `path` with each format's suffix; raises `StoreError` if that is impossible.

    The layout is made once, by the first format, and is the same in all of them.
    """
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
    elif suffix == ".pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf  # 0.1 s that a notebook saves

        print_file = FigureCanvasPdf(figure).print_pdf
        with _plain_fonts():
            print_file(place, metadata={"CreationDate": None})
    else:
        print_file = FigureCanvasSVG(figure).print_svg
        print_file(place, metadata={"Date": None})


@contextmanager
def _plain_fonts() -> Iterator[None]:
    """Fonts in a PDF without the tables that shape text, which is placed letter by letter there.

    To cut these tables down to a figure's letters takes longer than to draw the figure.
    """
    from fontTools.subset import Options  # type: ignore[import-untyped]  # it has no stubs

    usual = getattr(Options, "_drop_tables_default", None)
    if usual is None:  # another version of fontTools: the same files, later and a little larger
        yield
        return
    with patch.object(Options, "_drop_tables_default", [*usual, "GDEF", "GPOS", "GSUB", "MATH"]):
        yield


def slug(*names: str) -> str:
    """Names as a part of a file name; two different ones differ there too (`augbench.text`)."""
    return "-to-".join(map(file_name, names))


def one_line(name: str, longest: int) -> str:
    """A name fit for a figure: on one line, a very long one cut (`augbench.text.cut`)."""
    # Its kinds of signs are also what XML cannot hold.
    text = cut(shown(" ".join(name.split())), longest)
    return f" {text}" if text.startswith("_") else text  # matplotlib hides leading underscores


def wrapped(text: str, width: int) -> str:
    """A text on up to four lines of `width` letters, broken at spaces, or signs in long words."""
    rest, lines = one_line(text, _MOST_LINES * width), []
    while len(rest) > width:
        spaces = [i for i, letter in enumerate(rest[: width + 1]) if letter == " "]
        signs = [i + 1 for i, letter in enumerate(rest[:width]) if letter in ":,-_=/"]
        cut = max((i for i in spaces if i > width // 3), default=0)
        cut = cut or max((i for i in signs if i > width // 2), default=width)
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
    size = FontProperties(size=matplotlib.rcParams["legend.fontsize"]).get_size_in_points()
    fitting = int(130 / size * figure.get_figwidth())  # letters side by side
    names = [one_line(name, fitting - 9) for _, name in entries]  # 9 for the line beside a name
    columns = max(1, min(len(names), fitting // (max(map(len, names)) + 9)))
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + 0.021 * size * rows)
    figure.legend(
        [artist for artist, _ in entries],
        names,
        loc="outside upper left",
        ncols=-(-len(names) // rows),
        borderaxespad=0.1,
        handlelength=2.6,
        columnspacing=1.4,
    )
