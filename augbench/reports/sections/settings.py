"""Settings: the command, the protocol's numbers, the components and the data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from augbench.options import named, reported
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.readouts import LINEAR, READOUTS
from augbench.reports.sections._section import Report, Section
from augbench.reports.sections._tuning_facts import tuning_facts

__all__ = ["Settings"]


class Settings(Section):
    """Everything that the study was asked to do."""

    name = "settings"
    chapter = "settings"

    def page(self, report: Report) -> dict[str, Any]:
        """The stored study, with its command, its description, and its options in words."""
        stored = report.result.stored
        study = stored.description
        return {
            "stored": stored,
            "study": study,
            "settings": [*reported(study), *_readouts(study)],
            "tuning": tuning_facts(report.result),
            "components": _components(study),
            "arms": list(_arms(study)),
        }


def _readouts(study: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The readouts of the study in words."""
    for name in study.get("readouts", [LINEAR.name]):
        yield f"readout {name}", READOUTS[name].words


def _arms(study: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, what it is) of each arm that is more than its name says."""
    for arm in study["arms"]:
        spec = Pipeline.from_json(arm["pipeline"]).label
        own = [f"{named(name)} = {value}" for name, value in arm.get("settings", {}).items()]
        if own or spec != arm["label"]:
            yield arm["shown"], "; ".join([spec, *own])


def _components(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The augmentations of all arms, each once, and the backbone."""
    found = [part for arm in study["arms"] for stage in arm["pipeline"] for part in stage]
    return [*{part["label"]: part for part in found}.values(), study["backbone"]]
