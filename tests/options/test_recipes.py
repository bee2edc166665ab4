"""Named recipes, which values go together, and what of them enters keys."""

from dataclasses import replace

import pytest
from synthetic import make_study

from augbench.api import plan
from augbench.errors import OptionError
from augbench.options import RECIPES, Options, Settings, made_from, options_of, reported
from augbench.protocol.recipe import Recipe

STANDARD = RECIPES["standard"]


def test_a_recipe_sets_the_defaults_of_other_options():
    options = Options(recipe="standard").settings
    assert {name: getattr(options, name) for name in STANDARD} == dict(STANDARD)
    rest = set(options_of(Settings)) - set(STANDARD)
    assert all(getattr(options, name) == getattr(Settings(), name) for name in rest)
    assert Options(recipe="handout") == Options()
    assert Options(recipe="handout").settings == Settings()


def test_what_is_given_wins_even_at_the_handouts_own_value():
    options = made_from(Options, {"recipe": "standard", "weight_decay": 0, "lr": 0.01})
    assert (options.weight_decay, options.learning_rate) == (0, 0.01)
    assert options.momentum == STANDARD["momentum"]
    assert options == Options(recipe="standard", weight_decay=0, learning_rate=0.01)


def test_another_optimizer_leaves_the_recipes_momentum_out_and_has_its_own_rate():
    options = Options(recipe="standard", optimizer="adamw")
    assert (options.momentum, options.nesterov, options.schedule) == (0, False, "cosine")
    assert options.learning_rate == 0.001
    assert (options.finetune_learning_rate, options.finetune_momentum) == (0.01, 0.9)
    head = Options(recipe="standard", finetune_optimizer="adamw")
    assert (head.learning_rate, head.momentum, head.nesterov) == (0.02, 0.9, True)
    assert (head.finetune_learning_rate, head.finetune_momentum) == (0.03, 0)
    given = Options(recipe="standard", optimizer="adamw", learning_rate=0.02)
    assert given.learning_rate == 0.02
    assert Options(optimizer="adamw").learning_rate == Options().learning_rate  # no recipe's


def test_a_report_measures_a_recipe_by_its_optimizer():
    def told(**given):
        return dict(reported(make_study(settings=Options(**given).settings).to_json()))["recipe"]

    assert told(recipe="standard", optimizer="adamw") == "standard, but for optimizer"
    own = told(recipe="standard", optimizer="adamw", learning_rate=0.02)
    assert own == "standard, but for learning rate, optimizer"


def test_a_recipe_beside_whole_options_takes_the_place_of_theirs():
    standard = plan(Options(seeds=2), recipe="standard").options
    assert standard == Options(seeds=2, recipe="standard")
    assert plan(standard, recipe="handout").options == Options(seeds=2)
    assert plan(standard, seeds=1).options == Options(seeds=1, recipe="standard")
    with pytest.raises(OptionError, match=r"^give either settings or recipe, not both$"):
        plan(settings=Settings(), recipe="standard")


def test_keys_know_values_and_no_names():
    def keys(**given):
        return [cell.key for cell in plan("mixup", seeds=1, samples_per_class=4, **given).cells]

    assert keys(recipe="handout") == keys()
    assert keys(recipe="standard") == keys(**STANDARD)
    assert keys(recipe="standard") != keys()


@pytest.mark.parametrize("name", [n for n, o in options_of(Settings).items() if not o.key.always])
def test_every_later_setting_enters_keys_and_json_off_its_default_alone(name):
    others = {
        "optimizer": "adamw",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.1,
        "schedule": "cosine",
        "milestones": (0.5,),
        "milestone_factor": 0.5,
        "warmup": 0.1,
        "label_smoothing": 0.1,
        "clip_norm": 1.0,
        "normalize": "channels",
        "learning_rate": 0.5,
        "steps": 7,
        "neighbours": 3,
        "temperature": 0.5,
        "mode": "train",
    }
    prefixes = {"finetune_": "finetuning", "full_": "full", "knn_": "knn", "": "pretraining"}
    part = next(prefix for prefix in prefixes if name.startswith(prefix))
    plain = name.removeprefix(part)
    needed = {
        "nesterov": {f"{part}momentum": 0.9},
        "milestones": {f"{part}schedule": "step"},
        "milestone_factor": {f"{part}schedule": "step", f"{part}milestones": (0.25,)},
    }
    changed = {**needed.get(plain, {}), name: others[plain]}
    one = Settings(**changed)
    assert one.to_json() == {**Settings().to_json(), **changed}
    room = prefixes[part]
    for other in set(prefixes.values()) - {room}:
        assert one.key_parts[other] == Settings().key_parts[other]
    assert one.key_parts[room][plain] == others[plain]
    assert plain == "learning_rate" or plain not in Settings().key_parts[room]


