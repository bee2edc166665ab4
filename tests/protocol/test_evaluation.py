import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from augbench.protocol.evaluation import evaluate, expected_calibration_error, fit_temperature


def test_all_measures_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], dtype=torch.float64)
    (measured,) = evaluate(probabilities.log()[None], torch.tensor([0, 0, 0]))
    assert measured.accuracy == pytest.approx(2 / 3)
    assert measured.nll == pytest.approx(-np.log([0.9, 0.4, 0.8]).mean())
    # One image in each of three bins: the error of each is its own.
    assert measured.ece == pytest.approx((0.1 + 0.6 + 0.2) / 3)
    assert measured.correct == bytes([0b10100000])


def test_calibration_error_pools_the_images_of_a_bin():
    confidence = torch.tensor([0.61, 0.62, 0.63, 0.64], dtype=torch.float64)
    correct = torch.tensor([True, True, False, False])
    sure = torch.ones(4, dtype=torch.float64)
    all_three = torch.stack([confidence, sure, sure])
    right, wrong = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)
    errors = expected_calibration_error(all_three, torch.stack([correct, right, wrong]))
    assert errors.tolist() == [pytest.approx(abs(0.5 - 0.625)), 0, 1]


def test_temperature_changes_likelihood_and_no_prediction():
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 4
    both = logits.expand(2, -1, -1)
    cold, hot = evaluate(both, labels, torch.tensor([0.5, 4]))
    assert evaluate(both, labels, 4) == [hot, hot]
    assert cold.accuracy == hot.accuracy
    assert cold.correct == hot.correct
    by_hand = -special.log_softmax(logits.double().numpy() / 4, axis=1)[range(50), labels].mean()
    assert hot.nll == pytest.approx(by_hand)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(0.2, 8), noise=st.floats(0.5, 3))
def test_the_temperature_is_where_scipy_finds_the_minimum(seed, scale, noise):
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, (300, 5))
    labels = (truth + rng.gumbel(0, noise, truth.shape)).argmax(1)
    logits = truth * scale
    held_out = torch.from_numpy(logits)[None], torch.from_numpy(labels)[None]
    (found,) = fit_temperature(*held_out).tolist()

    def loss(log_temperature):
        z = special.log_softmax(logits / np.exp(log_temperature), axis=1)
        return -z[np.arange(300), labels].mean()

    best = optimize.minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded")
    assert loss(np.log(found)) <= best.fun + 1e-9
    assert found == pytest.approx(np.exp(best.x), rel=1e-2)


def test_the_temperature_stays_within_its_bounds():
    labels = torch.tensor([[0, 1], [0, 1]])
    found = fit_temperature(torch.stack([torch.eye(2) * 1e-3, torch.eye(2).flip(0) * 9]), labels)
    assert found.tolist() == [pytest.approx(0.05, rel=1e-3), pytest.approx(20, rel=1e-3)]


def test_many_classifiers_are_measured_as_each_alone(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 40, 3, generator=generator) * 3
    labels = torch.randint(3, (5, 40), generator=generator)
    logits[2] = torch.nan  # its own affair
    together = evaluate(logits, labels[0], fit_temperature(logits, labels))
    for k in (0, 1, 3, 4):
        (alone,) = evaluate(
            logits[k, None], labels[0], fit_temperature(logits[k, None], labels[k, None])
        )
        assert together[k] == alone
    monkeypatch.setattr("augbench.protocol.evaluation._VALUES_AT_ONCE", 250)  # two at a time
    in_parts = evaluate(logits, labels[0], fit_temperature(logits, labels))
    assert [in_parts[k] for k in (0, 1, 3, 4)] == [together[k] for k in (0, 1, 3, 4)]
