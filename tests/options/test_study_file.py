"""A study as a file: read, checked with all its problems at once, and written again."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from augbench import Options, Settings
from augbench.api import plan
from augbench.errors import OptionError, StudyProblems, UsageError
from augbench.options import options_of
from augbench.options.arms import Arms, ArmSpec
from augbench.options.kinds import (
    Choice,
    Count,
    Folder,
    Name,
    Names,
    Number,
    OptionalCount,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
    Shares,
    Sizes,
    Switch,
    Words,
)
from augbench.options.toml_places import read_toml
from augbench.protocol.study import study_key

TABLE = options_of(Options)
each = pytest.mark.parametrize("name", TABLE)

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)
# Paths that are no file, and mean the same however they are put together.
folders = st.from_regex(r"[a-zé ]{0,3}[a-zé]{1,4}(/[a-zé]{1,4})?", fullmatch=True).map(Path)


def _values(option):
    """Any value of an option."""
    match option:
        case Arms():
            return st.lists(arms, max_size=3).map(tuple)
        case OptionalCount() | Count():
            some = st.integers(option.least, min(option.most, 2**40))
        case OptionalNumber() | Number():
            top = None if option.below == float("inf") else option.below
            some = st.floats(0, top, exclude_max=top is not None, exclude_min=not option.zero)
            some = some.filter(lambda number: number < float("inf"))
        case Sizes():
            some = st.lists(st.integers(1, 10**9), min_size=not option.empty, max_size=4).map(tuple)
        case Shares():
            share = st.floats(0, 1, exclude_min=True, exclude_max=True)
            some = st.sets(share, max_size=3).map(sorted).map(tuple)
        case Names():
            if option.name == "plugins":
                return st.lists(words.filter(lambda w: not set(w) & set("/\\.~")), max_size=3).map(
                    tuple
                )
            some = st.lists(words, min_size=not option.empty, max_size=3).map(tuple)
        case Name() | OptionalName():
            some = words
        case Choice():
            some = st.sampled_from(option.choices)
        case Words():
            some = st.lists(st.sampled_from(option.choices), min_size=1, unique=True).map(tuple)
        case Switch():
            some = st.booleans()
        case Folder() | OptionalFolder():
            some = folders
    return st.none() | some if option.none_words else some


arms = st.builds(
    lambda name, aug, base, settings: ArmSpec(name, aug, base, tuple(sorted(settings.items()))),
    words,
    words,
    st.none() | words,
    st.fixed_dictionaries(
        {},
        optional={
            name: _values(option)
            for name, option in options_of(Settings).items()
            if name != "root_seed"
        },
    ),
)


@st.composite
def studies(draw):
    """Any options of a study that go together."""
    given = draw(
        st.fixed_dictionaries({}, optional={name: _values(o) for name, o in TABLE.items()})
    )
    if given.get("primary_budget") is not None:
        budgets = given.get("epochs") or given.get("pretrain_steps") or Options.pretrain_steps
        given["primary_budget"] = draw(st.sampled_from(budgets))
    try:
        return Options(**given)
    except OptionError:
        for name in [*given]:  # what does not go together is left out
            if name.endswith(
                ("optimizer", "momentum", "nesterov", "schedule", "milestones", "factor")
            ):
                del given[name]
        if given.pop("epochs", None):
            given.pop("primary_budget", None)
        given.pop("metric", None)
        given.pop("finetune_datasets", None)
        given.pop("shift", None)
        return Options(**given)


@settings(max_examples=60)
@given(studies())
@example(Options(recipe="standard", optimizer="adamw", finetune_learning_rate=None))
@example(Options(recipe="standard", momentum=0.0, nesterov=False))
@example(Options(epochs=(3, 5), baseline=None, workers=0))
@example(Options(pretrain_steps=(500, 2000), primary_budget=500))
def test_a_saved_study_is_read_as_it_was(tmp_path_factory, options):
    folder = tmp_path_factory.mktemp("study")
    before = Path.cwd()
    os.chdir(folder)
    try:
        options.to_file("study.toml", {"augbench": ""})
        assert Options.from_file("study.toml") == options
        Path("inner").mkdir()
        options.to_file("inner/study.toml")
        assert Options.from_file("inner/study.toml") == options
    finally:
        os.chdir(before)


def _sample(option):
    """A value that is not the default, as a file has it and as it is kept."""
    match option:
        case Arms():
            return [{"name": "a", "aug": "mixup", "lr": 0.5}], (
                ArmSpec("a", "mixup", None, (("learning_rate", 0.5),)),
            )
        case OptionalCount() | Count():
            return option.least + 3, option.least + 3
        case OptionalNumber() | Number():
            return 0.25, 0.25
        case Sizes():
            return [3, 5], (3, 5)
        case Shares():
            return [0.25, 0.5], (0.25, 0.5)
        case Names():
            return ["one", "two"], ("one", "two")
        case Name() | OptionalName():
            return "other", "other"
        case Choice():
            return option.choices[-1], option.choices[-1]
        case Words():
            return [*option.choices[:2]], option.choices[:2]
        case Switch():
            return not option.default, not option.default
        case Folder() | OptionalFolder():
            return "some/where", Path("some/where")


def _companions(name):
    """What an option cannot do without."""
    part = next(one for one in ("finetune_", "full_", "") if name.startswith(one))
    if name.endswith("nesterov"):
        return {f"{part}momentum": 0.9}
    if name.endswith(("milestones", "milestone_factor", "schedule")):
        return {f"{part}schedule": "step", f"{part}milestones": [0.25, 0.5]}
    if name == "metric":
        return {"shift": ["standard"]}
    if name == "primary_budget":
        return {"pretrain_steps": [4, 8]}
    return {}


@each
def test_every_option_stands_in_a_file_under_each_of_its_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    option = TABLE[name]
    written, kept = _sample(option)
    companions = {key: value for key, value in _companions(name).items() if key != name}
    for word in option.spellings:
        Path("study.toml").write_text(tomlkit.dumps({**companions, word: written}))
        assert getattr(Options.from_file("study.toml"), name) == kept != option.default
    for one in option.shorthands:
        for said in (True, False):
            Path("study.toml").write_text(tomlkit.dumps({**companions, one.word: said}))
            value = getattr(Options.from_file("study.toml"), name)
            assert value == (one.value if said else option.default)
    if option.none_words:
        Path("study.toml").write_text(f"{name} = false")
        assert getattr(Options.from_file("study.toml"), name) is None


@pytest.mark.parametrize("name", [n for n in options_of(Settings) if n != "root_seed"])
def test_an_arm_of_a_file_has_any_option_of_training(name, tmp_path):
    written, kept = _sample(options_of(Settings)[name])
    for word in options_of(Settings)[name].spellings:
        text = tomlkit.dumps({"arm": [{"aug": "mixup", word: written}]})
        (tmp_path / "study.toml").write_text(text)
        (arm,) = Options.from_file(tmp_path / "study.toml").arms
        assert arm.settings == ((name, kept),)


WRONG = """\
# what is wrong with it
lr = "fast"
sedes = 3
  seeds = 0   # too few
