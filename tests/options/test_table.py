"""Every surface shows every option of the table, with the same default, range and words."""

import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from synthetic import fill, make_study

import augbench as package
from augbench.api import plan, run
from augbench.cli._run import run_command
from augbench.errors import OptionError
from augbench.options import Options, Settings, grouped, made_from, options_of, reported, written_as
from augbench.protocol.references import CEILING, FLOOR
from augbench.protocol.study import Arm, Study
from augbench.reports.page import render_page
from augbench.results import StudyResult
from augbench.store import Store

TABLE = options_of(Options)
OPTIONS = Path(package.__file__).parent / "options"
FLAGS = {param.name: param for param in run_command.params}

each = pytest.mark.parametrize("name", TABLE)


def _one_line(text):
    return " ".join(text.split())


@each
def test_the_command_line_shows_it(name):
    option = TABLE[name]
    shown = []
    if option.flags:
        flag = FLAGS[name]
        assert set(flag.opts) == set(option.flags)
        assert flag.default == option.default
        shown.append(flag)
        assert _one_line(f"[{option.about}]") in _one_line(flag.help)
    for shorthand in option.shorthands:
        flag = FLAGS[shorthand.word]
        assert flag.opts == [shorthand.flag]
        shown.append(flag)
    assert any(option.help in flag.help for flag in shown) or all(
        shorthand.help for shorthand in option.shorthands
    )
    assert shown


def test_the_help_has_every_flag_once_and_under_its_heading():
    context = click.Context(run_command, info_name="run", help_option_names=["-h", "--help"])
    text = run_command.get_help(context)
    headings = list(grouped(Options))
    starts = [text.index(f"\n{heading}:\n") for heading in headings]
    assert starts == sorted(starts)
    ends = [*starts[1:], text.index("\nWhat it says and writes:\n")]
    for heading, start, end in zip(headings, starts, ends, strict=True):
        for option in grouped(Options)[heading].values():
            for flag in (*option.flags, *(one.flag for one in option.shorthands)):
                assert len(re.findall(rf"(?m)^  .*(?<![\w-]){flag}(?![\w-])", text[start:end])) >= 1


@each
@pytest.mark.parametrize("function", [plan, run])
def test_python_shows_it(function, name):
    option = TABLE[name]
    parameter = inspect.signature(function).parameters[name]
    assert parameter.default == option.default
    assert parameter.annotation != inspect.Parameter.empty
    assert f"{name}: {option.help}  [{option.about}]" in function.__doc__


def test_the_signature_has_nothing_but_the_options_and_who_watches():
    assert set(inspect.signature(plan).parameters) == set(TABLE)
    assert set(inspect.signature(run).parameters) == {*TABLE, "observer", "progress"}
    kinds = {name: p.kind for name, p in inspect.signature(run).parameters.items()}
    assert {name for name, kind in kinds.items() if kind is not kind.KEYWORD_ONLY} == {
        "augmentations"
    }


