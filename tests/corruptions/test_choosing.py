"""`standard`, names and specs: which corruptions a study means."""

import pytest

from augbench.corruptions.choosing import STANDARD, corruptions_of, specs_of
from augbench.errors import ParameterError, UnknownNameError, UsageError
from augbench.plugins import Registry

PLUGIN = """
from augbench import hookimpl

class Dark:
    operations = frozenset({"brightness"})
    def __init__(self, strength, level: float = 0.5, name: str = ""):
        self.strength, self.level, self.name = strength, level, name
    def __call__(self, images, *, rng):
        return images // (1 + self.strength)

@hookimpl
def register_corruptions(register):
    register("dark", Dark)
    register("noise", Dark)
"""


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    return Registry.load([str(tmp_path / "mine.py")])


def labels(registry, texts):
    return [component.label for component in corruptions_of(registry, texts)]


def test_standard_is_nine_kinds_at_three_strengths(registry):
    found = corruptions_of(registry, "standard")
    assert [(c.name, dict(c.parameters)["strength"]) for c in found] == [
        (name, strength) for name in STANDARD for strength in (1, 2, 3)
    ]
    assert {c.distribution for c in found} == {"augbench"}
    assert {c.kind for c in found} == {"corruption"}


def test_names_may_be_joined_by_commas_or_given_one_by_one(registry):
    expected = [f"{name}:strength={k}" for name in ("blur", "dark") for k in (1, 2, 3)]
    assert labels(registry, "blur,dark") == expected
    assert labels(registry, ["blur", " dark "]) == expected
    assert labels(registry, "blur,dark,blur,augbench:blur") == expected


def test_parameters_belong_to_the_name_before_them(registry):
    text = "occlusion:fill=0,dark:level=0.2,name='a,b',mine:noise,noise"
    assert specs_of(text) == (
        *("occlusion:fill=0", "dark:level=0.2,name='a,b'", "mine:noise", "noise"),
    )
    found = labels(registry, text)
    assert found[0] == "occlusion:strength=1,fill=0"
    assert found[3] == "dark:strength=1,level=0.2,name=a,b"
    assert found[6::3] == ["mine:noise:strength=1", "noise:strength=1"]


def test_a_label_means_the_same_component(registry):
    for component in corruptions_of(registry, ["standard", "dark:name='a,b+c'", "mine:noise"]):
        assert registry.resolve("corruption", component.label) == component


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("nois", UnknownNameError, "'nois'; did you mean 'noise'?"),
        ("standrad", UnknownNameError, "'standrad'; did you mean 'standard'?"),
        ("noise:strength=2", ParameterError, "'strength' is set by AugBench: leave it out"),
        ("noise:2", ParameterError, "'noise': takes no parameters, got '2'"),
        ("occlusion:fill=300", ParameterError, "fill must be in 0 … 255, got 300"),
        ("occlusion:fil=3", ParameterError, "did you mean 'fill'?"),
        ("", UsageError, "expected 'standard', or names of corruptions joined by commas, got ''"),
        ("noise,,blur", UsageError, "got 'noise,,blur'"),
    ],
)
def test_what_means_nothing_is_one_clear_line(registry, text, error, message):
    with pytest.raises(error) as caught:
        corruptions_of(registry, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_without_strength_and_a_plain_function_are_told_what_is_missing(tmp_path):
    (tmp_path / "odd.py").write_text(
        "from augbench import hookimpl\n"
        "class Weak:\n    def __call__(self, images, *, rng): return images\n"
        "def plain(images, *, rng): return images\n"
        "@hookimpl\ndef register_corruptions(register):\n"
        "    register('weak', Weak)\n    register('plain', plain)\n"
    )
    registry = Registry.load([str(tmp_path / "odd.py")])
    with pytest.raises(ParameterError, match="'weak': its constructor takes no parameter 'stren"):
        corruptions_of(registry, "weak")
    with pytest.raises(Exception, match="expected a class, whose objects are called with images"):
        corruptions_of(registry, "plain")


def test_choosing_imports_no_torch(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys\nfrom augbench.plugins import Registry\n"
        "from augbench.corruptions.choosing import corruptions_of\n"
        "corruptions_of(Registry.load(), 'standard')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
