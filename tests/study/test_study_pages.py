"""The pages of `docs/study` say what its committed stores hold, and no number that they do not."""

import hashlib
import itertools
import json
import re
import sqlite3
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from augbench.registration import registered_line
from augbench.results import StudyResult
from augbench.store import Store

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "docs" / "study"
STORES = sorted(path.parent for path in STUDY.glob("stores/*/augbench.sqlite"))
TEMPLATES = sorted(STUDY.glob("pages/*.j2"))

ASKED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
ALLOWED = re.compile(
    r"^```.*?^```|`[^`\n]*`|^\d\. |\]\([^)]*\)|https?://\S+"  # code and links
    r"|CIFAR-10|SD-19|group 41|arXiv \d{4}\.\d{5}|\b(19|20)\d\d\b",  # names and years
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def pages():
    """The module that renders the pages."""
    sys.path.insert(0, str(STUDY))
    try:
        import pages

        yield pages
    finally:
        sys.path.remove(str(STUDY))
        for name in ("pages", "experiment", "claims", "stores", "twice", "figures"):
            sys.modules.pop(name, None)


def test_every_page_is_what_its_stores_say(pages):
    rendered = pages.rendered()
    assert len(rendered) == len([one for one in TEMPLATES if one.name.endswith(".md.j2")]) >= 3
    for path, text in rendered.items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python docs/study/pages.py"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_number_of_its_own(template):
    text = template.read_text(encoding="utf-8")
    left = ALLOWED.sub("", ASKED.sub("", text))
    assert re.findall(r".*\d.*", left) == []
    for asked in ASKED.findall(text):  # places and signs, and no figures
        assert not re.search(r"[4-9]|\d[\d.]", re.sub(r"\"[^\"]*\"|\w*[a-z]\w*", "", asked)), asked


@pytest.mark.parametrize(
    "pair", ["mnist-mnist", "letters-letters", "mnist-letters", "letters-mnist"]
)
def test_the_handouts_experiment_is_whole_and_as_registered(pair):
    folder = STUDY / "stores" / pair
    with Store.read(folder) as store:
        (first, *_) = [StudyResult(store.study(number)) for number, *_ in store.studies()]
    assert first.missing == first.failed == ()
    assert registered_line(first, folder).endswith("no deviations")


def test_the_stores_are_small_and_hold_nothing_that_no_page_uses():
    assert sum(path.stat().st_size for path in STUDY.rglob("*") if path.is_file()) < 40e6
    for folder in STORES:
        database = sqlite3.connect(f"file:{folder / 'augbench.sqlite'}?mode=ro", uri=True)
        assert database.execute("SELECT DISTINCT curves, predicted FROM cells").fetchall() == [
            ("{}", None)
        ]
        planned, there, failed = database.execute(
            "SELECT count(*), count(cells.key), sum(status != 'ok') FROM "
            "(SELECT DISTINCT key FROM plans) LEFT JOIN cells USING (key)"
        ).fetchone()
        assert not failed, folder.name
        assert 0 < there <= planned
        database.close()


@pytest.mark.parametrize("file", sorted(STUDY.glob("studies/*.toml")), ids=lambda path: path.stem)
def test_every_study_file_is_as_it_was_registered(file):
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    folder = (file.parent / settings["out"]).resolve()
    told = [
        json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("registration-*.json")
    ]
    (one,) = [each for each in told if each["file"] == file.name]
    assert one["file_hash"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_claims_agree_with_scipy(pages):
    """The differences behind a claim, read with SQL alone, and SciPy's test of them."""
    import claims

    folder = STUDY / "stores" / "mnist-mnist"
    database = sqlite3.connect(f"file:{folder / 'augbench.sqlite'}?mode=ro", uri=True)
    rows = database.execute(
        "SELECT DISTINCT arm, plans.samples_per_class, plans.seed, "
        "json_extract(metrics, '$.accuracy') FROM plans JOIN cells USING (key) "
        "WHERE budget LIKE '2%000 steps'"
    ).fetchall()
    database.close()
    value = {tuple(row[:3]): row[3] for row in rows}
    seeds = range(1 + max(seed for *_, seed, _ in rows))
    differences = np.array(
        [
            np.mean([value["collage", s, seed] - value["mixup", s, seed] for s in claims.SMALL])
            for seed in seeds
        ]
    )
    found = pages.Experiment().found["collage-small"]["mnist-mnist"]
    half = stats.t.ppf(0.975, len(seeds) - 1) * differences.std(ddof=1) / len(seeds) ** 0.5
    np.testing.assert_allclose(
        (found.difference.lower, found.difference.mean, found.difference.upper),
        (differences.mean() - half, differences.mean(), differences.mean() + half),
    )


def test_a_seed_is_judged_where_the_mean_of_the_others_is_highest(pages):
    import claims

    rng = np.random.default_rng(0)
    arms, sizes, seeds = ("none", "mixup"), (1, 2, 4), tuple(range(6))
    lengths = [
        claims.Scores(sizes, {arm: rng.random((6, 3)) for arm in arms}, seeds) for _ in range(4)
    ]
    best = claims.at_best(lengths)
    for arm in arms:
        for k, seed in itertools.product(range(3), seeds):
            chosen = max(lengths, key=lambda one: np.delete(one.of[arm][:, k], seed).mean())
            assert best.of[arm][seed, k] == chosen.of[arm][seed, k]


def test_a_change_is_tested_on_the_seeds_and_sizes_that_both_conditions_have(pages):
    import claims

    rng = np.random.default_rng(1)

    def scores(sizes, seeds, gain):
        plain = rng.random((len(seeds), len(sizes)))
        of = {"none": plain, "collage": plain + gain, "mixup": plain}
        return claims.Scores(sizes, of, seeds)

    now = {"pair": scores((1, 16, 32), tuple(range(8)), 0.3)}
    then = {"pair": scores((1, 2, 16, 32, 64), tuple(range(20)), 0.1)}
    found = claims.changed(now, then)["helps-collage"]["pair"]
    assert found.verdict == "confirmed"
    assert found.p == 2 / 2**8
    np.testing.assert_allclose(found.difference.mean, 0.2)
    assert found.difference.n == 8


def test_the_same_data_set_is_compared_with_the_other_by_seed(pages):
    experiment = pages.Experiment()
    there = experiment.scores["handout"]
    own, other = there["letters-letters"], there["mnist-letters"]
    columns = [other.sizes.index(size) for size in own.sizes]
    differences = (own.of["mixup"] - other.of["mixup"][:, columns]).mean(axis=1)
    found = experiment.same["letters, mixup"].difference
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    np.testing.assert_allclose((found.lower, found.upper), interval)


def test_two_computations_of_a_study_are_compared_seed_by_seed_apart(pages):
    """Welch's test from the accuracies themselves, where the page has it from means and spreads."""
    import stores
    from twice import twice

    budget = "8,000 steps"
    names = ("clothing-first", "clothing")
    found = twice(*(stores.answer(name, budget) for name in names))
    studies = [stores.study(name, budget) for name in names]
    for arm, (*points, _) in found.by_arm.items():
        first, second = (
            one.values(one.pairs[0], arm) - one.values(one.pairs[0], "none") for one in studies
        )
        p = stats.ttest_ind(first, second, equal_var=False, nan_policy="omit").pvalue
        assert [both in found.apart for both in points] == list(p <= 0.05)
        for k, (one, two) in enumerate(points):
            np.testing.assert_allclose(one.difference.mean, np.nanmean(first[:, k]))
            np.testing.assert_allclose(two.difference.mean, second[:, k].mean())
    assert len(found.all) == 6 * (4 + 1)
    assert found.established[2] <= min(found.established[:2])
