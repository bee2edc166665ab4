"""Further tables of the report: other metrics, new images, other pairs, and every cell."""

from __future__ import annotations

import math

import numpy as np

from augbench.exchange.exporting import cell_rows
from augbench.reports.numbers import fixed, p_text, span
from augbench.reports.tables import Column, Entry, Table, difference, estimate
from augbench.results import Pair, StudyResult
from augbench.statistics import (
    Analysis,
    across_datasets,
    aulc,
    calibration_summary,
    transfer,
    two_way_interval,
    unpack,
)

__all__ = ["blocks_table", "calibration_table", "cells_table", "for_new_images", "transfer_table"]

_NAMES = (
    Column("augmentation", "augmentation", words=True),
    Column("size", "s", "Pretraining samples per class"),
)


def calibration_table(
    result: StudyResult, pair: Pair, name: str, confidence: float
) -> Table | None:
    """ECE in per cent and log-likelihood in nats, before and after scaling; None without any."""
    metrics = ("ece", "ece_scaled", "nll", "nll_scaled")
    rows = []
    for label in result.augmentations:
        columns = [result.values(pair, label, metric=metric) for metric in metrics]  # [n, K] each
        for k, size in enumerate(result.sizes):
            one = calibration_summary(*(c[:, k] for c in columns), confidence=confidence)
            ece = calibration_summary(*(100 * c[:, k] for c in columns), confidence=confidence).ece
            rows.append(
                (
                    Entry(label, label),
                    Entry(str(size), size),
                    estimate(ece.before, 2),
                    estimate(ece.after, 2),
                    difference(ece.change, factor=1, decimals=2),
                    estimate(one.nll.before, 3),
                    estimate(one.nll.after, 3),
                    difference(one.nll.change, factor=1, decimals=3),
                )
            )
    if not any(entry.n for row in rows for entry in row):
        return None
    return Table(
        name,
        f"Calibration on {pair[1]}: before and after temperature scaling",
        (
            *_NAMES,
            Column("ece", "ECE, %", "Expected calibration error, 15 bins"),
            Column("ece_scaled", "ECE scaled, %", "After temperature scaling"),
            Column("ece_change", "change", "Paired by seed"),
            Column("nll", "log loss, nats", "Negative log-likelihood"),
            Column("nll_scaled", "log loss scaled", "After temperature scaling"),
            Column("nll_change", "change", "Paired by seed"),
        ),
        tuple(rows),
        "The temperature is fitted on training images that finetuning did not see, never on the "
        "test set.",
    )


def transfer_table(result: StudyResult, pair: Pair, name: str, confidence: float) -> Table | None:
    """The effect on the pretraining head beside that on the finetuned head."""
    if result.baseline is None:
        return None
    heads = ("pretrain_accuracy", "accuracy")
    plain = [result.values(pair, result.baseline, metric=metric) for metric in heads]
    rows = []
    for label in result.augmentations:
        if label == result.baseline:
            continue
        arms = [result.values(pair, label, metric=metric) for metric in heads]
        for k, size in enumerate(result.sizes):
            both = transfer(
                arms[0][:, k], plain[0][:, k], arms[1][:, k], plain[1][:, k], confidence=confidence
            )
            rows.append(
                (
                    Entry(label, label),
                    Entry(str(size), size),
                    difference(both.pretrained),
                    difference(both.finetuned),
                    Entry(both.agreement, both.agreement),
                )
            )
    if not any(row[2].n for row in rows):
        return None
    return Table(
        name,
        f"Transfer: the effect on {pair[0]}, where it trains, beside that on {pair[1]}",
        (
            *_NAMES,
            Column("pretrained", "pretraining head", "Paired difference of its own test accuracy"),
            Column("finetuned", "finetuned head", "Paired difference of the test accuracy"),
            Column("agreement", "signs", "Compared where both intervals leave out 0", words=True),
        ),
        tuple(rows),
        "In accuracy points, paired by seed.",
    )


def for_new_images(result: StudyResult, pair: Pair, analysis: Analysis) -> list[list[Entry]]:
    """For each comparison and size, the interval that holds for new test images as well."""
    images = int(result.stored.description["datasets"][pair[1]]["test_size"])
    return [
        [
            _two_way(
                result, pair, (comparison.augmentation, analysis.baseline), size, images, analysis
            )
            for size in analysis.sizes
        ]
        for comparison in analysis.comparisons
    ]


