"""The data sets of a study: looked at once each, completed where they are a user's own folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from augbench.datasets.contract import DatasetInfo
from augbench.datasets.named import data_root
from augbench.datasets.naming import short_names
from augbench.errors import UsageError
from augbench.options import NO_DATASET, Options, Problems
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.proposing.choice import Choice
from augbench.proposing.folders import with_folders
from augbench.running.inspecting import inspected

__all__ = ["StudyData"]


class StudyData:
    """The data sets of a study: looked at once each, however often they are named.

    `options` have a full spec for every folder that was named by its path; `found` are lines on
    these, and `choices` tell what was chosen. `components` are the data sets by content hash.
    """

    def __init__(self, options: Options, registry: Registry, problems: Problems) -> None:
        self.options = options
        self.found: tuple[str, ...] = ()
        self.choices: tuple[Choice, ...] = ()
        self.components: dict[str, Component] = {}
        self._registry = registry
        self._root = data_root(options.data_root)
        self._refused: Mapping[str, UsageError] = {}
        self._infos: dict[str, DatasetInfo] = {}
        self._by_label: dict[str, Component] = {}
        with problems.of():
            completed = with_folders(options, registry, self._info)
            self.options, self._refused = completed.options, completed.refused
            self.found, self.choices = completed.found, completed.choices

    def pairs(self, problems: Problems) -> tuple[tuple[DatasetInfo, DatasetInfo], ...]:
        """Every pair that is studied, of those that can be used, under short names."""
        alone = self.options.finetune_datasets == (NO_DATASET,)
        pretrain = list(self._found("pretrain_datasets", problems))
        finetune = [] if alone else list(self._found("finetune_datasets", problems))
        names = short_names(self._by_label[one.name] for one in (*pretrain, *finetune))
        first, second = (
            [one.called(names[one.name]) for one in side] for side in (pretrain, finetune)
        )
        if alone:
            return tuple((one, one) for one in first)
        return tuple((one, other) for one in first for other in second)

    def _found(self, option: str, problems: Problems) -> Iterator[DatasetInfo]:
        specs = getattr(self.options, option)
        for spec in dict.fromkeys(specs):
            written = option in self.options.given or "dataset" not in self.options.given
            with problems.of(*((option, specs.index(spec)) if written else ("dataset",))):
                yield self._info(spec)

    def _info(self, spec: str) -> DatasetInfo:
        if spec in self._refused:
            raise self._refused[spec]
        component = self._registry.resolve("dataset", spec)
        if component.label not in self._infos:
            found = inspected(self._registry, component, self._root, download=self.options.download)
            self._infos[component.label] = found
            self._by_label[found.name] = component
            self.components[found.content_hash] = component
        return self._infos[component.label]
