"""Every number of the page, computed again from the raw database with NumPy and SciPy alone."""

import itertools
import math
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from independent import (
    LEVEL,
    Raw,
    area,
    best_p,
    detectable,
    family,
    fieller,
    flip_p,
    multiplier,
    pairing,
    step_down,
    t_interval,
    two_way,
)
from scipy import stats
from synthetic import fill, make_study
from tables import Page

from augbench.reports.page import render_page
from augbench.results import StudyResult
from augbench.store import Store


class Check:
    """Holds cells against numbers, and counts them, so that none is left over."""

    def __init__(self, page):
        self.page, self.labels = page, Counter()
        self.left = {
            (name, i, key)
            for name, rows in page.tables.items()
            for i, row in enumerate(rows)
            for key, cell in row.items()
            if cell.value
            and key
            not in (
                "augmentation",
                "size",
                "agreement",
                "budget",
                "kind",
                "headline",
                "converged",
                "front",
            )
        }

    def row(self, table, augmentation, size=None):
        for i, row in enumerate(self.page.tables[table]):
            if row["augmentation"].text == augmentation and size in (
                None,
                row.get("size") and row["size"].text,
            ):
                return i
        raise AssertionError((table, augmentation, size))

    def told(self, kind, table, i, established):
        """Labels are told where the difference is established, and the cell is empty elsewhere."""
        cell = self.page.tables[table][i]["multiplier"]
        assert bool(cell.text) == established, (table, i)
        assert established or (cell.value, cell.low, cell.high) == ("", None, None)
        self.labels[kind, bool(established)] += 1

    def __call__(self, table, i, key, value, low=None, high=None, tolerance=1e-9):
        cell = self.page.tables[table][i][key]
        where = (table, i, key)
        self.left.discard(where)
        for mine, shown in ((value, cell.number), (low, cell.low), (high, cell.high)):
            if mine is None:
                continue
            if mine is None or np.isnan(mine):
                assert shown is None or np.isnan(shown), where
            else:
                assert shown == pytest.approx(mine, rel=tolerance, abs=tolerance), where


def check_page(path):
    """Compute every number of the page of the store's latest study again.

    Returns how many there are, and how many labels are told and left out.
    """
    with Store.read(path) as store:
        page = Page(render_page(StudyResult(store.study())))
        raw = Raw(store.path)
    check = Check(page)
    total = len(check.left)
    arms = [label for label in raw.labels if label != "none"]
    for number, pair in enumerate(map(tuple, raw.study["pairs"])):
        _effects(check, raw, pair, arms, number)
        _sizes(check, raw, pair, arms, number)
        _best(check, raw, pair, number)
        _others(check, raw, pair, arms, number)
        _budgets(check, raw, pair, arms, number)
        _convergence(check, raw, pair, number)
        _cost(check, raw, pair, number)
        _curves(page.data["curves"], raw, pair, number)
        _classes(check, raw, pair, number)
    _summary(check, raw, arms)
    _blocks(check, raw, arms)
    _cells(check, raw)
    assert not check.left
    return total, check.labels


def _summary(check, raw, arms):
    """The table that the page opens with: the first pair's differences, the best first."""
    pair = tuple(raw.study["pairs"][0])
    adjusted, _ = _family(raw, pair, arms)
    shown = [row["augmentation"].text for row in check.page.tables["summary"]]
    y = {label: raw.y(pair, label, raw.sizes) for label in ("none", *arms)}
    deltas = {label: y[label] - y["none"] for label in arms}
    averages = {label: t_interval(area(deltas[label], raw.sizes)) for label in arms}
    assert shown == sorted(arms, key=lambda label: -averages[label][0])
    for a, label in enumerate(arms):
        i = shown.index(label)
        for k, size in enumerate(raw.sizes):
            interval = t_interval(deltas[label][:, k])
            check("summary", i, str(size), *(100 * v for v in interval))
        mean, low, high = (100 * v for v in averages[label])
        check("summary", i, "average", mean, low, high)
        check("summary", i, "interval", low)
        check("summary", i, "p", adjusted[a, 0])
        signs = [averages[label][0], *np.nanmean(deltas[label], axis=0)]
        sure = [sign > 0 for sign, p in zip(signs, adjusted[a], strict=True) if p <= 0.05]
        told = " and ".join(["helps"] * (True in sure) + ["hurts"] * (False in sure))
        assert check.page.tables["summary"][i]["established"].text == (told or "undecided")
        check.left.discard(("summary", i, "established"))


