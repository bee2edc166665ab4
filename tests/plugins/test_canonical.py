"""The canonical form of a source: what enters a component's hash, the same under every Python."""

from __future__ import annotations

import hashlib

import pytest

from augbench.plugins._canonical import canonical, parsed


def form(source: str | bytes) -> bytes:
    tree = parsed(source.encode() if isinstance(source, str) else source)
    assert tree is not None
    return canonical(tree)


# Computed once, and equal under Python 3.11, 3.12 and 3.13: a stored result is found under each.
FIXTURES = {
    "a component": (
        """
from __future__ import annotations
import numpy as np
from .masks import box as _box, area
class Mine(Base, metaclass=Meta):
    sources: int = 2
    def __init__(self, alpha: float = 0.3, *rest, flag=None, **more) -> None:
        self.alpha = alpha
    @property
    def share(self): return self._share
    async def later(self): return [await one async for one in self if one]
    def __call__(self, x_i, x_j, /, *, rng):
        lam = rng.beta(self.alpha, self.alpha, size=len(x_i)).astype(np.float32)
        try:
            with open("x") as file, file: pass
        except* (OSError, ValueError) as error:
            raise RuntimeError from error
        match lam:
            case [1, *_] | {"a": 2, **rest}: lam[..., ::-1] *= -1
            case Point(x=0) if not lam: del lam
            case _: yield from {k: v for k, v in {**self.__dict__, "b": None}.items()}
        return (y := lambda z, *a: z @ x_i), 0x10 + 1_000 + 2.5e-3 + 1j, b"\\x00\\xff", ...
""",
        "235d09e8000516bd27ccdc3067c0a9f1a5cbf364fc3fecba01fff5e19e7f13e8",
    ),
    "f-strings": (
        'f"a{x}b" f"{y!r:>{width}.3f}" "c{d}" rf"\\d{z = }" f"{x:}" f"" f"{{}}" '
        "f\"{{{x['k']}}}{f'{x}'}\" f\"{x:%Y-%m}\"",
        "fffca0d2ca452476ee0b8097c90221b55b3909563826993de770e912cd379e83",
    ),
    "texts beyond ASCII": (
        "größe = 'é\\u0301 \\U0001fae8 \\ud800 \\N{BULLET}' 'ﬁ'\nﬁt = u'a'",
        "a038f181d798b7c075b6bdff9439ad44dce46fed0cc61428ac8e0edbfa2024e1",
    ),
    "numbers": (
        "[True, 1, 1.0, 1j, 1e400, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF, -0.0, None, ...]",
        "950a605f2bad69a7cee2a4073f222a5ee538a71f89dac81e849fdbba87d17597",
    ),
}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_source_has_the_form_it_had(name: str) -> None:
    source, expected = FIXTURES[name]
    assert hashlib.sha256(form(source)).hexdigest() == expected


def test_the_form_of_a_small_source_in_full() -> None:
    assert form("def f(x):\n    'Doc.'\n    return -x, {**x}, 'a', f'{x}b'  # why") == (
        b"Module(body [FunctionDef(name str 1 f;args arguments(args [arg(arg str 1 x;)])"
        b"body [Return(value Tuple(elts [UnaryOp(op USub()operand Name(id str 1 x;ctx Load()))"
        b"Dict(keys [NoneType 4 None;]values [Name(id str 1 x;ctx Load())])str 1 a;"
        b"JoinedStr(values [FormattedValue(value Name(id str 1 x;ctx Load())conversion int 4 -0x1;)"
        b"str 1 b;])]ctx Load()))])])"
    )


