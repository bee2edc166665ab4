"""The noise that a forecast rests on: of a stored study that is alike, or typical values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augbench.errors import AugbenchError, UsageError
from augbench.forecasting.typical import GLYPHS, HANDWRITING
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import Study
from augbench.results import Pair, StudyResult
from augbench.statistics import PairedNoise, paired_noise
from augbench.store import Store

__all__ = ["KnownNoise", "noise_of", "stored_noise", "stored_results", "typical_noise"]

_LOOKED_AT = 5
"""Studies of a store, the latest first, that are asked for noise."""


@dataclass(frozen=True)
class KnownNoise:
    """Noise, its source in words, and whether it is another study's than that of a pilot."""

    noise: PairedNoise
    source: str
    typical: bool


def noise_of(result: StudyResult, pair: Pair | None = None) -> PairedNoise:
    """The noise of a stored study, by its metric, at its first pair by default.

    Raises `UsageError` without a baseline, an arm with results, or 3 whole seeds.
    """
    if result.baseline is None:
        raise UsageError("the study has no baseline, so it has no paired differences")
    scores = {
        label: values
        for label, values in result.scores(pair or result.pairs[0]).items()
        if not np.isnan(values).all()
    }
    return paired_noise(scores, result.sizes, baseline=result.baseline)


def stored_results(folder: Path, metric: str) -> Iterator[StudyResult]:
    """The last studies of the store in a folder, the latest first; none without a store.

    What cannot be read here will be told of where it matters.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Store.read(folder) as store:
                for number, *_ in store.studies()[: -_LOOKED_AT - 1 : -1]:
                    yield StudyResult(store.study(number), metric=metric)
    except AugbenchError:
        return


def stored_noise(folder: Path, study: Study, metric: str) -> KnownNoise | None:
    """The noise of the latest study in a store that is alike and has 3 whole seeds.

    Alike are studies of the same first pair of data sets, the same backbone and first readout, with
    results of the primary budget, whatever theirs is.
    """
    (pretrain, finetune), budget = study.pairs[0], study.judged_by.label
    for result in stored_results(folder, metric):
        pair = (pretrain.name, finetune.name)
        hashes = [_hash(result, name) for name in pair]
        if (
            pair not in result.pairs
            or hashes != [pretrain.content_hash, finetune.content_hash]
            or result.stored.description["backbone"] != study.backbone.to_json()
            or budget not in result.budgets
            or result.view.readout != study.readouts[0]
        ):
            continue
        try:
            noise = noise_of(result.at(budget), pair)
        except UsageError:
            continue
        return KnownNoise(
            noise, f"{noise.seeds} seeds of study {result.stored.id} in the store", False
        )
    return None


def typical_noise(pair: Pair, metric: str) -> KnownNoise | None:
    """Typical noise for two data sets, by their names; None for a metric without any.

    That of the embedded glyphs for these, and that of handwriting for all others.
    """
    if metric != PRIMARY.name:
        return None
    glyphs = all(name.startswith("glyph-") for name in pair)
    chosen = GLYPHS if glyphs else HANDWRITING
    return KnownNoise(chosen.noise, chosen.source, True)


def _hash(result: StudyResult, name: str) -> Any:
    return result.stored.description["datasets"].get(name, {}).get("content_hash")