def _effects(check, raw, pair, arms, number):
    areas = {label: area(raw.y(pair, label, raw.sizes), raw.sizes) for label in raw.labels}
    p = [flip_p(areas[a] - areas["none"]) for a in arms]
    adjusted, levels = _family(raw, pair, arms)
    knots = sorted(raw.sizes + raw.ruler)
    for k, label in enumerate(arms):
        table, i = f"effects-{number}", check.row(f"effects-{number}", label)
        delta = areas[label] - areas["none"]
        kept = delta[~np.isnan(delta)]
        n = len(kept)
        paired = np.where(np.isnan(delta), np.nan, 1)
        check(table, i, "difference", *(100 * v for v in t_interval(delta)))
        check(table, i, "aulc", *(100 * v for v in t_interval(areas[label] * paired)))
        check(table, i, "baseline_aulc", *(100 * v for v in t_interval(areas["none"] * paired)))
        check(table, i, "p", p[k])
        check(table, i, "p_adjusted", adjusted[k, 0])
        check(table, i, "least_p", 2.0 ** (1 - n))
        exact = stats.binomtest(int((kept > 0).sum()), int((kept != 0).sum())).proportion_ci(LEVEL)
        share = ((kept > 0).sum() + (kept == 0).sum() / 2) / n
        check(table, i, "improvement", share, exact.low, exact.high)
        found = [
            multiplier(raw.y(pair, label, [s])[:, 0], raw.y(pair, "none", knots), knots, s)
            for s in raw.sizes
        ]
        average = math.exp(np.mean(np.log([m[0] for m in found])))
        sides = {
            m[0] * s > 0.999 * knots[-1] for m, s in zip(found, raw.sizes, strict=True) if m[1]
        }
        if adjusted[k, 0] <= 0.05:
            check(table, i, "multiplier", np.nan if len(sides) > 1 else average)
        check.told("effects", table, i, adjusted[k, 0] <= 0.05)
        correlation, ratio = pairing(areas[label], areas["none"])
        check(table, i, "correlation", correlation)
        check(table, i, "variance_ratio", ratio)
        smallest = 100 * kept.std(ddof=1) * detectable(n, levels[k, 0])
        check(table, i, "detectable", smallest, tolerance=0.05)  # both are simulated
        check(table, i, "n", n)
        said = check.page.data["report"]["pairs"][number]["verdicts"][k]
        _verdict(said, t_interval(delta), adjusted[k, 0], int((kept > 0).sum()), n)
        assert said["headline"] in check.page.words


def _family(raw, pair, arms):
    """The family's p-values, with failed cells dropped and at chance: the greater counts."""
    y = {label: raw.y(pair, label, raw.sizes) for label in ("none", *arms)}
    bound = {}
    for label, table in y.items():
        failed = [
            [raw.cells[(*pair, label, s, i, raw.primary)][0] == "failed" for s in raw.sizes]
            for i in range(raw.n)
        ]
        bound[label] = np.where(failed, 1 / len(raw.study["datasets"][pair[1]]["classes"]), table)
    deltas, harsh = ([one[a] - one["none"] for a in arms] for one in (y, bound))
    p, levels = family(deltas, raw.sizes)
    if all(np.array_equal(y[label], bound[label], equal_nan=True) for label in y):
        return p, levels
    p_bound, levels_bound = family(harsh, raw.sizes)
    for a, (delta, other) in enumerate(zip(deltas, harsh, strict=True)):
        for k in range(1 + len(raw.sizes)):
            one, two = (
                np.nansum(area(d, raw.sizes) if k == 0 else d[:, k - 1]) for d in (delta, other)
            )
            p[a, k] = max(p[a, k], p_bound[a, k]) if one * two > 0 else 1.0
    return p, np.minimum(levels, levels_bound)


