"""Plan a study: resolve what a user named, look at the data, and check it all together.

Nothing here imports torch: what only torch can say of a study, another process is asked.
"""

from __future__ import annotations

from dataclasses import replace

from augbench.backbones.convnet import SMALLEST
from augbench.corruptions.choosing import corruptions_of
from augbench.corruptions.choosing import specs_of as corruption_specs
from augbench.errors import StudyError
from augbench.executors.contract import Job
from augbench.executors.preflight import check_job
from augbench.operations import operations_of
from augbench.options import (
    ArmSpec,
    Options,
    Problems,
    named,
    spelling,
    takes_options,
    written_as,
)
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.proposing.choice import lines
from augbench.proposing.data import StudyData
from augbench.proposing.sizes import with_sizes
from augbench.proposing.testing import about_classes, about_test_images
from augbench.protocol.arrangement import Arrangement, arrange
from augbench.protocol.checks import check_number, check_study
from augbench.protocol.readouts import check_metric
from augbench.protocol.shift import ShiftTest
from augbench.protocol.study import Arm, Budget, Study
from augbench.running.dealing import check_executor, devices_of
from augbench.running.observer import Observer
from augbench.running.plan import Plan, specs_of
from augbench.running.shifting import prepare
from augbench.store import check_writable
from augbench.text import encodable
from augbench.tuning.planning import check_spaces, plan_search

__all__ = ["check_machine", "plan"]


@takes_options(Options)
def plan(options: Options) -> Plan:
    """Resolve every name, look at the data, and check the study: `plan("mixup", seeds=3)`.

    Takes the options below one by one, or as one `Options`. Raises a `UsageError` (unknown names,
    refused parameters, missing data, a study that asks for more than there is), in one line each,
    before anything trains.
    """
    registry = Registry.load(options.plugins, strict=options.strict_plugins)
    problems = Problems(options.origin)
    data = StudyData(options, registry, problems)
    options = data.options
    baseline, base, arms, bases = _all_arms(options, registry, problems)
    arranged = {}
    for arm in arms:
        # Raises for what cannot be made, cannot be in sequence, or needs what no engine can supply.
        with problems.of():
            arranged[arm.label] = arrange(arm.pipeline, registry.create)
    backbone = None
    with problems.of("backbone"):
        backbone = registry.resolve("backbone", options.backbone)
    with problems.of("metric"):
        check_metric(options.metric, options.readouts[0])
    shift = _shift(options, registry, problems)
    check_spaces(options, problems)
    pairs = data.pairs(problems)
    sources = {label: one.sources for label, one in arranged.items()}
    options, sizes = with_sizes(options, pairs, max(sources.values(), default=1))
    arms = tuple(
        _completed(arm, arranged[arm.label], options) for arm in arms if arm.label in arranged
    )
    if shift:
        arms = tuple(_with_operations(arm, arranged[arm.label]) for arm in arms)
    study = Study(
        pairs=pairs,
        arms=arms,
        # Where there is none, the rest is checked all the same, and told with it.
        backbone=backbone or Component("backbone", options.backbone),
        samples_per_class=tuple(sorted(set(options.samples_per_class))),
        seeds=options.seeds,
        settings=options.settings,
        budgets=_budgets(options),
        primary_budget=_primary_budget(options),
        baseline=arms[0] if baseline else None,
        base=base,
        ruler_sizes=tuple(sorted(set(options.ruler_sizes))),
        references=options.references,
        test_every=options.test_every,
        readouts=options.readouts,
        finetune_sizes=_finetune_sizes(options),
        shift=shift,
    )
    check_study(study, sources, problems)
    search = plan_search(study, options, registry, bases, sources, problems)
    problems.tell()
    cells = tuple(study.cells())
    if search is not None:
        study = replace(study, search=search)
        check_number(study, problems)
        problems.tell()
        cells += tuple(search.cells(study))
    told, doubts = [*data.found, *lines((*data.choices, *sizes))], list[str]()
    if data.found:
        notes, doubts = about_test_images((one for _, one in pairs), study.seeds)
        told += notes
        doubts += about_classes(one for pair in pairs for one in pair)
    return Plan(options, registry, study, cells, data.components, tuple(told), tuple(doubts))


def check_machine(plan: Plan) -> None:
    """Raise the `UsageError` with which this machine would refuse to run a plan; trains nothing.

    It asks whether the folder of the store can be written, whether torch has the device, whether
    the backbone can be made, and whether test images can be corrupted: all that planning by itself
    does not ask, since it takes a process that loads torch.
    """
    options, problems = plan.options, Problems(plan.options.origin)
    shapes = dict.fromkeys(pretrain.image_shape for pretrain, _ in plan.study.pairs)
    backbones = [(plan.study.backbone, shape) for shape in shapes]
    with written_as(options.origin.words, in_file=True):
        with problems.of("out"):
            check_writable(options.out)
        devices: tuple[str, ...] = ()
        with problems.of("device"):
            devices = devices_of(options.device)
        with problems.of("executor"):
            check_executor(options, plan.registry)
        if options.executor is None and (
            devices != ("cpu",) or not all(_is_known(*one) for one in backbones)
        ):
            for device in devices:
                with problems.of():
                    check_job(_job(plan, device, backbones))
        if plan.study.shift:
            with problems.of("shift"):
                prepare(plan, (cell for cell in plan.cells if cell.trial is None), Observer())
    problems.tell()