def test_a_type_checker_sees_the_options(tmp_path):
    file = tmp_path / "uses.py"
    file.write_text(
        "import augbench\n"
        "from augbench.api import plan\n"
        "augbench.run('mixup', seeds=3, workers=None, out='x', observer=augbench.Observer())\n"
        "plan(['mixup'], samples_per_class=4).cells\n"
        "plan(augbench.Options(seeds=2))\n"
        "sizes: tuple[int, ...] = augbench.Options(samples_per_class=4).samples_per_class\n"
        "shares: tuple[float, ...] = augbench.Options(milestones=[0.5]).milestones\n"
        "augbench.run(seeds='3')\n"
        "plan(sedes=3)\n"
        "augbench.Options(learning_rate='fast')\n"
        "augbench.Options().seeds = 3\n"
    )
    pytest.importorskip("mypy")
    # Of everything else than these, such as torch, nothing need be known.
    known = ["__init__.py", "api.py", "planning.py"]
    known += [f"options/{path.relative_to(OPTIONS)}" for path in OPTIONS.rglob("*.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=skip"]
    done = subprocess.run(
        [*command, f"--cache-dir={tmp_path}/cache", str(file), *(f"augbench/{f}" for f in known)],
        capture_output=True,
        text=True,
        cwd=OPTIONS.parents[1],
    )
    wrong = {int(line) for line in re.findall(r"uses\.py:(\d+): error", done.stdout)}
    assert wrong == {8, 9, 10, 11}, done.stdout


@pytest.mark.parametrize("name", [name for name, option in TABLE.items() if option.reported])
def test_a_report_lists_what_a_reader_must_know(name, tmp_path):
    option = TABLE[name]
    study = make_study(["mixup"], seeds=2, ruler=(16,))
    fill(tmp_path, study)
    with Store.read(tmp_path) as store:
        page = render_page(StudyResult(store.study()))
    settings = page[page.index('id="settings"') : page.index('id="environment"')]
    value = getattr(study, name, None)
    value = getattr(study.settings, name, option.default) if value is None else value
    row = f"<dt>{option.title}</dt><dd>{option.show(value)}</dd>"
    # What a recipe may set is told where it differs from the handout's.
    recipes = option.key is not None and not option.key.always
    assert (row in _one_line(settings)) != recipes


def test_a_report_tells_the_recipe_and_what_differs_from_it():
    def told(**given):
        return dict(reported(make_study(settings=Options(**given).settings).to_json()))

    assert told()["recipe"] == "handout"
    assert "momentum" not in told()
    standard = told(recipe="standard")
    assert standard["recipe"] == "standard"
    assert (standard["momentum"], standard["schedule"]) == ("0.9", "cosine")
    own = told(recipe="standard", momentum=0.8, label_smoothing=0.1)
    assert own["recipe"] == "standard, but for momentum, label smoothing"


@each
def test_the_stored_study_holds_what_changes_its_cells(name):
    description = json.loads(json.dumps(make_study().to_json()))
    option = TABLE[name]
    if option.key is not None:
        # A later one is there only where it is not at its default, or old studies would be others.
        listed = {name: option.default} if option.key.always else {}
        assert {k: v for k, v in description["settings"].items() if k == name} == listed
    elif name in ("pretrain_steps", "finetune_samples_per_class"):
        assert option.check(description["settings"][name]) == option.default
    elif option.reported and option.default is not None:
        assert name in description


def test_the_defaults_of_all_surfaces_are_one(augbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUGBENCH_DATA", raising=False)
    with click.Context(run_command) as context:
        run_command.parse_args(context, [])
        from augbench.cli._shared import given_options

        given = {name: v for name, v in context.params.items() if name in TABLE}
        assert given_options(context, given) == Options() == made_from(Options, {})
    assert plan().options == Options()
    assert [c.arm.label for c in plan(seeds=1, samples_per_class=1).cells] == [
        "none",
        "collage",
        "mixup",
    ]
    code, printed, _ = augbench("run", "--dry-run")
    assert code == 0
    assert f"{len(plan().cells)} cells" in printed


def test_each_option_and_each_flag_has_one_name():
    words = [
        word
        for option in TABLE.values()
        for word in {*option.spellings, *(one.word for one in option.shorthands)}
    ]
    assert len(words) == len(set(words))
    flags = [flag for option in TABLE.values() for flag in option.flags]
    flags += [one.flag for option in TABLE.values() for one in option.shorthands]
    assert len(flags) == len(set(flags))
    titles = [option.title for option in TABLE.values()]
    assert len(titles) == len(set(titles))


def test_the_references_are_explained_as_they_are_everywhere():
    for one in (FLOOR, CEILING):
        assert f"{one.name} ({one.words})" in TABLE["references"].help


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": "3"}, "seeds: expected a whole number of 1 or more, got '3'"),
        ({"seeds": True}, "seeds: expected a whole number of 1 or more, got True"),
        ({"seeds": 2.0}, "seeds: expected a whole number of 1 or more, got 2.0"),
        ({"seeds": None}, "seeds: expected a whole number of 1 or more, got None"),
        (
            {"batch_size": float("nan")},
            "batch_size: expected a whole number of 1 or more, got nan",
        ),
        (
            {"workers": -1},
            "workers: expected a whole number of 0 or more, or None (one per core, or "
            "one per GPU), got -1",
        ),
        (
            {"samples_per_class": "1,2"},
            "samples_per_class: expected whole numbers of 1 or more, such as [1, 2, 4], got '1,2'",
        ),
        (
            {"samples_per_class": []},
            "samples_per_class: expected whole numbers of 1 or more, such as [1, 2, 4], got []",
        ),
        ({"learning_rate": "0.1"}, "learning_rate: expected a number above 0, got '0.1'"),
        ({"learning_rate": float("inf")}, "learning_rate: expected a number above 0, got inf"),
        ({"lr": 0}, "lr: expected a number above 0, got 0"),
        ({"n_batches_pre_train": 0}, "n_batches_pre_train: expected whole numbers of 1 or more"),
        ({"lr": 1, "learning_rate": 1}, "give either lr or learning_rate, not both"),
        ({"test_every": 5, "test_during_training": True}, "give either test_every or test_dur"),
        ({"no_baseline": "yes"}, "no_baseline: expected True or False, got 'yes'"),
        ({"settings": Settings(), "lr": 1}, "give either settings or lr, not both"),
        ({"settings": {}}, "settings: expected a Settings, got {}"),
        ({"pretrain_datasets": 3}, "pretrain_datasets: expected one or more names, got 3"),
        ({"pretrain_datasets": []}, "pretrain_datasets: expected one or more names, got []"),
        ({"aug": [""]}, "aug: expected any number of names, got ['']"),
        ({"backbone": None}, "backbone: expected a name, got None"),
        ({"engine": "steam"}, "engine: expected one of auto, packed, reference, got 'steam'"),
        ({"references": 1}, "references: expected True or False, got 1"),
        ({"out": 3}, "out: expected a folder, got 3"),
        ({"out": __file__}, "out: expected a folder, got "),
        ({"sedes": 3}, "unknown option 'sedes'; did you mean 'seeds'?"),
    ],
)
def test_a_wrong_value_in_python_is_one_line_that_names_the_option_as_written(given, message):
    with pytest.raises(OptionError) as caught:
        plan(**given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "x"], "--seeds: expected a whole number of 1 or more, got 'x'"),
        (["--batch-size", "nan"], "--batch-size: expected a whole number of 1 or more, got 'nan'"),
        (["--workers", "-1"], "--workers: expected a whole number of 0 or more, got -1"),
        (["--lr", "nan"], "--lr: expected a number above 0, got nan"),
        (
            ["--samples-per-class", "1,x"],
            "--samples-per-class: expected whole numbers of 1 or more, such as 1,2,4, got '1,x'",
        ),
        (["--engine", "steam"], "--engine: expected one of auto, packed, reference, got 'steam'"),
        (["--out", __file__], "--out: expected a folder"),
        (
            ["--test-every", "5", "--test-during-training"],
            "give either --test-every or --test-during-training, not both",
        ),
        (["--batch-size", "1"], "use --batch-size 2 or more"),
        (["--samples-per-class", "9999"], "--samples-per-class 9999 is more than"),
        (["--ruler", "9999"], "--ruler 9999 is more than"),
        (["--no-baseline", "--aug", ""], "--aug: expected any number of names"),
    ],
)
def test_the_same_on_the_command_line(augbench, arguments, message):
    code, printed, errors = augbench("run", "--dry-run", *arguments)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert "Traceback" not in printed + errors