PLAIN = """
class A:
    size = 3
    def f(self, x):
        return (x + 1, "a")
"""
LIKE_IT = {
    "comments": PLAIN.replace("size = 3", "# why three\n    size = 3  # because"),
    "docstrings": '"""M."""\n'
    + PLAIN.replace("size", '"""A."""\n    size').replace("return", '"""F."""\n        return'),
    "a docstring below an attribute": PLAIN.replace("size = 3", 'size = 3\n    """Sides."""'),
    "a longer docstring alone": PLAIN + "def g(): pass",
    "layout": PLAIN.replace("(x + 1, ", "(x+1,\n            "),
    "other quotes and pieces": PLAIN.replace('"a"', "u'' 'a'"),
    "line ends": PLAIN.replace("\n", "\r\n"),
    "declarations": PLAIN.replace(
        "size = 3", 'search_space = {"a": (1, 2)}\n    size = 3\n    operations: set = {"crop"}'
    ),
    "a declaration as a property": PLAIN.replace(
        "size = 3",
        'size = 3\n    @property\n    def operations(self):\n        return frozenset({"crop"})',
    ),
    "a coding line": "# -*- coding: utf-8 -*-\n" + PLAIN,
}


@pytest.mark.parametrize("how", LIKE_IT)
def test_what_explains_does_not_count(how: str) -> None:
    like = PLAIN + 'def g():\n    """G."""' if how == "a longer docstring alone" else PLAIN
    assert form(LIKE_IT[how]) == form(like)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0.0", "x = 0"),
        ("x = 'a'", "x = b'a'"),
        ("x = 'a'", "x = f'{a}'"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = f'{a:>3}'"),
        ("x = f'{a}b'", "x = f'b{a}'"),
        ("x = ''", "x = None"),
        ("return_ = ()", "return_ = []"),
        ("def f(a=None): return a", "def f(a): return a"),
        ("def f(): return None", "def f(): return"),
        ("def f(a, b): a", "def f(a, *, b): a"),
        ("def f(a, b): a", "def f(a, /, b): a"),
        ("def f(*, a, b=1): a", "def f(*, a=1, b): a"),
        ("x: int = 1", "x: float = 1"),  # decides how a parameter of a spec is read
        ("{**a, b: c}", "{b: c, **a}"),
        ("[a for a in b]", "(a for a in b)"),
        ("if a:\n  b\nelse:\n  c", "if a:\n  b\n  c"),
        ("for a in b: c\nelse: d", "for a in b: c\nd"),
        ("from . import a", "from .. import a"),
        ("from . import a", "import a"),
        ("import a.b", "import a.b as b"),
        ("a[1:2]", "a[1:]"),
        ("a[:1]", "a[1:]"),
        ("a < b < c", "a < b and b < c"),
        ("del a", "a"),
        ("x = 'ab', 'c'", "x = 'a', 'bc'"),
        ("'text'.upper()", "'other'.upper()"),
        ("x = ...", "x = None"),
        ("search_space = 1", "search_space = 2"),  # not of a class
        ("class A:\n  operations, b = c", "class A:\n  operations, b = d"),
        # A method of that name may do something.
        (
            "class A:\n  def operations(self): return 1",
            "class A:\n  def operations(self): return 2",
        ),
        (
            "class A:\n  @cache\n  @property\n  def operations(self): return 1",
            "class A:\n  @cache\n  @property\n  def operations(self): return 2",
        ),
        ("@property\ndef operations(self): pass", "pass"),
    ],
)
def test_what_runs_differently_has_another_form(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_an_f_string_s_parts_do_not_matter_but_its_text_does() -> None:
    assert form("f'a{x}b{y}'") == form("f'a' f'{x}' 'b' f'{y}' ''") == form("f'a{x:}b{y}'")


def test_a_chain_as_long_as_the_parser_reads_has_a_form() -> None:
    assert form(" + ".join("a" * 900)) != form(" + ".join("a" * 901))


def test_an_escape_that_newer_pythons_warn_of_is_read_alike() -> None:
    assert form(r"x = '\d'") == form(r"x = '\\d'")


def test_what_is_no_python_has_no_tree() -> None:
    assert parsed(b"\x7fELF\x00\x01") is None
    assert parsed(b"def def") is None
