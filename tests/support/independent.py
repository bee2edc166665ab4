"""The report's numbers by their definitions: a database read with SQL, NumPy and SciPy alone."""

import itertools
import json
import math
import sqlite3
import zlib

import numpy as np
import sklearn.metrics as skm
from scipy import stats

LEVEL, ALPHA = 0.95, 0.05


class Raw:
    """The latest study of a database, read with SQL and JSON only."""

    def __init__(self, path):
        database = sqlite3.connect(path)
        number, text = database.execute(
            "SELECT id, description FROM studies ORDER BY last_run_at DESC, id DESC"
        ).fetchone()
        self.study = json.loads(text)
        self.cells, self._curves = {}, {}
        labels = {
            name: _classes(data)
            for name, told in self.study["datasets"].items()
            for (data,) in database.execute(
                "SELECT labels FROM test_labels WHERE dataset = ?", (told["content_hash"],)
            )
        }
        self.labels_of, self.predicted = labels, {}
        for *place, status, metrics, correct, seconds, curves, predicted in database.execute(
            "SELECT p.pretrain_dataset, p.finetune_dataset, p.arm, p.samples_per_class, "
            "p.seed, p.budget, c.status, c.metrics, c.correct, c.seconds, "
            "c.curves, c.predicted FROM plans p "
            "LEFT JOIN cells c ON c.key = p.key WHERE p.study = ? ORDER BY p.position",
            (number,),
        ):
            self._curves[tuple(place)] = json.loads(curves or "{}")
            found = json.loads(metrics or "{}")
            if predicted is not None:
                self.predicted[tuple(place)] = _classes(predicted)
                found |= classwise(labels[place[1]], self.predicted[tuple(place)])
            self.cells[tuple(place)] = (status, found, correct, seconds)
        database.close()
        self.sizes = self.study["samples_per_class"]
        self.ruler = [s for s in self.study["ruler_sizes"] if s not in self.sizes]
        self.labels = [arm["shown"] for arm in self.study["arms"]]
        self.n = self.study["seeds"]
        self.budgets = list(dict.fromkeys(place[-1] for place in self.cells))
        self.primary = self.study.get("primary_budget", self.budgets[-1])

    def losses(self, pair, label, size, budget):
        """The pretraining losses of every computed cell [n, W]."""
        found = [self._curves[(*pair, label, size, i, budget)] for i in range(self.n)]
        return np.array([one["pretrain"]["loss"] for one in found if "pretrain" in one])

    def y(self, pair, label, sizes, metric="accuracy", budget=None):
        """A metric at a budget, by default the primary one."""
        at = budget or self.primary
        rows = [
            [
                self.cells.get((*pair, label, s, i, at), (0, {}))[1].get(metric, np.nan)
                for s in sizes
            ]
            for i in range(self.n)
        ]
        return np.array(rows, float)  # [n, K]


def _classes(data):
    """Of at most 256 classes, one byte an image."""
    return np.frombuffer(zlib.decompress(data), np.uint8)


def classwise(labels, predicted):
    """What scikit-learn says of predictions, over the classes that have test images."""
    there = np.unique(labels)
    return {
        "balanced_accuracy": skm.recall_score(
            labels, predicted, labels=there, average="macro", zero_division=0
        ),
        "macro_f1": skm.f1_score(labels, predicted, labels=there, average="macro", zero_division=0),
    }


def t_interval(values):
    kept = values[~np.isnan(values)]
    if len(kept) < 2:
        return (kept.mean() if len(kept) else np.nan, np.nan, np.nan)
    half = stats.t.ppf((1 + LEVEL) / 2, len(kept) - 1) * stats.sem(kept)
    return kept.mean(), kept.mean() - half, kept.mean() + half


def area(y, sizes):
    return np.trapezoid(y, np.log2(sizes), axis=1) / np.ptp(np.log2(sizes))


def signs(n):
    return np.array(list(itertools.product([1, -1], repeat=n)))


def flip_p(delta):
    delta = delta[~np.isnan(delta)]
    return np.mean(abs(signs(len(delta)) @ delta) >= abs(delta.sum()) - 1e-9)


def best_p(values):
    """p-values [arms] of the test that no other arm is better than each, from scores [n, arms]."""
    found = []
    for own in values.T:
        delta = np.nan_to_num(values - own[:, None])
        delta = delta[:, (delta != 0).any(axis=0)]
        flipped = signs(len(delta)) @ delta / np.sqrt((delta**2).sum(axis=0))
        flipped = flipped.max(axis=1, initial=0)  # the first is as observed
        found.append(np.mean(flipped >= flipped[0] - 1e-9))
    return found


def step_down(delta):
    delta = np.nan_to_num(delta)
    scale = np.sqrt((delta**2).sum(axis=0))
    observed = abs(delta.sum(axis=0)) / scale
    flipped = abs(signs(len(delta)) @ delta) / scale
    order = np.argsort(-observed)
    raw = [(flipped[:, order[j:]].max(1) >= observed[k] - 1e-9).mean() for j, k in enumerate(order)]
    return np.maximum.accumulate(raw)[np.argsort(order)]


