"""The rate of wrong claims in whole verdicts, from simulated studies with a known truth.

A study has seeds whose luck is shared by the arms, noise that is correlated along the curve and
larger where labels are few, and a learning curve like that of a small network on digits. A claim
is what the words of a verdict rest on: the sign of the area's difference, and of each size's. It is
wrong where the true mean difference has another sign, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augbench.statistics import Analysis, analyse, aulc, sign_flip, step_down_max_t
from augbench.statistics.claims import claims_of
from augbench.statistics.comparisons import Options, family_of_arms
from augbench.statistics.failures import failures_at_chance

SIZES = (1, 2, 4, 8, 16, 32, 64)
CURVE = 0.97 - 0.45 * np.exp(-np.arange(7) / 2.5)
NOISE = 0.03 * np.exp(-np.arange(7) / 4) + 0.004
CHANCE = 0.1
NOWHERE = (0.0,) * 7
EVERYWHERE = (0.012,) * 7
FEW_LABELS = (0.03, 0.025, 0.02, 0.0, 0.0, 0.0, 0.0)
CROSSING = (0.03, 0.02, 0.01, 0.0, -0.01, -0.012, -0.012)

Rng = np.random.Generator


@dataclass(frozen=True)
class Scenario:
    """The truth of a study: gains of each arm at each size, and how arms vary, collapse and fail.

    `scale` multiplies the own noise of every arm, the baseline first; `collapse` is the chance of
    each arm's cells (or `whole` seeds) to fall to chance, with means kept equal; `fail` that of a
    seed, the worst of its arm, to fail, and `known` says if the analysis is told of failures.
    """

    name: str
    gains: tuple[tuple[float, ...], ...] = (NOWHERE, NOWHERE)
    noise: str = "normal"
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    collapse: tuple[float, ...] = (0.0, 0.0, 0.0)
    fail: tuple[float, ...] = (0.0, 0.0, 0.0)
    known: bool = True
    whole: bool = False

    def truth(self) -> tuple[tuple[int, ...], ...]:
        """The sign of each arm's true difference: of its area, then of its sizes."""
        return tuple(
            tuple(
                int(v)
                for v in np.sign(np.round([float(aulc([gain], SIZES)[0]), *gain], 9)).tolist()
            )
            for gain in self.gains
        )


@dataclass(frozen=True)
class Outcome:
    """Studies, those with a wrong claim, the share of these cautioned, and true claims found."""

    studies: int
    wrong: int
    cautioned: float
    areas: float
    sizes: float