def _job(plan: Plan, device: str, backbones: list[tuple[Component, tuple[int, int, int]]]) -> Job:
    return Job(
        engine="reference",
        device=device,
        datasets=(),
        backbones=tuple(backbones),
        plugins=plan.registry.arguments,
        spelling=tuple(spelling().items()),
    )


def _is_known(backbone: Component, image_shape: tuple[int, int, int]) -> bool:
    """True for the built-in network at its defaults: it can be made, which needs no process."""
    plain = backbone.distribution == "augbench" and not backbone.varied
    return plain and min(image_shape[1:]) >= SMALLEST


def _budgets(options: Options) -> tuple[Budget, ...]:
    """The budgets of a study, the shortest first; none if it has but one, in steps."""
    if options.epochs:
        return tuple(Budget(epochs, in_epochs=True) for epochs in sorted(set(options.epochs)))
    steps = sorted(set(options.pretrain_steps))
    return tuple(map(Budget, steps)) if len(steps) > 1 else ()


def _primary_budget(options: Options) -> Budget | None:
    """The budget that was named as primary; None for the longest."""
    if options.primary_budget is None:
        return None
    return Budget(options.primary_budget, in_epochs=bool(options.epochs))


def _finetune_sizes(options: Options) -> tuple[int, ...]:
    """The numbers of finetuning images of each class; none if a study has but one."""
    sizes = sorted(set(options.finetune_samples_per_class))
    return tuple(sizes) if len(sizes) > 1 else ()


def _shift(options: Options, registry: Registry, problems: Problems) -> tuple[ShiftTest, ...]:
    """The corrupted test sets to measure on, each once, in the order of the option."""
    found: dict[ShiftTest, None] = {}
    for index, text in enumerate(options.corruptions):
        specs: tuple[str, ...] = ()
        with problems.of("shift", index):
            specs = corruption_specs(text)
        for spec in specs:
            with problems.of("shift", index):
                for component in corruptions_of(registry, spec):
                    operations = operations_of(registry.create(component))
                    found.setdefault(ShiftTest(component, operations))
    return tuple(found)


def _completed(arm: Arm, arranged: Arrangement, options: Options) -> Arm:
    """The arm with what its augmentations need, and the finetuning size that fits the data."""
    settings = arm.settings
    if not arm.own_finetune_size:
        size = options.settings.finetune_samples_per_class
        settings = replace(settings, finetune_samples_per_class=size)
    return replace(arm, needs=arranged.needs, settings=settings)


def _with_operations(arm: Arm, arranged: Arrangement) -> Arm:
    """The arm with what its augmentations, those of its base included, do to an image."""
    made = [member for stage in arranged.stages for member in stage.members]
    return replace(arm, operations=frozenset[str]().union(*map(operations_of, made)))


def _one(registry: Registry, option: str, spec: str) -> Pipeline:
    """The pipeline of an option that takes no grid."""
    found = registry.pipelines(spec)
    if len(found) > 1:
        raise StudyError(
            f"{named(option, spec)}: expected one pipeline, got a grid of {len(found)}"
        )
    return found[0]


def _all_arms(
    options: Options, registry: Registry, problems: Problems
) -> tuple[Arm | None, Pipeline | None, tuple[Arm, ...], dict[str, Pipeline | None]]:
    """The baseline, the base, all arms, the baseline first, and what lies under each, by label.

    Of those that can be used.
    """
    base, baseline = None, None
    if options.base:
        with problems.of("base"):
            base = _one(registry, "base", options.base)
    if options.baseline is not None:
        with problems.of("baseline"):
            pipeline = _one(registry, "baseline", options.baseline)
            baseline = Arm(pipeline.label, pipeline.on(base), options.settings)
    arms = [baseline] if baseline else []
    bases: dict[str, Pipeline | None] = {}
    for index, spec in enumerate(options.augmentations):
        for name in specs_of(registry, spec):
            with problems.of("augmentations", index):
                for pipeline in registry.pipelines(name):
                    arms.append(Arm(pipeline.label, pipeline.on(base), options.settings))
    for index, own in enumerate(options.arms):
        with problems.of("arms", index):
            under = _one(registry, "base", own.base) if own.base else base
            made = _own_arms(own, options, registry, under)
            arms += made
            bases |= {arm.label: under for arm in made}
    by_label: dict[str, Arm] = {}
    for arm in arms:
        if by_label.setdefault(arm.label, arm) != arm:
            with problems.of("arms"):
                raise StudyError(
                    f"two arms are called {arm.label!r}: name one of them otherwise, as in "
                    f'{named("arms")} "name=other aug=…"'
                )
    bases = {label: bases.get(label, base) for label in by_label}
    return baseline, base, tuple(by_label.values()), bases


def _own_arms(
    own: ArmSpec, options: Options, registry: Registry, under: Pipeline | None
) -> list[Arm]:
    """The arms of one with settings of its own: several, if it holds a grid."""
    pipelines = registry.pipelines(own.augmentations)
    own_settings = dict(own.settings)
    settings = replace(options.settings, **own_settings)
    return [
        Arm(
            encodable(own.name if len(pipelines) == 1 else f"{own.name} {pipeline.label}"),
            pipeline.on(under),
            settings,
            own_budget="pretrain_steps" in own_settings,
            own_finetune_size="finetune_samples_per_class" in own_settings,
        )
        for pipeline in pipelines
    ]
