"""The public way to run a study: plan it, compute what is missing, read the results.

`plan` turns what a user asked for into a checked study; `execute` computes its missing cells;
`run` does both. None of them imports torch: that happens in the workers, if anything trains.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from augbench.datasets.contract import DatasetInfo
from augbench.datasets.named import data_root
from augbench.errors import StudyError
from augbench.options import Options, filled_from_recipe, named, takes_options
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.protocol.arrangement import arrange
from augbench.protocol.checks import check_study
from augbench.protocol.study import Arm, Budget, Study
from augbench.results import StudyResult
from augbench.running.computing import compute
from augbench.running.inspecting import inspected
from augbench.running.observer import Observer
from augbench.running.plan import Plan

__all__ = ["Observer", "Options", "Plan", "execute", "plan", "run"]


@takes_options(Options)
def plan(options: Options) -> Plan:
    """Resolve every name, look at the data, and check the study: `plan("mixup", seeds=3)`.

    Takes the options below one by one, or as one `Options`. Raises a `UsageError` (unknown names,
    refused parameters, missing data, a study that asks for more than there is), in one line each,
    before anything trains.
    """
    registry = Registry.load(options.plugins, strict=options.strict_plugins)
    base = _one(registry, "base", options.base) if options.base else None
    baseline = _baseline(options, registry, base)
    arms = _arms(options, registry, base, baseline)
    # Raises for what cannot be made, cannot be in sequence, or needs what no engine can supply.
    arranged = {arm.label: arrange(arm.pipeline, registry.create) for arm in arms}
    arms = tuple(replace(arm, needs=arranged[arm.label].needs) for arm in arms)
    infos: dict[str, DatasetInfo] = {}
    datasets: dict[str, Component] = {}
    root = data_root(options.data_root)

    def info(spec: str) -> DatasetInfo:
        component = registry.resolve("dataset", spec)
        if component.label not in infos:
            found = inspected(registry, component, root, download=options.download)
            infos[component.label] = found
            datasets[found.content_hash] = component
        return infos[component.label]

    pairs = tuple(
        (info(pretrain), info(finetune))
        for pretrain in dict.fromkeys(options.pretrain_datasets)
        for finetune in dict.fromkeys(options.finetune_datasets)
    )
    study = Study(
        pairs=pairs,
        arms=arms,
        backbone=registry.resolve("backbone", options.backbone),
        samples_per_class=tuple(sorted(set(options.samples_per_class))),
        seeds=options.seeds,
        settings=options.settings,
        budgets=_budgets(options),
        baseline=arms[0] if baseline else None,
        base=base,
        ruler_sizes=tuple(sorted(set(options.ruler_sizes))),
        references=options.references,
        test_every=options.test_every,
    )
    check_study(study, {label: one.sources for label, one in arranged.items()})
    return Plan(options, registry, study, tuple(study.cells()), datasets)


def _budgets(options: Options) -> tuple[Budget, ...]:
    """The budgets of a study, the shortest first; none if it has but one, in steps."""
    if options.epochs:
        return tuple(Budget(epochs, in_epochs=True) for epochs in sorted(set(options.epochs)))
    steps = sorted(set(options.pretrain_steps))
    return tuple(map(Budget, steps)) if len(steps) > 1 else ()


def _one(registry: Registry, option: str, spec: str) -> Pipeline:
    """The pipeline of an option that takes no grid."""
    found = registry.pipelines(spec)
    if len(found) > 1:
        raise StudyError(
            f"{named(option, spec)}: expected one pipeline, got a grid of {len(found)}"
        )
    return found[0]


def _baseline(options: Options, registry: Registry, base: Pipeline | None) -> Arm | None:
    if options.baseline is None:
        return None
    pipeline = _one(registry, "baseline", options.baseline)
    return Arm(pipeline.label, pipeline.on(base), options.settings)


def _arms(
    options: Options, registry: Registry, base: Pipeline | None, baseline: Arm | None
) -> tuple[Arm, ...]:
    """The arms of a study, the baseline first; raises `StudyError` if two share a name."""
    arms = [baseline] if baseline else []
    for spec in options.augmentations:
        specs = [spec]
        if spec == "all":  # everything that is installed
            specs = [name for name in registry.names("augmentation") if name != "none"]
        for pipeline in (one for spec in specs for one in registry.pipelines(spec)):
            arms.append(Arm(pipeline.label, pipeline.on(base), options.settings))
    for own in options.arms:
        under = _one(registry, "base", own.base) if own.base else base
        pipelines = registry.pipelines(own.augmentations)
        for pipeline in pipelines:
            name = own.name if len(pipelines) == 1 else f"{own.name} {pipeline.label}"
            settings = replace(options.settings, **dict(own.settings))
            own_budget = "pretrain_steps" in dict(own.settings)
            arms.append(Arm(name, pipeline.on(under), settings, own_budget))
    by_label: dict[str, Arm] = {}
    for arm in arms:
        if by_label.setdefault(arm.label, arm) != arm:
            raise StudyError(
                f"two arms are called {arm.label!r}: name one of them otherwise, as in "
                f'{named("arms")} "name=other aug=…"'
            )
    return tuple(by_label.values())


def execute(plan: Plan, observer: Observer | None = None, *, command: str = "") -> StudyResult:
    """Compute the cells that the store lacks, storing each as it ends; return all results.

    A cell that fails is stored with its error, and the others go on: look at `.failed`. Cells that
    another run on the same store is training are waited for. The store keeps the `command` that
    asked for the study.
    """
    return StudyResult(compute(plan, observer or Observer(), command))


@filled_from_recipe
@dataclass(frozen=True)
class _RunOptions(Options):
    """The arguments of `run`: the options of a study, and who watches it."""

    _: KW_ONLY
    observer: Observer | None = None


@takes_options(_RunOptions)
def run(options: _RunOptions) -> StudyResult:
    """Run a study: `augbench.run(["collage", "mixup"], seeds=3, out="results")`.

    Takes the options below one by one, or as one `Options`; single names and sizes may stand for
    themselves, and the names of the command line's flags serve as well (`lr` for `learning_rate`).
    Raises `UsageError` for what cannot be used. Failed cells are in the result's `.failed`.
    """
    return execute(plan(options), options.observer)