def test_arrays_and_their_scalars_are_taken_as_what_they_hold():
    numpy, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    options = Options(
        seeds=numpy.int64(3),
        samples_per_class=numpy.array([1, 4]),
        ruler_sizes=torch.tensor([8]),
        learning_rate=numpy.float64(0.5),
        references=numpy.bool_(True),
        batch_size=torch.tensor(4),
    )
    assert options == Options(
        seeds=3,
        samples_per_class=(1, 4),
        ruler_sizes=8,
        learning_rate=0.5,
        references=True,
        batch_size=4,
    )
    assert json.dumps(options.settings.to_json())


def test_the_flags_own_names_serve_in_python():
    by_flags = made_from(
        Options,
        {
            "aug": "mixup",
            "lr": 0.1,
            "n_batches_pre_train": 3,
            "ruler": 8,
            "pre_train_dataset": "mnist",
            "no_baseline": True,
            "test_during_training": True,
        },
    )
    assert by_flags == Options(
        "mixup",
        learning_rate=0.1,
        pretrain_steps=3,
        ruler_sizes=8,
        pretrain_datasets="mnist",
        baseline=False,
        test_every=500,
    )
    assert made_from(Options, {"no_baseline": False, "test_during_training": False}) == Options()


def test_settings_can_be_given_whole():
    settings = Settings(batch_size=4, learning_rate=0.5)
    assert plan(settings=settings, seeds=1).study.settings == settings
    assert plan(Options(batch_size=4, learning_rate=0.5)).study.settings == settings
    assert plan(Options(seeds=2), batch_size=4).options == Options(seeds=2, batch_size=4)


