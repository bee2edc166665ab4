"""Two thousand verdicts on random studies, read for contradictions that can be named."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from augbench.statistics import Analysis, Comparison, Condition, Verdict, analyse, remarks, verdict

NUMBER = r"[+−]?\d[\d,]*(?:\.\d+)?"


def random_study(rng: np.random.Generator) -> Analysis:
    """Anything that a study can be: few seeds, holes, failures, collapses, ties, falling curves."""
    n, count = int(rng.integers(1, 14)), int(rng.integers(1, 4))
    sizes = sorted(rng.choice([1, 2, 4, 8, 16, 64], size=int(rng.integers(1, 6)), replace=False))
    curve = rng.uniform(0.1, 0.9) + rng.choice([0.02, 0.1, -0.05, 0]) * np.arange(len(sizes))
    noise = rng.choice([0.0, 1e-4, 0.01, 0.05])
    arms, failed = {}, {}
    luck = rng.normal(0, 0.02, (n, 1))
    for a in range(count + 1):
        gain = rng.choice([0, 1e-6, 0.01, 0.05, 0.3]) * rng.choice([-1, 1], size=len(sizes))
        y = curve + luck + (gain if a else 0) + rng.normal(0, noise or 1e-9, (n, len(sizes)))
        y = np.where(rng.random(y.shape) < rng.choice([0, 0.05]), 0.1, y)
        if rng.random() < 0.3:
            y = np.round(y, 2)  # ties
        hole = rng.random(y.shape) < rng.choice([0, 0, 0.05, 0.3])
        if rng.random() < 0.1:
            hole[:, 0] = True
        name = f"arm{a}" if a else "none"
        arms[name] = np.where(hole, math.nan, np.clip(y, 0, 1))
        failed[name] = hole & (rng.random() < 0.5)
    ruler = np.clip(arms["none"][:, -1:] + 0.03, 0, 1)
    ruler[rng.random(n) < 0.5] = math.nan
    return analyse(
        arms,
        [int(s) for s in sizes],
        failed=failed,
        chance=0.1,
        condition=Condition("x → y", bool(rng.random() < 0.8), "x → x"),
        **({"ruler": ruler, "ruler_sizes": (128,)} if rng.random() < 0.5 else {}),
        **({"ceiling": np.clip(arms["none"][:, 0] + 0.05, 0, 1)} if rng.random() < 0.5 else {}),
        confidence=float(rng.choice([0.9, 0.95, 0.999])),
    )


def contradictions(v: Verdict, c: Comparison, analysis: Analysis) -> list[str]:
    """The names of what is wrong with a verdict's words; independent of how they are made."""
    text = " ".join((v.headline, *v.sentences))
    found = []

    def wrong(name: str, condition: object) -> None:
        if condition:
            found.append(name)

    established = [row for row in c.by_size if row.p_adjusted <= analysis.alpha]
    up = {row.size for row in established if row.difference.mean > 0}
    down = {row.size for row in established if row.difference.mean < 0}
    area = c.p_adjusted <= analysis.alpha
    claims = bool(area or up or down)
    mean = re.search(rf"({NUMBER}) accuracy points", v.headline)
    estimate = float(mean[1].replace("−", "-")) if mean else None

    wrong("nan or infinity", re.search(r"\bnan\b|\binf|∞|None", text))
    wrong("an exponent", re.search(r"\de[+-]?\d", text))
    wrong("negative zero", re.search(r"[−-]0(\.0+)?(?![\d.])", text))
    wrong("helps by nothing", v.kind in ("helps", "hurts") and estimate == 0)
    wrong("helps with a negative estimate", v.kind == "helps" and not (estimate or 0) > 0)
    wrong("hurts with a positive estimate", v.kind == "hurts" and not (estimate or 0) < 0)
    wrong("cannot tell, and a claim", v.kind == "cannot tell" and claims)
    wrong("nothing is claimed, and a claim", "nothing is claimed" in text and claims)
    wrong("a kind without its claim", v.kind in ("helps", "hurts") and not area)
    wrong("mixed without two signs", v.kind == "mixed" and not (
        (up or (area and c.difference.mean > 0)) and (down or (area and c.difference.mean < 0))
    ))  # fmt: skip
    for verb, there in (("helps", up), ("hurts", down)):
        said = re.search(rf"it {verb} at ((?:(?!; |\.$).)*)", " ".join(v.sentences))
        sizes = set(map(int, re.findall(r"(?:^|, | and )(\d+) \(", said[1]))) if said else set()
        wrong(f"{verb} at other sizes", len(c.by_size) > 1 and sizes != there)
    n_seen = max(c.n, *(row.difference.n for row in c.by_size))
    wrong("claims with too few seeds", claims and 2.0 ** (1 - n_seen) > analysis.alpha)
    plan = re.search(rf"(\d+) find a true difference of about ({NUMBER}) points", text)
    wrong("finds what it cannot", plan and int(plan[1]) < c.seeds_needed)
    wrong("an absurd difference", plan and not 0 < float(plan[2]) < 100)
    wanted = re.search(rf"takes about ({NUMBER}) seeds", text)
    wrong("an absurd plan", wanted and not c.n < int(wanted[1].replace(",", "")) <= 1000)
    wrong("an absurd share", [x for x in re.findall(r"(\d+)%", text) if int(x) > 200])
    wrong("a level that is not one", "100%" in re.sub(r"\(?−?\d+% \(.*?\)", "", text))
    wrong("more than one times", re.search(r"(more|less) than 1 times", text))
    wrong("an interval of nothing", re.search(r"\((\S+) to more than \1\b", text))
    for times, size in re.findall(rf"(?<![\d.,])({NUMBER}) times as many at (\d+)", text):
        factor, at = float(times.replace(",", "")), int(size)
        wrong("labels against a gain", at in up and factor < 1)
        wrong("labels against a loss", at in down and factor > 1)
    holds_zero = c.difference.lower <= 0 <= c.difference.upper
    wrong("a claim without its caution",
          v.kind in ("helps", "hurts") and holds_zero and "not about" not in text)  # fmt: skip
    lost = c.lost is not None and c.n > 0
    wrong("failures not in the headline", lost and "failed only" not in v.headline)
    wrong("exploratory unsaid", not analysis.condition.primary and "exploratory" not in v.headline)
    wrong("unpunctuated", not all(s.endswith(".") for s in (v.headline, *v.sentences)))
    wrong("two spaces or marks", re.search(r"  |\.\.|, ,|\( ?\)|;;", text))
    wrong("one seeds", re.search(r"\b1 (seeds|cells|whole seeds)\b", text))
    return found


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 4))]
)
def test_five_hundred_random_verdicts_contradict_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    read, kinds, problems = 0, set(), []
    while read < 500:
        analysis = random_study(rng)
        for c, v in zip(analysis.comparisons, verdict(analysis), strict=True):
            read += 1
            kinds.add(v.kind)
            for name in contradictions(v, c, analysis):
                problems.append((name, v.headline, *v.sentences))
        for line in remarks(analysis):
            if re.search(r"\bnan\b|100%|−0\b", line):
                problems.append(("remark", line))
    assert not problems, "\n".join("\n  ".join(p) for p in problems[:5])
    assert kinds == {"helps", "hurts", "mixed", "unclear", "cannot tell"}
