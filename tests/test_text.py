import csv
import hashlib
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from augbench.text import cut, encodable, escaped, in_a_cell, shown

ANY = st.text(st.characters(codec=None))  # control characters and lone surrogates included
HARMLESS = "\n\u200c\u200d"


def is_safe(letter):
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return letter in HARMLESS or unicodedata.category(letter) not in kinds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mixup:alpha=0.4", "mixup:alpha=0.4"),
        ("glyphs → größe, 混合, ±", "glyphs → größe, 混合, ±"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("a\tb\rc", r"a b\rc"),
        ("two\nlines", "two\nlines"),
        ("\udc80", r"\udc80"),
        ("\x9b31m", r"\x9b31m"),
        ("\U000e0041", r"\U000e0041"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_what_would_act_on_a_terminal_is_shown_as_an_escape(text, expected):
    assert shown(text) == escaped(text) == expected


@given(ANY)
@example("".join(map(chr, range(0x3000))))
@example("\x1b" * 5000)
def test_whatever_is_shown_is_safe_and_can_be_encoded(text):
    assert all(map(is_safe, shown(text)))
    shown(text).encode()
    assert shown(shown(text)) == shown(text)


@given(ANY)
def test_ordinary_text_is_shown_as_it_is(text):
    text = "".join(filter(is_safe, text))
    assert shown(text) == text


def test_long_words_lose_their_middle_and_long_texts_do_not():
    word = "a" * 2500 + "b" * 2500
    digits = hashlib.sha256(word.encode()).hexdigest()[:4]
    assert shown(f"arm {word}, s=1") == f"arm {'a' * 147}…{digits}…{'b' * 147}, s=1"
    assert shown(word) != shown("a" * 2499 + "b" * 2501)
    assert shown("word " * 5000) == "word " * 5000
    assert shown("x" * 300) == "x" * 300


@given(st.lists(ANY, min_size=2, max_size=6, unique=True), st.integers(8, 40))
@example([f"{'x' * 100}{k}{'y' * 100}" for k in range(6)], 24)
@example([f"{'字' * 20}{k}{'字' * 20}" for k in range(6)], 24)
def test_names_that_are_cut_are_short_and_stay_different(names, longest):
    for width in (len, cell_len):
        alone = [cut(name, longest, width=width) for name in names]
        together = [cut(name, longest, among=names, width=width) for name in names]
        for cuts in (alone, together):
            assert all(width(one) <= longest for one in cuts)
            assert len({*cuts}) == len(names)
            assert all(
                one == name for one, name in zip(cuts, names, strict=True) if width(name) <= longest
            )


def test_a_cut_name_has_digits_where_they_are_needed():
    names = ["torchvision-trivial-augment:bins=31", f"a{'b' * 40}1{'b' * 20}", "a" + "b" * 61]
    digits = [hashlib.sha256(name.encode()).hexdigest()[:4] for name in names]
    assert [cut(name, 20, among=names) for name in names] == [
        "torchvisio…t:bins=31",
        f"abbbbbb…{digits[1]}…bbbbbbb",
        f"abbbbbb…{digits[2]}…bbbbbbb",
    ]
    assert cut(names[0], 20) == f"torchvi…{digits[0]}…bins=31"


@given(st.lists(ANY, min_size=1))
@example(["=1+1", "+1", "-1", "@A1", "\tx", "\rx", "\nx", "'=", "", "\ud800"])
def test_fields_of_csv_are_no_formulas_and_come_back(texts):
    rows = io.StringIO(newline="")
    csv.writer(rows).writerow(map(in_a_cell, texts))
    rows.seek(0)
    rows.getvalue().encode()
    (read,) = csv.reader(rows) if any(texts) or len(texts) > 1 else [[""]]
    for text, field in zip(texts, read, strict=True):
        assert not field.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert field in (encodable(text), f"'{encodable(text)}")
        assert field.startswith("'") == text.startswith(tuple("=+-@\t\r\n'"))