def test_options_are_values():
    options = Options(seeds=2)
    assert replace(options, seeds=3) == Options(seeds=3)
    assert hash(options) == hash(Options(seeds=2))
    with pytest.raises(AttributeError):
        options.seeds = 3
    with pytest.raises(OptionError, match="seeds"):
        replace(options, seeds=0)


def test_a_name_lasts_as_long_as_its_context():
    with written_as({"seeds": "--seeds"}), pytest.raises(OptionError, match=r"^--seeds: "):
        Options(seeds=0)
    with pytest.raises(OptionError, match=r"^seeds: "):
        Options(seeds=0)


def test_no_setting_takes_the_place_of_another_in_a_key():
    entries = [(o.key.part, o.key.name) for o in options_of(Settings).values() if o.key]
    assert len(entries) == len(set(entries)) == len(options_of(Settings))
    taken = {"protocol", "seed", "dataset", "backbone", "augmentation"}
    for part, name in entries:
        assert name not in (taken if part == "finetuning" else {*taken, "samples_per_class"})


def test_study_and_cell_have_the_tables_defaults():
    for name in ("samples_per_class", "seeds", "references", "ruler_sizes", "test_every"):
        assert Study.__dataclass_fields__[name].default == TABLE[name].default
    assert Arm.__dataclass_fields__["settings"].default == Settings()


def test_a_primary_budget_changes_no_cell(tmp_path):
    plain, named, same = (
        plan(seeds=1, samples_per_class=4, out=tmp_path, epochs=(20, 5), primary_budget=one)
        for one in (None, 5, 20)
    )
    keys = [[cell.key for cell in one.cells] for one in (plain, named, same)]
    assert keys[0] == keys[1] == keys[2]
    # Another primary condition is another question, so another study of the same cells.
    first, second, third = (one.study.to_json() for one in (plain, named, same))
    assert first == third
    assert second == {**first, "primary_budget": "5 epochs"}
    told = dict(reported(second))["pretraining steps"]
    assert told == "5 epochs, 20 epochs; primary: 5 epochs"


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        ({"pretrain_steps": (2000, 500)}, "500 or 2000 steps"),
        ({"epochs": (20, 5)}, "5 or 20 epochs"),
        ({}, "2000 steps"),
    ],
)
def test_a_primary_budget_is_one_of_the_budgets(budgets, words):
    with pytest.raises(OptionError) as caught:
        Options(**budgets, primary_budget=7)
    expected = f"primary_budget: expected one of the study's budgets, {words}, got 7"
    assert str(caught.value) == expected
