"""Reads the tables and the embedded data of a report page with the standard library's parser."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Cell:
    """A cell's text, and the numbers behind it."""

    text: str = ""
    value: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def number(self):
        return float(self.value) if self.value else None


@dataclass
class Page(HTMLParser):
    """`tables[id]` is a list of rows, each a dict from the column's key to its `Cell`."""

    text: str
    tables: dict = field(default_factory=dict)
    images: list = field(default_factory=list)
    tags: list = field(default_factory=list)
    scripts: list = field(default_factory=list)
    styles: list = field(default_factory=list)
    metas: dict = field(default_factory=dict)
    words: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self._table = self._cell = self._raw = None
        self.feed(self.text)
        self.close()
        for name in [name for name in self.tables if name.endswith("-more")]:
            # The details of a table stand below it, row by row.
            for row, more in zip(self.tables[name[:-5]], self.tables[name], strict=True):
                row.update(more)
            del self.tables[name]

    @property
    def data(self):
        (text,) = [text for kind, text in self.scripts if kind == "application/json"]
        return json.loads(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if tag == "img":
            self.images.append(given)
        elif tag == "meta":
            self.metas[given.get("http-equiv", given.get("name"))] = given.get("content")
        elif tag in ("script", "style"):
            self._raw = (tag, given.get("type", ""), [])
        elif tag == "table":
            self._table = given.get("id")
            self._keys = []
            if self._table:
                self.tables[self._table] = []
        elif tag == "tr" and self._table:
            self._row = {}
        elif tag in ("td", "th") and "data-key" in given:
            self._keys.append(given["data-key"])
        elif tag in ("td", "th") and "data-value" in given and self._table:
            self._cell = Cell(
                value=given["data-value"],
                low=float(given["data-low"] or "nan") if "data-low" in given else None,
                high=float(given["data-high"] or "nan") if "data-high" in given else None,
                n=int(given["data-n"]) if "data-n" in given else None,
            )
            self._row[self._keys[len(self._row)]] = self._cell

    def handle_endtag(self, tag):
        if tag in ("script", "style") and self._raw:
            name, kind, parts = self._raw
            (self.scripts if name == "script" else self.styles).append((kind, "".join(parts)))
            self._raw = None
        elif tag in ("td", "th"):
            self._cell = None
        elif tag == "tr" and self._table and self._row:
            self.tables[self._table].append(self._row)
        elif tag == "table":
            self._table = None

    def handle_data(self, data):
        if self._raw:
            self._raw[2].append(data)
            return
        self.words.append(data)
        if self._cell is not None:
            self._cell.text += data