def test_the_head_has_the_rate_of_pretraining_unless_another_optimizer_trains_it():
    def rate(**given):
        return Recipe.of(Settings(**given), "finetuning").learning_rate

    assert rate() == 0.01
    assert rate(learning_rate=0.5) == 0.5
    assert rate(learning_rate=0.5, finetune_learning_rate=0.2) == 0.2
    assert rate(learning_rate=3e-4, optimizer="adamw") == 0.01
    assert rate(learning_rate=3e-4, optimizer="adamw", finetune_optimizer="adamw") == 3e-4
    assert Recipe.of(Settings(momentum=0.9), "finetuning") == Recipe()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--nesterov"], "--nesterov is a form of momentum: it needs a --momentum above 0"),
        (
            ["--optimizer", "adamw", "--momentum", "0.9"],
            "--momentum 0.9: AdamW has moments of its own and takes no momentum; give "
            "--momentum 0, or --optimizer sgd",
        ),
        (["--schedule", "step"], "--schedule step needs --milestones"),
        (["--milestones", "0.5"], "--milestones is for --schedule step alone"),
        (["--milestone-factor", "0.5"], "--milestone-factor is for --schedule step alone"),
        (["--finetune-nesterov"], "--finetune-nesterov is a form of momentum: it needs a --finetu"),
        (["--finetune-schedule", "step"], "--finetune-schedule step needs --finetune-milestones"),
        (["--momentum", "1"], "--momentum: expected a number of 0 or more and below 1, got 1.0"),
        (
            ["--schedule", "step", "--milestones", "0.5,0.5"],
            "--milestones: expected numbers above 0 and below 1 in rising order, or none, such "
            "as 0.5,0.75, got [0.5, 0.5]",
        ),
        (["--milestones", "x"], "--milestones: expected numbers above 0 and below 1 in rising"),
        (["--recipe", "best"], "--recipe: expected one of handout, standard, got 'best'"),
        (
            ["--recipe", "standard", "--optimizer", "adamw", "--momentum", "0.9"],
            "--momentum 0.9: AdamW has moments of its own",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(augbench, given, message):
    code, printed, errors = augbench("run", "--dry-run", *given)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert "Traceback" not in printed + errors


def test_the_command_line_turns_off_what_a_recipe_turns_on(augbench):
    code, printed, _ = augbench(
        "run", "--dry-run", "--recipe", "standard", "--no-nesterov", "--momentum", "0"
    )
    assert code == 0
    assert "recipe: standard, but for momentum, Nesterov\n" in printed
    assert "Nesterov: yes" not in printed
    assert f"weight decay: {STANDARD['weight_decay']}\n" in printed


def test_a_replaced_value_is_checked_with_the_others():
    with pytest.raises(OptionError, match="momentum"):
        replace(Settings(momentum=0.9, nesterov=True), momentum=0)


def test_an_arm_on_the_command_line_turns_a_switch_on_and_off():
    words = "name=x aug=none nesterov=true momentum=0.9 full-nesterov=False"
    (arm,) = Options(arms=[words]).arms
    assert dict(arm.settings) == {"nesterov": True, "momentum": 0.9, "full_nesterov": False}
    with pytest.raises(OptionError, match="expected True or False, got 'maybe'"):
        Options(arms=["name=x aug=none nesterov=maybe"])