def _verdict(said, interval, p, wins, n):
    """The numbers of a verdict's words, rounded as they are."""
    words = " ".join([said["headline"], *said["sentences"]]).replace("−", "-")
    number = r"([+-][\d.]+)"
    points = re.search(rf"{number} accuracy points .*? {number} to {number}, (\d+) seeds", words)
    decimals = len(points[1].partition(".")[2])
    for mine, shown in zip(interval, points.groups()[:3], strict=True):
        assert float(shown) == pytest.approx(100 * mine, abs=0.501 * 10**-decimals)
    assert int(points[4]) == n
    assert f"p = {p:.2g}" in words
    assert f"Better in {wins} of {n} seeds" in words


def _sizes(check, raw, pair, arms, number):
    table = f"sizes-{number}"
    plain = raw.y(pair, "none", raw.sizes)
    deltas = {label: raw.y(pair, label, raw.sizes) - plain for label in arms}
    within = {label: step_down(deltas[label]) for label in arms}
    adjusted, _ = _family(raw, pair, arms)
    knots = sorted(raw.sizes + raw.ruler)
    curves = raw.y(pair, "none", knots)
    images = raw.study["datasets"][pair[1]]["test_size"]
    for (a, label), (k, size) in itertools.product(enumerate(arms), enumerate(raw.sizes)):
        i = check.row(table, label, str(size))
        treated, delta = raw.y(pair, label, [size])[:, 0], deltas[label][:, k]
        check(table, i, "difference", *(100 * v for v in t_interval(delta)))
        check(table, i, "p_within", within[label][k])
        check(table, i, "p_adjusted", adjusted[a, 1 + k])
        value, _, low, high = multiplier(treated, curves, knots, size)
        if adjusted[a, 1 + k] <= 0.05:
            check(table, i, "multiplier", value, low, high, tolerance=1e-3)
        check.told("sizes", table, i, adjusted[a, 1 + k] <= 0.05)
        bits = [
            [raw.cells[(*pair, one, size, seed, raw.primary)][2] for one in (label, "none")]
            for seed in np.flatnonzero(~np.isnan(delta))
        ]
        sides = zip(*bits, strict=True)
        both = [
            np.array([np.unpackbits(np.frombuffer(b, "u1"))[:images] for b in s]) for s in sides
        ]
        check(table, i, "beyond", *two_way(*both))
        if raw.study["references"]:
            ceiling = raw.y(pair, "none", [None])[:, 0] - plain[:, k]
            if np.nanmean(ceiling) > 0:
                check(table, i, "gap", *fieller(delta, ceiling), tolerance=1e-6)
        correlation, ratio = pairing(treated, plain[:, k])
        check(table, i, "correlation", correlation)
        check(table, i, "variance_ratio", ratio)
        check(table, i, "n", (~np.isnan(delta)).sum())


def _best(check, raw, pair, number):
    """The greater of two p-values: with failed cells missing, and with them at chance."""
    y = np.stack([raw.y(pair, label, raw.sizes) for label in raw.labels])  # [arms, n, K]
    chance = 1 / len(raw.study["datasets"][pair[1]]["classes"])
    places = itertools.product(raw.labels, range(raw.n), raw.sizes)
    failed = [raw.cells[(*pair, a, s, i, raw.primary)][0] == "failed" for a, i, s in places]
    both = y, np.where(np.reshape(failed, y.shape), chance, y)
    for key in (*map(str, raw.sizes), "all"):
        p = np.zeros(len(y))
        for one in both:
            areas = np.stack([area(arm, raw.sizes) for arm in one])
            column = areas if key == "all" else one[:, :, raw.sizes.index(int(key))]
            p = np.maximum(p, best_p(column.T))
        for i, value in enumerate(p):
            check(f"best-{number}", i, key, value)
            words = f"out (p = {value:.2g})" if value <= 0.05 else "may be best"
            assert check.page.tables[f"best-{number}"][i][key].text == words