def _two_way(
    result: StudyResult,
    pair: Pair,
    arms: tuple[str, str],
    size: int,
    images: int,
    analysis: Analysis,
) -> Entry:
    bits: tuple[list[bytes], list[bytes]] = ([], [])
    for seed in range(result.seeds):
        cells = [result.cell(pair, label, size, seed) for label in arms]
        packed = [cell.result.correct for cell in cells if cell and cell.result]
        if len(packed) == 2 and all(len(one) == -(-images // 8) for one in packed):
            for kept, one in zip(bits, packed, strict=True):
                kept.append(one)
    if len(bits[0]) < 2:
        return Entry("–")
    treated, plain = (np.stack([unpack(one, images) for one in arm]) for arm in bits)  # [n, N]
    both = two_way_interval(treated, plain, confidence=analysis.confidence)
    low, high = 100 * both.lower, 100 * both.upper
    text = span(low, high, 2 if high - low < 1 else 1, sign=True)
    return Entry(text, 100 * both.difference, low, high, both.seeds)


def blocks_table(result: StudyResult, name: str, confidence: float) -> Table | None:
    """Over all pairs of data sets, of which each counts once; None for a single pair."""
    baseline = result.baseline
    if baseline is None or len(result.pairs) < 2:
        return None
    effects = {
        label: {
            f"{pair[0]} → {pair[1]}": aulc(result.values(pair, label), result.sizes)
            - aulc(result.values(pair, baseline), result.sizes)
            for pair in result.pairs
        }
        for label in result.augmentations
        if label != baseline
    }
    if not effects:
        return None
    found = across_datasets(effects, confidence=confidence)
    rows = tuple(
        (
            Entry(row.augmentation, row.augmentation),
            *(difference(one.effect) for one in row.effects),
            difference(row.overall),
            Entry(p_text(row.p_holm), row.p_holm),
        )
        for row in found
    )
    refusals = sorted({row.refusal for row in found if row.refusal})
    return Table(
        name,
        "Over all pairs of data sets: ΔAULC in accuracy points",
        (
            Column("augmentation", "augmentation", words=True),
            *(Column(f"pair-{i}", f"{a} → {b}") for i, (a, b) in enumerate(result.pairs)),
            Column("overall", "mean over pairs", "The unit is the pair: seeds are averaged first"),
            Column("p_holm", "p (Holm)", "Exact Wilcoxon over pairs"),
        ),
        rows,
        f"{refusals[0]}." if refusals else "",
    )


def cells_table(result: StudyResult, name: str) -> Table:
    """The status of every planned cell."""
    rows = []
    for row in cell_rows(result):
        size = {"floor": "floor", "ceiling": "ceiling"}.get(row["role"], row["samples_per_class"])
        order = {"floor": 0, "ceiling": math.inf}.get(row["role"], row["samples_per_class"])
        rows.append(
            (
                Entry(f"{row['pretrain_dataset']} → {row['finetune_dataset']}", ""),
                Entry(row["augmentation"], row["augmentation"]),
                Entry(str(size), None if order == math.inf else order),
                Entry(str(row["seed"]), row["seed"]),
                Entry(row["status"], row["status"]),
                _number(row.get("accuracy"), 100, 2),
                _number(row["seconds"], 1, 2),
                Entry(row["engine"] or "–", row["engine"] or ""),
                Entry(row["device"] or "–", row["device"] or ""),
                Entry("–") if row["environment"] is None else _count(row["environment"] + 1),
                Entry((row["finished_at"] or "–")[:19].replace("T", " "), row["finished_at"] or ""),
                Entry(row["error"] or "", row["error"] or ""),
            )
        )
    return Table(
        name,
        "Every planned cell",
        (
            Column("pair", "pair", words=True),
            Column("augmentation", "augmentation", words=True),
            Column("size", "s", "Pretraining samples per class"),
            Column("seed", "seed"),
            Column("status", "status", words=True),
            Column("accuracy", "accuracy, %"),
            Column("seconds", "seconds", "The cell's share of the time"),
            Column("engine", "engine", words=True),
            Column("device", "device", words=True),
            Column("environment", "env", "Number of the environment, below"),
            Column("finished", "finished (UTC)", words=True),
            Column("error", "error", words=True),
        ),
        tuple(rows),
    )


def _number(value: float | None, factor: float, decimals: int) -> Entry:
    if value is None:
        return Entry("–")
    return Entry(fixed(factor * value, decimals), factor * value)


def _count(number: int) -> Entry:
    return Entry(str(number), number)