def draw(rng: Rng, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of mean 0 and variance 1; "skewed" has its long tail where seeds are bad."""
    if kind == "skewed":
        return 1 - rng.exponential(size=shape)
    if kind == "heavy":
        return rng.standard_t(3, size=shape) / np.sqrt(3)
    return rng.standard_normal(shape)


def study(rng: Rng, n: int, s: Scenario) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Accuracies [n, 7] of every arm, the baseline first, and which cells failed."""
    arms, failed = {}, {}
    luck = draw(rng, s.noise, (n, 1))
    for a, gain in enumerate((NOWHERE, *s.gains)):
        own = np.cumsum(draw(rng, s.noise, (n, 7)), axis=1) / np.sqrt(np.arange(1, 8))
        own *= s.scale[a]
        y = CURVE + np.array(gain) + (luck + own) * NOISE / np.sqrt(2)
        gone = rng.random((n, 1 if s.whole else 7)) < s.collapse[a]
        # An arm that never collapses has the mean of those that do.
        y -= (max(s.collapse) - s.collapse[a]) * (CURVE - CHANCE)
        name = "none" if a == 0 else f"arm {a}"
        arms[name] = np.clip(np.where(gone, CHANCE, y), 0, 1)
        bad = np.zeros(n, dtype=bool)
        if s.fail[a]:
            # The seeds whose own noise is in the worst tenth (a normal area: quantile −1.28).
            area = own @ np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6
            bad = area < _spread_of_area() * s.scale[a] * -1.2816
            arms[name] = np.where(bad[:, None], np.nan, arms[name])
        if bad.any() and s.known:
            failed[name] = np.tile(bad[:, None], 7)
    return arms, failed


def _spread_of_area() -> float:
    """The standard deviation of the area of one arm's own noise before it is scaled."""
    weights = np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6 / np.sqrt(np.arange(1, 8))
    return float(np.sqrt((np.cumsum(weights[::-1]) ** 2).sum()))


def outcome(n: int, s: Scenario, studies: int, *, seed: int = 0, draws: int = 999) -> Outcome:
    """Test the whole family of that many studies as `analyse` does, and count."""
    rng = np.random.default_rng([seed, n])
    truth = np.array(s.truth())  # [m, 1 + K]
    wrong = looked = cautioned = 0
    areas, sizes = [], []
    for done in range(1, studies + 1):
        arms, failed = study(rng, n, s)
        said = claimed(arms, failed, draws=draws)
        bad = ((said != 0) & (said != truth)).any(axis=1)
        wrong += bad.any()
        # A hundred say well enough how many are cautioned, where the error is not held.
        if bad.any() and looked < 100 and wrong > 0.06 * done:
            looked += 1
            cautioned += _cautioned(arms, failed, bad, draws)
        areas += (said[:, 0] == truth[:, 0])[truth[:, 0] != 0].tolist()
        sizes += (said == truth)[:, 1:][truth[:, 1:] != 0].tolist()
    return Outcome(studies, int(wrong), cautioned / max(looked, 1), _share(areas), _share(sizes))


def claimed(
    arms: dict[str, np.ndarray], failed: dict[str, np.ndarray], *, draws: int = 999
) -> np.ndarray:
    """The claims of the verdicts on all arms, −1, 0 or 1, [m, 1 + K]: areas, then sizes.

    The same as `claims_of` reads from `analyse`, which a test holds, in a tenth of the time.
    """
    options = Options(SIZES, "none", CHANCE, 0.95, 0.05, 0, draws)
    names = [name for name in arms if name != "none"]
    p = family_of_arms(arms, failures_at_chance(arms, failed, CHANCE), names, options).p
    delta = np.stack([arms[name] - arms["none"] for name in names])  # [m, n, K]
    areas = np.stack([aulc(one, SIZES) for one in delta])[:, :, None]
    with np.errstate(invalid="ignore"):
        signs = np.sign(np.nansum(np.concatenate([areas, delta], axis=2), axis=1))
    return np.where(p.reshape(signs.shape) <= 0.05, signs, 0).astype(int)


def _cautioned(
    arms: dict[str, np.ndarray], failed: dict[str, np.ndarray], bad: np.ndarray, draws: int
) -> bool:
    """True where the words warn of a wrong claim: uneven seeds, collapses or failures."""
    analysis = analyse(arms, SIZES, failed=failed, chance=CHANCE, draws=draws)
    wrong = [c for c, one in zip(analysis.comparisons, bad, strict=True) if one]
    return any(
        bool(
            claims.uneven
            or claims.in_doubt
            or c.lost
            or c.collapses.treated
            or c.collapses.baseline
        )
        for c, claims in ((c, claims_of(c, 0.05)) for c in wrong)
    )


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else float("nan")


HELPS = Scenario("one of two arms helps by 5 points everywhere", ((0.05,) * 7, NOWHERE))
SCENARIOS = (
    Scenario("nothing helps, normal noise"),
    Scenario("nothing helps, skewed noise", noise="skewed"),
    Scenario("nothing helps, heavy tails", noise="heavy"),
    Scenario(
        "nothing helps, 8 arms",
        (NOWHERE,) * 8,
        scale=(1.0,) * 9,
        collapse=(0.0,) * 9,
        fail=(0.0,) * 9,
    ),
    Scenario("nothing helps, all collapse in 1 of 10 cells", collapse=(0.1, 0.1, 0.1)),
    HELPS,
    Scenario("both arms help with few labels alone", (FEW_LABELS, FEW_LABELS)),
    Scenario("both arms help and then hurt", (CROSSING, CROSSING)),
    Scenario("equal means, arms vary a third as much, normal", scale=(1.0, 1 / 3, 1 / 3)),
    Scenario(
        "equal means, arms vary a third as much, skewed", noise="skewed", scale=(1.0, 1 / 3, 1 / 3)
    ),
    Scenario("equal means, the baseline alone collapses, 1 of 10 cells", collapse=(0.1, 0.0, 0.0)),
    Scenario(
        "equal means, the baseline alone collapses, 1 of 10 seeds",
        collapse=(0.1, 0.0, 0.0),
        whole=True,
    ),
    Scenario("nothing helps, the worst tenth of each arm fails", fail=(0.0, 0.1, 0.1)),
    Scenario("(the same, failures dropped in silence)", fail=(0.0, 0.1, 0.1), known=False),
)


def errors(studies: int, numbers: Sequence[int] = (6, 8, 10, 20)) -> Iterator[str]:
    """The table of docs/statistics.md: any wrong claim, for each truth and number of seeds."""
    yield "| truth | " + " | ".join(f"n = {n}" for n in numbers) + " |"
    yield "| --- |" + " --- |" * len(numbers)
    for scenario in SCENARIOS:
        cells = []
        for n in numbers:
            found = outcome(n, scenario, studies)
            text = f"{found.wrong / studies:.3f}"
            if found.wrong > 0.08 * studies:
                text += f" ({100 * found.cautioned:.0f} % of them cautioned)"
            cells.append(text)
        yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def procedures(studies: int, n: int, *, seed: int = 1) -> Iterator[str]:
    """One arm under other procedures: any wrong claim, the area and the sizes found."""
    for name, gain in (("nothing", NOWHERE), ("everywhere", EVERYWHERE),
                       ("few labels", FEW_LABELS), ("crossing", CROSSING)):  # fmt: skip
        scenario = Scenario(name, (gain,))
        (truth,) = scenario.truth()
        rng = np.random.default_rng([seed, n])
        tables: dict[str, list[np.ndarray]] = {
            "one family": [],
            "two families": [],
            "area first": [],
        }
        for _ in range(studies):
            arms, _failed = study(rng, n, scenario)
            delta = arms["arm 1"] - arms["none"]
            area, sizes = sign_flip(aulc(delta, SIZES)).p, step_down_max_t(delta)
            signs = np.sign([aulc(delta, SIZES).mean(), *delta.mean(axis=0)])
            tables["one family"].append(claimed(arms, {})[0])
            p = {
                "two families": np.array([area, *sizes]),
                "area first": np.array([area, *np.maximum(area, sizes)]),
            }
            for procedure, values in p.items():
                tables[procedure].append(signs * (values <= 0.05))
        for procedure, rows in tables.items():
            said, there = np.array(rows), np.array(truth)
            wrong = ((said != 0) & (said != there)).any(axis=1).mean()
            area_found = (said[:, 0] == there[0]).mean() if there[0] else np.nan
            found = (
                (said[:, 1:] == there[1:])[:, there[1:] != 0].mean() if there[1:].any() else np.nan
            )
            some = ((said == there) & (there != 0)).any(axis=1).mean()
            cells = [f"{v:.3f}".replace("nan", "–") for v in (wrong, area_found, found, some)]
            yield f"| {n} | {name} | {procedure} | " + " | ".join(cells) + " |"


def selection(studies: int, n: int = 8, *, seed: int = 2) -> Iterator[str]:
    """Rows of a table: quoted size over a true gain of 1.2 points, coverage of the intervals."""
    scenario = Scenario("small", (EVERYWHERE,))
    rng = np.random.default_rng([seed, n])
    quoted: dict[str, list[tuple[float, bool]]] = {
        "the largest established": [], "all established": [], "s = 1 and 64, always": []
    }  # fmt: skip
    for _ in range(studies):
        (c,) = analyse(study(rng, n, scenario)[0], SIZES).comparisons
        rows = claims_of(c, 0.05).sizes
        largest = sorted(rows, key=lambda row: -abs(row.difference.mean))[:1]
        chosen = zip(quoted, (largest, rows, (c.by_size[0], c.by_size[-1])), strict=True)
        for name, group in chosen:
            quoted[name] += [
                (row.difference.mean / 0.012, row.difference.lower <= 0.012 <= row.difference.upper)
                for row in group
            ]
    for name, rows in quoted.items():
        ratio, covered = np.array(rows, float).mean(axis=0)
        yield f"| {name} | {ratio:.2f} | {covered:.2f} |"


def planned_power(studies: int, n: int, *, seed: int = 3) -> float:
    """Share of studies that find an area of exactly the size that a verdict calls detectable."""
    null = Scenario("plan", (NOWHERE, NOWHERE))
    rng = np.random.default_rng([seed, n])
    told = [_first(rng, n, null).comparisons[0].detectable for _ in range(min(studies, 100))]
    gain = float(np.median(told))
    scenario = replace(null, gains=((gain,) * 7, NOWHERE))
    found = [claimed(study(rng, n, scenario)[0], {})[0, 0] > 0 for _ in range(studies)]
    return float(np.mean(found))


def _first(rng: Rng, n: int, s: Scenario) -> Analysis:
    return analyse(study(rng, n, s)[0], SIZES, draws=1999)


def tables(studies: int) -> Iterator[str]:
    """All tables of the whole verdict, as Markdown."""
    yield from errors(studies)
    yield "\n| n | truth | procedure | any wrong claim | area found | sizes found | any found |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for n in (8, 10):
        yield from procedures(studies, n)
    yield "\n| quoted | times the truth | 95 % intervals cover |"
    yield "| --- | --- | --- |"
    yield from selection(studies)
    yield "\n| n | true difference called detectable: found |"
    yield "| --- | --- |"
    for n in (7, 8, 10, 14, 20):
        yield f"| {n} | {planned_power(studies, n):.2f} |"