def _others(check, raw, pair, arms, number):
    columns = {str(s): s for s in sorted(raw.sizes + raw.ruler)}
    if raw.study["references"]:
        columns |= {"floor": 0, "ceiling": None}
    for label in raw.labels:
        i = check.row(f"accuracy-{number}", label)
        for key, size in columns.items():
            check(f"accuracy-{number}", i, key, *t_interval(100 * raw.y(pair, label, [size])[:, 0]))
        for size in raw.sizes:
            table = f"calibration-{number}"
            i = check.row(table, label, str(size))
            for name, factor in (("ece", 100), ("nll", 1)):
                before, after = (factor * raw.y(pair, label, [size], metric)[:, 0]
                                 for metric in (name, f"{name}_scaled"))  # fmt: skip
                check(table, i, name, *t_interval(before))
                check(table, i, f"{name}_scaled", *t_interval(after))
                check(table, i, f"{name}_change", *t_interval(after - before))
    for label, size in itertools.product(arms, raw.sizes):
        i = check.row(f"transfer-{number}", label, str(size))
        ends = []
        for key, metric in (("pretrained", "pretrain_accuracy"), ("finetuned", "accuracy")):
            delta = raw.y(pair, label, [size], metric) - raw.y(pair, "none", [size], metric)
            mean, low, high = (100 * v for v in t_interval(delta[:, 0]))
            check(f"transfer-{number}", i, key, mean, low, high)
            ends.append(int(low > 0) - int(high < 0))
        words = {0: "not established", 1: "same sign", -1: "opposite signs"}
        assert (
            check.page.tables[f"transfer-{number}"][i]["agreement"].text == words[ends[0] * ends[1]]
        )


def _budgets(check, raw, pair, arms, number):
    others = [budget for budget in raw.budgets if budget != raw.primary]
    if not others:
        assert f"budgets-{number}" not in check.page.tables
        return

    def delta(label, budget):
        arm, plain = (raw.y(pair, one, raw.sizes, budget=budget) for one in (label, "none"))
        both = arm - plain
        return np.column_stack([area(both, raw.sizes), both])

    changes = [delta(a, raw.primary) - delta(a, other) for other in others for a in arms]
    p, _ = family([change[:, 1:] for change in changes], raw.sizes)
    rows = iter(range(len(check.page.tables[f"budgets-{number}"])))
    for k, (other, label) in enumerate(itertools.product(others, arms)):
        for j, size in enumerate(["all", *map(str, raw.sizes)]):
            i, change = next(rows), changes[k][:, j]
            row = check.page.tables[f"budgets-{number}"][i]
            told = [row[key].text for key in ("augmentation", "budget", "size")]
            assert told == [label, other, size]
            gone = np.where(np.isnan(change), np.nan, 0)
            for key, budget in (("at_first", other), ("at_second", raw.primary)):
                interval = t_interval(delta(label, budget)[:, j] + gone)
                check(f"budgets-{number}", i, key, *(100 * v for v in interval))
            check(f"budgets-{number}", i, "change", *(100 * v for v in t_interval(change)))
            check(f"budgets-{number}", i, "p", flip_p(change))
            check(f"budgets-{number}", i, "p_adjusted", p[k, j])
            check(f"budgets-{number}", i, "n", (~np.isnan(change)).sum())