def family(deltas, sizes):
    """Adjusted p-values and levels [m, 1 + K] of the areas and sizes of m arms' δ [n, K]."""
    columns = np.column_stack([np.column_stack([area(d, sizes), d]) for d in deltas])
    columns = columns[~np.isnan(columns).all(axis=1)]
    columns = np.nan_to_num(columns)
    t = abs(signs(len(columns)) @ columns) / np.sqrt((columns**2).sum(axis=0))  # [2^n, C]
    kinds = ([0] + [1] * len(sizes)) * len(deltas)
    tails = np.empty_like(t)  # of each flip and column, the share of flips whose group reaches it
    for j, kind in enumerate(kinds):
        top = np.sort(t[:, [i for i, other in enumerate(kinds) if other == kind]].max(axis=1))
        tails[:, j] = 1 - np.searchsorted(top, t[:, j] - 1e-9) / len(top)
    order = np.argsort(tails[0], kind="stable")
    raw = [(tails[:, order[j:]].min(axis=1) <= tails[0, k] + 1e-12).mean()
           for j, k in enumerate(order)]  # fmt: skip
    p = np.maximum.accumulate(raw)[np.argsort(order)]
    least = tails.min(axis=1)
    fits = [tail for tail in np.unique(tails) if (least <= tail + 1e-12).mean() <= ALPHA]
    level = (tails <= max(fits, default=0) + 1e-12).mean(axis=0)
    return p.reshape(len(deltas), -1), level.reshape(len(deltas), -1)


def isotonic(y):
    k = len(y)
    return [max(min(np.mean(y[i : j + 1]) for j in range(at, k)) for i in range(at + 1))
            for at in range(k)]  # fmt: skip


def multiplier(y, curves, knots, size):
    """(estimate, censored, low, high): the estimate by definition, the interval on a fine grid.

    All NaN where the baseline's means fall on the segments from the size to the estimate.
    """
    kept = ~np.isnan(y) & ~np.isnan(curves).any(axis=1)
    y, curves, x = y[kept], curves[kept], np.log2(knots)
    fit = np.array(isotonic(curves.mean(axis=0)))
    mean = y.mean()
    if fit[-1] < mean - 1e-12:
        reached = np.inf
    elif fit[0] > mean + 1e-12:
        reached = -np.inf
    else:
        k = next(k for k in range(len(fit)) if fit[k] >= mean - 1e-12)
        reached = x[0] if k == 0 else np.interp(mean, fit[k - 1 : k + 1], x[k - 1 : k + 1])
    grid = np.linspace(x[0], x[-1], 40001)
    gap = y[:, None] - np.array([np.interp(grid, x, curve) for curve in curves])
    half = stats.t.ppf((1 + LEVEL) / 2, len(y) - 1) * gap.std(axis=0, ddof=1) / math.sqrt(len(y))
    inside = abs(gap.mean(axis=0)) <= half
    first, last = gap[:, 0].mean(), gap[:, -1].mean()
    low = -np.inf if inside[0] or first < 0 else grid[inside].min() if inside.any() else np.nan
    high = np.inf if inside[-1] or last > 0 else grid[inside].max() if inside.any() else np.nan
    if not inside.any():
        low, high = (x[-1], np.inf) if gap.mean() > 0 else (-np.inf, x[0])
    ends = sorted((np.log2(size), np.clip(reached, x[0], x[-1])))
    way = (x >= x[x <= ends[0] + 1e-9].max()) & (x <= x[x >= ends[1] - 1e-9].min())
    pooled = abs(fit - curves.mean(axis=0)) > 1e-12
    if any(pooled[np.isclose(fit, height)].any() for height in fit[way]):
        return np.nan, False, np.nan, np.nan
    value = 2 ** np.clip(reached, x[0], x[-1]) / size
    return (value, np.isinf(reached), 2 ** min(low, reached) / size, 2 ** max(high, reached) / size)


def fieller(a, b):
    kept = ~np.isnan(a + b)
    a, b = a[kept], b[kept]
    f = stats.t.ppf((1 + LEVEL) / 2, len(a) - 1) ** 2 / len(a)
    c = np.cov(a, b)
    squares = [b.mean() ** 2 - f * c[1, 1], -2 * (a.mean() * b.mean() - f * c[0, 1]),
               a.mean() ** 2 - f * c[0, 0]]  # fmt: skip
    low, high = sorted(np.roots(squares).real) if squares[0] > 0 else (-np.inf, np.inf)
    return 100 * a.mean() / b.mean(), 100 * low, 100 * high


def two_way(a, b):
    d = a.astype(float) - b
    n, images = d.shape
    seed, image = d.mean(axis=1), d.mean(axis=0)
    ms_seed, ms_image = images * seed.var(ddof=1), n * image.var(ddof=1)
    rest = d - seed[:, None] - image + d.mean()
    extra = max(0, ms_image - (rest**2).sum() / ((n - 1) * (images - 1)))
    df = (n - 1) * ((ms_seed + extra) / ms_seed) ** 2
    half = max(
        stats.t.ppf((1 + LEVEL) / 2, df) * math.sqrt((ms_seed + extra) / d.size),
        stats.t.ppf((1 + LEVEL) / 2, n - 1) * math.sqrt(ms_seed / d.size),
    )
    return 100 * d.mean(), 100 * (d.mean() - half), 100 * (d.mean() + half)


def detectable(n, level):
    """The effect/sd that sign flips of n normal seeds find four times in five, by simulation."""
    if ALPHA * 2.0 ** (n - 1) < 2:
        return np.nan
    level = max(level, 2.0 ** (1 - n))
    noise = np.random.default_rng(123).standard_normal((n, 4000))
    s = signs(n)
    flipped, total = s @ noise, s.sum(axis=1, keepdims=True)

    def power(effect):
        reached = abs(flipped + effect * total) >= abs(noise.sum(axis=0) + n * effect) - 1e-9
        return (reached.mean(axis=0) <= level + 1e-12).mean()

    low, high = 0, 8
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < 0.8 else (low, middle)
    return high


def pairing(a, b):
    kept = ~np.isnan(a + b)
    a, b = a[kept], b[kept]
    return np.corrcoef(a, b)[0, 1], (a - b).var() / (a.var() + b.var())
