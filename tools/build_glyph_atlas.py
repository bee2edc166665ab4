"""Draw the glyph atlas that `augbench.datasets.glyphs` distorts: run once, its result committed.

    python tools/build_glyph_atlas.py [OUTPUT]

Each glyph of each style becomes a signed-distance table: how far a point lies inside (positive)
or outside (negative) the glyph, in table pixels, as `128 + 16 * distance` clipped to a byte. The
fonts are those that matplotlib ships. Rerun with other versions of FreeType the last bits may
change, and with them every image: that is why the package holds the tables and not the fonts.
"""

from __future__ import annotations

import string
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

SIZE = 36  # table pixels a side
BOX = 26  # a glyph's longer side in table pixels; the rest is room for the distance to fall off
SUPERSAMPLING = 8
LEAST_HALF_WIDTH = 1.1  # hairlines are thickened to this, or the table's grid would lose them
OUTPUT = Path(__file__).parents[1] / "augbench" / "datasets" / "glyph_atlas.bin"

# Capital letters that Unicode holds outside its mathematical block, by the block's first letter.
_ELSEWHERE = {
    0x1D49C: dict(zip("BEFHILMR", "ℬℰℱℋℐℒℳℛ", strict=True)),
    0x1D538: dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)),
}

# (font file, code point of its "A", code point of its "0"); None: the style has no such glyphs.
STYLES: tuple[tuple[str, int | None, int | None], ...] = (
    ("DejaVuSans", 0x41, 0x30),
    ("DejaVuSans-Oblique", 0x41, 0x30),
    ("DejaVuSans-Bold", 0x41, 0x30),
    ("DejaVuSansMono", 0x41, 0x30),
    ("DejaVuSansMono-Bold", 0x41, 0x30),
    ("DejaVuSerif", 0x41, 0x30),
    ("DejaVuSerif-Italic", 0x41, 0x30),
    ("DejaVuSerif-Bold", 0x41, 0x30),
    ("STIXGeneral", 0x41, 0x30),
    ("STIXGeneralItalic", 0x41, 0x30),
    ("STIXGeneralBol", 0x41, 0x30),
    ("STIXGeneralBolIta", 0x41, 0x30),
    ("STIXGeneral", 0x1D5A0, 0x1D7E2),  # sans-serif
    ("STIXGeneral", 0x1D5D4, 0x1D7EC),  # sans-serif bold
    ("STIXGeneral", 0x1D670, 0x1D7F6),  # typewriter
    ("STIXGeneral", 0x1D538, 0x1D7D8),  # blackboard bold
    ("STIXGeneralItalic", 0x1D608, None),  # sans-serif italic
    ("STIXGeneralItalic", 0x1D49C, None),  # script
    ("STIXGeneral", 0x1D4D0, None),  # script bold
    ("DejaVuSans", None, 0x1D7D8),  # blackboard bold
    ("DejaVuSansMono-Oblique", None, 0x30),
    ("DejaVuSerif-BoldItalic", None, 0x30),
)


def character(letter: str, first: int) -> str:
    """The style's own character for a letter or digit."""
    start = "A" if letter.isalpha() else "0"
    return _ELSEWHERE.get(first, {}).get(letter) or chr(first + ord(letter) - ord(start))


def ink(font: str, char: str) -> NDArray[np.bool_]:
    """The glyph as a mask, its longer side `BOX` table pixels, supersampled, with a margin."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    face = ImageFont.truetype(str(path), 1000, layout_engine=ImageFont.Layout.BASIC)
    canvas = Image.new("L", (2400, 2400))
    ImageDraw.Draw(canvas).text((600, 600), char, font=face, fill=255)
    box = canvas.getbbox()
    if box is None:
        raise SystemExit(f"{font} has no glyph for U+{ord(char):04X}")
    glyph = canvas.crop(box)
    scale = BOX * SUPERSAMPLING / max(glyph.size)
    wide, high = (max(1, round(side * scale)) for side in glyph.size)
    glyph = glyph.resize((wide, high), Image.Resampling.LANCZOS)
    page = Image.new("L", (SIZE * SUPERSAMPLING,) * 2)
    page.paste(glyph, ((page.width - wide) // 2, (page.height - high) // 2))
    return np.asarray(page) >= 128


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a mask to lines one pixel wide (Zhang and Suen, CACM 27(3), 1984)."""
    mask = mask.copy()
    while True:
        before = int(mask.sum())
        for odd in (False, True):
            padded = np.pad(mask, 1)
            ring = [
                padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
                for dy, dx in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            ]
            neighbours = np.sum(ring, axis=0)
            rises = np.sum([~a & b for a, b in zip(ring, ring[1:] + ring[:1], strict=True)], axis=0)
            north, east, south, west = ring[0], ring[2], ring[4], ring[6]
            if odd:
                open_sides = ~(north & east & west) & ~(north & south & west)
            else:
                open_sides = ~(north & east & south) & ~(east & south & west)
            mask &= ~((neighbours >= 2) & (neighbours <= 6) & (rises == 1) & open_sides)
        if int(mask.sum()) == before:
            return mask


def distances(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The signed-distance table [SIZE, SIZE] of a mask, hairlines thickened."""
    to_line = ndimage.distance_transform_edt(~skeleton(mask))
    mask = mask | (to_line <= LEAST_HALF_WIDTH * SUPERSAMPLING)
    signed = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    cells = signed.reshape(SIZE, SUPERSAMPLING, SIZE, SUPERSAMPLING)
    # A cell's centre falls between supersampled pixels: the mean of the four around it.
    half = SUPERSAMPLING // 2
    centre = cells[:, half - 1 : half + 1, :, half - 1 : half + 1].mean(axis=(1, 3))
    return np.clip(np.rint(128 + 16 * centre / SUPERSAMPLING), 0, 255).astype(np.uint8)


def tables(letters: Sequence[str], column: int) -> NDArray[np.uint8]:
    """The tables [styles, letters, SIZE, SIZE] of all styles that have these letters."""
    rows = []
    for style in STYLES:
        first = style[column]
        if isinstance(first, int):
            rows.append([distances(ink(style[0], character(c, first))) for c in letters])
    return np.array(rows, dtype=np.uint8)


def main() -> None:
    """Write the atlas: both sets' tables, each row stored as differences, deflated."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    parts = [tables(string.digits, 2), tables(string.ascii_uppercase, 1)]
    header = np.array([[len(part), part.shape[1]] for part in parts], dtype=np.uint8).tobytes()
    body = b"".join(np.diff(part, axis=-1, prepend=np.uint8(0)).tobytes() for part in parts)
    output.write_bytes(zlib.compress(bytes([SIZE]) + header + body, 9))
    print(output, output.stat().st_size, [part.shape for part in parts])


if __name__ == "__main__":
    main()