def _convergence(check, raw, pair, number):
    guessing = math.log(len(raw.study["datasets"][pair[0]]["classes"]))
    rows = iter(range(len(check.page.tables[f"convergence-{number}"])))
    for budget in raw.budgets:
        late, early = (
            np.hstack([raw.y(pair, a, raw.sizes, budget=b) for a in raw.labels])
            for b in (raw.budgets[-1], budget)
        )
        p = step_down(late - early) if budget != raw.budgets[-1] else None
        for k, (label, size) in enumerate(itertools.product(raw.labels, raw.sizes)):
            i = next(rows)
            row = check.page.tables[f"convergence-{number}"][i]
            told = [row[key].text for key in ("augmentation", "budget", "size")]
            assert told == [label, budget, str(size)]
            losses = raw.losses(pair, label, size, budget)  # [n, W]
            quarters = np.stack(np.split(losses, 4, axis=1))[2:]  # [2, n, W/4]
            third, last = quarters.mean(axis=2)
            late_share = 100 * (third - last).mean() / (guessing - last).mean()
            tests = stats.ttest_ind(*quarters, axis=1, equal_var=False, alternative="greater")
            cut = (tests.pvalue <= 0.01) & (third - last > 0.1 * (guessing - last))
            check(f"convergence-{number}", i, "share", late_share)
            check(f"convergence-{number}", i, "cut_short", cut.sum())
            plain = cut.sum() > len(cut) / 2
            if p is not None:
                rise = late[:, k] - early[:, k]
                interval = (100 * v for v in t_interval(rise))
                check(f"convergence-{number}", i, "rise", *interval)
                check(f"convergence-{number}", i, "rise_p", p[k])
                plain |= p[k] <= 0.05 and np.nanmean(rise) >= 0.01
            assert row["converged"].text == ("plainly not" if plain else "–")


def _cost(check, raw, pair, number):
    """Every cell was measured alike, with one pass a step."""
    classes = len(raw.study["datasets"][pair[0]]["classes"])
    rows = iter(range(len(check.page.tables[f"cost-{number}"])))
    for size in raw.sizes:
        batch = min(raw.study["settings"]["batch_size"], size * classes)
        choices = list(itertools.product(raw.budgets, raw.labels))
        steps = {budget: int(budget.split()[0].replace(",", "")) for budget in raw.budgets}
        means = {c: np.nanmean(raw.y(pair, c[1], [size], budget=c[0])) for c in choices}
        for budget, label in choices:
            i = next(rows)
            row = check.page.tables[f"cost-{number}"][i]
            told = [row[key].text for key in ("augmentation", "budget", "size")]
            assert told == [label, budget, str(size)]
            check(f"cost-{number}", i, "images", steps[budget] * batch)
            seconds = raw.y(pair, label, [size], "pretrain_seconds", budget)
            check(f"cost-{number}", i, "seconds", np.nanmean(seconds))
            accuracy = 100 * raw.y(pair, label, [size], budget=budget)[:, 0]
            check(f"cost-{number}", i, "accuracy", *t_interval(accuracy))
            beaten = any(
                (steps[b] <= steps[budget] and means[b, a] > means[budget, label])
                or (steps[b] < steps[budget] and means[b, a] >= means[budget, label])
                for b, a in choices
            )
            assert row["front"].text == ("" if beaten else "best")


def _classes(check, raw, pair, number):
    table, names = f"classes-{number}", raw.study["datasets"][pair[1]]["classes"]
    labels, at = raw.labels_of[pair[1]], raw.primary
    for k, name in enumerate(names):
        assert check.page.tables[table][k]["class"].text == name
        check.left.discard((table, k, "class"))
        for i, label in enumerate(raw.labels):
            cells = [(*pair, label, raw.sizes[-1], seed, at) for seed in range(raw.n)]
            given = [raw.predicted[place] for place in cells if place in raw.predicted]
            recalls = [100 * np.mean(one[labels == k] == k) for one in given]
            check(table, k, f"arm-{i}", *t_interval(np.array(recalls)))


def _blocks(check, raw, arms):
    pairs = list(map(tuple, raw.study["pairs"]))
    if len(pairs) < 2:
        return
    for label in arms:
        i = check.row("across-pairs", label)
        means = []
        for k, pair in enumerate(pairs):
            both = (area(raw.y(pair, one, raw.sizes), raw.sizes) for one in (label, "none"))
            delta = 100 * np.subtract(*both)
            check("across-pairs", i, f"pair-{k}", *t_interval(delta))
            means.append(np.nanmean(delta))
        check("across-pairs", i, "overall", *t_interval(np.array(means)))