samples_per_class = [
  1,
  "two",
]
workers = -1
finetune_lr = true
no_baseline = "yes"
pre_train_dataset = "a"
pretrain_datasets = "b"

[[arm]]
name = "heavy"
aug = "mixup"
lrr = 3
momentum = 2.0

[[arm]]
name = "bare"

[requires]
augbench = ">=99"
augbench-of-nobody = ">=0.2"
torch = "newest"
numpy = 1
"""

TOLD = """\
study.toml:2:1: lr: expected a number above 0, got 'fast'
study.toml:3:1: unknown option 'sedes'; did you mean 'seeds'?
study.toml:4:3: seeds: expected a whole number of 1 or more, got 0
study.toml:5:1: samples_per_class: expected whole numbers of 1 or more, such as [1, 2, 4], got \
[1, 'two']
study.toml:9:1: workers: expected a whole number of 0 or more, or false (one per core, or \
one per GPU), got -1
study.toml:10:1: finetune_lr: expected a number above 0, or false (as in pretraining, or 0.01 by \
another optimizer), got True
study.toml:11:1: no_baseline: expected true or false, got 'yes'
study.toml:13:1: give either pre_train_dataset or pretrain_datasets, not both
study.toml:18:1: arm: 'lrr' is nothing that an arm has of its own; did you mean 'lr'?
study.toml:19:1: momentum: expected a number of 0 or more and below 1, got 2.0
study.toml:21:1: arm: expected an augmentation, such as aug = "mixup", got {'name': 'bare'}
study.toml:25:1: the study requires augbench >=99, and 0.1.0 is installed; install another: \
pip install 'augbench>=99'
study.toml:26:1: augbench-of-nobody is not installed; install it: pip install \
'augbench-of-nobody>=0.2'
study.toml:27:1: torch: expected a version such as ">=0.2", or "" for any, got 'newest'
study.toml:28:1: numpy: expected a version such as ">=0.2", or "" for any, got 1
"""


def test_all_that_is_wrong_is_told_at_once_each_with_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(WRONG)
    with pytest.raises(StudyProblems) as caught:
        Options.from_file("study.toml")
    assert str(caught.value).splitlines() == TOLD.splitlines()


def test_what_only_a_plan_can_know_is_told_with_its_place_too(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(
        'augmentations = ["collage",\n                 "mixpu"]\nbackbone = "convent"\n'
        'finetune_datasets = ["glyph-letters", "glyph-leters"]\n'
        '[[arm]]\naug = "mixup"\noptimizer = "adamw"\nmomentum = 0.9\n'
    )
    with pytest.raises(StudyProblems) as caught:
        plan(Options.from_file(file))
    told = [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]
    starts = [
        "2:18: unknown augmentation 'mixpu'; did you mean 'mixup'?",
        "5:1: momentum=0.9: AdamW has moments",
        "3:1: unknown backbone 'convent'",
        "4:39: unknown data set 'glyph-leters'",
    ]
    assert [line[: len(start)] for line, start in zip(told, starts, strict=True)] == starts
    file.write_text("samples_per_class = 9999\nfinetune_samples_per_class = 9999\n")
    with pytest.raises(StudyProblems) as caught:
        plan(Options.from_file(file))
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{file}:1:1: samples_per_class = 9999 is more than 'glyph-digits'")
    assert second.startswith(f"{file}:2:1: finetune_samples_per_class = 9999 is more than")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer = 'adamw'\n\nmomentum = 0.9", "3:1: momentum = 0.9: AdamW has moments"),
        ("nesterov = true", "1:1: nesterov = true is a form of momentum"),
        ("schedule = 'step'", "1:1: schedule = 'step' needs milestones"),
        ("epochs = 3\npretrain_steps = 5", "1:1: give either epochs or pretrain_steps, not both"),
        ("a = 1\nb = \n", "2:5: not valid TOML: invalid value"),
        ("a = [1", "1:7: not valid TOML: unclosed array"),
        ("a = 1\na = 2", "2:6: not valid TOML: cannot overwrite a value"),
        ("a = " + "[" * 10_000, " not valid TOML: nested too deeply"),
        ("seeds = " + "9" * 5_000, " not valid TOML: "),
        ("seeds = 10000000000", "1:1: seeds: expected a whole number from 1 to 1,000,000,000"),
        ("\0", "1:1: not valid TOML: "),
        ("requires = 'augbench'", "1:1: requires: expected a table of distributions"),
        ("arm = [{name = 'a', aug = 'mixup',  lrr = 1}]", "1:37: arm: 'lrr' is nothing"),
        ("arm = ['aug=mixup lr=fast']", "1:8: learning_rate: expected a number above 0"),
        ("arm = 3", "1:1: arm: expected tables [[arm]], each with an aug, got 3"),
        (r'"bad\nname" = 3', r"1:1: unknown option 'bad\nname'"),
        ("[seeds]\na = 1", "1:1: seeds: expected a whole number of 1 or more, got {'a': 1}"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(text, message, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(text)
    with pytest.raises(OptionError) as caught:
        Options.from_file(file)
    assert str(caught.value).startswith(f"{file}:{message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    def told(path):
        with pytest.raises(OptionError) as caught:
            Options.from_file(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    there = tmp_path / "study.toml"
    assert told(there) == f"cannot read the study file {there}: No such file or directory"
    assert told(tmp_path) == f"{tmp_path}: expected a study file of TOML, got a folder"
    there.write_bytes("seeds = 3\n# für".encode("latin-1"))
    assert told(there).startswith(f"{there}:2: expected text in UTF-8, got the byte 0xfc")
    with there.open("wb") as file:
        file.truncate(100_000_000)
    assert told(there).endswith("of at most 1,000,000 bytes, got one of 100,000,000")
    for name in ("a\0b", "a" * 5000, "two\nlines"):
        assert told(name).startswith("cannot read the study file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert told(tmp_path / "pipe").endswith("got no regular file")


def test_what_is_given_beside_a_file_wins_over_it(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("seeds = 3\nlr = 0.5\nno_baseline = true\nn_batches_pre_train = 7\n")
    both = Options.from_file(file, seeds=5, baseline="none")
    assert (both.seeds, both.learning_rate, both.baseline) == (5, 0.5, "none")
    assert Options.from_file(file, epochs=4).epochs == (4,)
    assert plan(Options.from_file(file), seeds=1).study.seeds == 1
    # A recipe takes the place of what the file says of what recipes set.
    standard = Options.from_file(file, recipe="standard")
    assert standard.learning_rate == Options(recipe="standard").learning_rate
    assert standard.seeds == 3
    file.write_text('recipe = "standard"')
    assert Options.from_file(file, optimizer="adamw") == Options(
        recipe="standard", optimizer="adamw"
    )
    # A value that loses is checked all the same; one that wins is told by its own name.
    file.write_text("seeds = 0")
    with pytest.raises(OptionError, match="1:1: seeds: expected"):
        Options.from_file(file, seeds=1)
    file.write_text("optimizer = 'adamw'")
    with pytest.raises(OptionError, match=r"^momentum=0\.9: AdamW .* or optimizer = 'sgd'"):
        Options.from_file(file, momentum=0.9)


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "study.toml").write_text(
        'out = "results"\ndata_root = "../data"\n'
        'plugins = ["mine.py", "some.module", "no:other", "/else/where.py"]\n'
        'pretrain_datasets = ["folder:my, photos,size=32", "folder:size=8,path=\'b c\'", '
        '"folder:/abs", "x:y"]\n'
    )
    monkeypatch.chdir(tmp_path)
    options = Options.from_file("inner/study.toml")
    assert options.out == Path("inner/results")
    assert options.data_root == Path("data")
    assert options.plugins == ("inner/mine.py", "some.module", "no:other", "/else/where.py")
    assert options.pretrain_datasets == (
        "folder:inner/my, photos,size=32",
        "folder:size=8,path='inner/b c'",
        "folder:/abs",
        "x:y",
    )
    options.to_file("again.toml")
    assert Options.from_file("again.toml") == options
    assert tomllib.loads(Path("again.toml").read_text())["plugins"][0] == "inner/mine.py"


def test_a_plan_is_saved_with_the_distributions_that_it_needs(tmp_path, tiny_options, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arm = {"name": "slow", "aug": "mixup:alpha=1", "lr": 0.001}
    planned = plan(tiny_options, arms=[arm], out="out")
    planned.save("study.toml")
    document = tomllib.loads(Path("study.toml").read_text())
    assert document["requires"] == {"augbench": ">=0.1.0"}  # the data sets' plugin is a file
    assert document["arm"] == [{"name": "slow", "aug": "mixup:alpha=1", "learning_rate": 0.001}]
    again = plan(Options.from_file("study.toml"))
    assert again.options == planned.options
    keys = [
        study_key(one.study.to_json(), (cell.key for cell in one.cells)) for one in (planned, again)
    ]
    assert keys[0] == keys[1]
    planned.save("study.toml")  # the same once more
    with pytest.raises(OptionError, match="is there already, with other contents"):
        plan(tiny_options, out="out").save("study.toml")
    with pytest.raises(OptionError, match=r"cannot write .* nowhere/study\.toml: No such"):
        planned.save("nowhere/study.toml")
    with pytest.raises(OptionError, match="is there already"):
        planned.save(".")
    assert sorted(path.name for path in Path().iterdir()) == ["study.toml"]


@pytest.mark.usefixtures("only_built_in")
def test_all_augmentations_are_saved_by_their_names(tmp_path):
    plan("all", seeds=1).save(tmp_path / "study.toml")
    document = tomllib.loads((tmp_path / "study.toml").read_text())
    assert document["augmentations"] == ["collage", "crop-flip", "mixup"]


def test_a_name_that_is_no_text_cannot_be_saved(tmp_path):
    with pytest.raises(UsageError, match=r"cannot hold '\\udcff'"):
        Options(backbone="a\udcff").to_file(tmp_path / "study.toml")
    assert not list(tmp_path.iterdir())


EXAMPLE = (Path(__file__).parents[2] / "examples" / "study.toml").read_text(encoding="utf-8")
PIECES = re.findall(r"\w+|\W", EXAMPLE + WRONG)


@st.composite
def edited(draw):
    """The example with a few of its words and signs replaced by others."""
    words = re.findall(r"\w+|\W", EXAMPLE)
    for place in draw(st.lists(st.integers(0, len(words) - 1), max_size=4)):
        words[place] = draw(st.sampled_from(PIECES) | st.text(max_size=3))
    return "".join(words).encode("utf-8", "surrogatepass")


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | edited())
def test_no_file_ends_in_a_traceback(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data)
    try:
        Options.from_file(file)
    except UsageError as error:
        for line in str(error).split("\n"):
            assert str(file) in line
            assert line.isprintable()


def test_everything_in_a_document_has_its_place():
    text = (
        '# [a]\n"my key".sub = """x\n"""" # = [\n'
        "names = [ 'a', # ]\n  '''\n]''', 3,\n"
        "  [1979-05-27 07:32:00, 2], {a = 1, b.'c d' = [0.5]} ]\n"
        "[[arm]]\nlr  = 1e-3\r\n[ [arm] ]\n[arm.x]\ny=1\n[ requires ]\n\"a-b\" = ''"
    ).replace("[ [arm] ]", "[[ arm ]]")
    document, places = read_toml(text)
    assert document == tomllib.loads(text)
    assert places == {
        ("my key",): (2, 1),
        ("my key", "sub"): (2, 1),
        ("names",): (4, 1),
        ("names", 0): (4, 11),
        ("names", 1): (5, 3),
        ("names", 2): (6, 7),
        ("names", 3): (7, 3),
        ("names", 3, 0): (7, 4),
        ("names", 3, 1): (7, 25),
        ("names", 4): (7, 29),
        ("names", 4, "a"): (7, 30),
        ("names", 4, "b"): (7, 37),
        ("names", 4, "b", "c d"): (7, 37),
        ("names", 4, "b", "c d", 0): (7, 48),
        ("arm",): (8, 1),
        ("arm", 0): (8, 1),
        ("arm", 0, "lr"): (9, 1),
        ("arm", 1): (10, 1),
        ("arm", 1, "x"): (11, 1),
        ("arm", 1, "x", "y"): (12, 1),
        ("requires",): (13, 1),
        ("requires", "a-b"): (14, 1),
    }


def test_a_file_names_its_primary_budget_which_must_be_one_of_its_budgets(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("n_batches_pre_train = [500, 2000]\nprimary_budget = 500\n")
    assert Options.from_file(file).primary_budget == 500
    assert Options.from_file(file, primary_budget=None).primary_budget is None
    with pytest.raises(OptionError) as caught:
        Options.from_file(file, pretrain_steps=(2000, 4000))
    assert str(caught.value) == (
        f"{file}:2:1: primary_budget: expected one of the study's budgets, 2000 or 4000 steps, "
        "got 500"
    )