def _cells(check, raw):
    rows = check.page.tables["cells"]
    assert len(rows) == len(raw.cells)
    for i, (place, (status, metrics, _, seconds)) in enumerate(raw.cells.items()):
        row = rows[i]
        size = {0: "floor", None: "ceiling"}.get(place[3], str(place[3]))
        assert row["pair"].text == f"{place[0]} → {place[1]}"
        assert [row[k].text for k in ("augmentation", "budget", "size", "seed")] == [
            place[2],
            place[5],
            size,
            str(place[4]),
        ]
        assert row["status"].text == (status or "missing")
        check("cells", i, "accuracy", 100 * metrics.get("accuracy", np.nan))
        check("cells", i, "seconds", np.nan if seconds is None else seconds)
        for key in (
            "budget",
            "seed",
            "status",
            "engine",
            "device",
            "environment",
            "finished",
            "error",
        ):
            check.left.discard(("cells", i, key))


def _curves(curves, raw, pair, number):
    sizes = sorted(raw.sizes + raw.ruler)
    assert curves["sizes"] == sizes
    for metric, drawn in zip(curves["metrics"], curves["pairs"][number]["metrics"], strict=True):
        factor = 100 if metric["unit"] == "%" else 1
        y = {a: factor * raw.y(pair, a, sizes, metric["name"]) for a in raw.labels}
        wanted = [(drawn["arms"][i], y[a]) for i, a in enumerate(raw.labels)]
        wanted += [(drawn["differences"][i], y[a] - y["none"])
                   for i, a in enumerate(raw.labels) if a != "none"]  # fmt: skip
        for name, size in (("floor", 0), ("ceiling", None)) if raw.study["references"] else ():
            reference = factor * raw.y(pair, "none", [size], metric["name"])
            wanted.append((drawn["references"][name], reference))
        for arm, table in wanted:
            rows = np.array([t_interval(column) for column in table.T])
            for key, column in zip(("mean", "lower", "upper"), rows.T, strict=True):
                np.testing.assert_allclose(np.array(arm[key], float), column, rtol=6e-7, atol=1e-9)
            np.testing.assert_allclose(np.array(arm["seeds"], float), table, rtol=6e-7)
            assert arm["n"] == list((~np.isnan(table)).sum(axis=0))


def test_every_number_of_a_whole_study_is_computed_again(tmp_path):
    study = make_study(
        ("collage", "mixup", "cutmix"),
        pairs=(("digits", "letters"), ("digits", "digits")),
        sizes=(1, 2, 4, 8),
        ruler=(16, 32),
        references=True,
    )
    fill(tmp_path, study)
    numbers, labels = check_page(tmp_path)
    assert numbers > 1500
    kinds = list(itertools.product(("effects", "sizes"), (True, False)))
    assert all(labels[kind] for kind in kinds)  # each kind of table has some of either


def test_every_number_of_a_study_with_holes_is_computed_again(tmp_path):
    holes = [("mixup", 2, 3), ("mixup", 8, 5), ("none", 4, 6), ("none", 32, 1), ("none", None, 2)]
    study = make_study(("collage", "mixup"), seeds=9, ruler=(16, 32), references=True)
    fill(tmp_path, study, fail=holes[:3], skip=holes[3:])
    assert check_page(tmp_path)[0] > 500


@pytest.mark.parametrize("primary", [None, 2000])
def test_every_number_of_a_study_of_three_budgets_is_computed_again(tmp_path, primary):
    budgets = (500, 2000, 8000)
    study = make_study(
        ("collage", "mixup"), sizes=(1, 2, 8), budgets=budgets, primary_budget=primary
    )
    fill(tmp_path, study, skip=[("mixup", 2, 3)])
    assert check_page(tmp_path)[0] > 300


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("AUGBENCH_DATA"), reason="needs MNIST in AUGBENCH_DATA")
def test_every_number_of_eight_seeds_on_mnist_is_computed_again(tmp_path):
    from augbench import run

    run(
        ["collage", "mixup"],
        pretrain_datasets=("mnist",),
        finetune_datasets=("mnist",),
        seeds=8,
        ruler_sizes=(128, 256),
        references=True,
        finetune_samples_per_class=72,
        data_root=Path(os.environ["AUGBENCH_DATA"]),
        out=tmp_path,
    )
    assert check_page(tmp_path)[0] > 1500
