import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from augbench.protocol.loss import smoothed, soft_label_cross_entropy


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    targets = torch.rand(6, 5, generator=generator, dtype=torch.float64)
    return logits, targets / targets.sum(1, keepdim=True)


def test_equals_torchs_cross_entropy_with_class_probabilities(batch):
    logits, targets = batch
    loss = soft_label_cross_entropy(logits.log_softmax(1), targets)
    assert torch.allclose(loss, F.cross_entropy(logits, targets), rtol=1e-12, atol=0)


def test_equals_the_hard_loss_for_one_hot_targets(batch):
    logits, _ = batch
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    one_hot = F.one_hot(labels, 5).double()
    loss = soft_label_cross_entropy(logits.log_softmax(1), one_hot)
    assert torch.allclose(loss, F.nll_loss(logits.log_softmax(1), labels), rtol=1e-12, atol=0)


def test_is_the_mean_over_the_batch_by_hand():
    log_probabilities = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
    targets = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    expected = (-torch.tensor(0.5).log() - 0.5 * torch.tensor([0.25, 0.75]).log().sum()) / 2
    assert torch.allclose(soft_label_cross_entropy(log_probabilities, targets), expected)


def test_the_gradient_is_minus_the_target_over_the_batch(batch):
    logits, targets = batch
    outputs = logits.log_softmax(1).requires_grad_()
    (grad,) = torch.autograd.grad(soft_label_cross_entropy(outputs, targets), outputs)
    assert torch.allclose(grad, -targets / 6)


@pytest.mark.parametrize(
    ("outputs", "targets", "error", "told"),
    [
        (torch.zeros(4, 3), torch.tensor([0, 1, 2, 0]), TypeError, "targets.*int64.*one_hot"),
        (torch.zeros(4, 3), [[1.0]], TypeError, "targets.*list"),
        (torch.zeros(4, 3).long(), torch.zeros(4, 3), TypeError, "log_probabilities.*int64"),
        (torch.zeros(4, 3), torch.zeros(4, 1), ValueError, r"\[4, 3\], got \[4, 1\]"),
        (torch.zeros(4, 3), torch.zeros(3), ValueError, r"targets.*shape \[3\]"),
        (torch.zeros(4, 3), torch.zeros(1, 3), ValueError, r"got \[1, 3\]"),
        (torch.zeros(0, 3), torch.zeros(0, 3), ValueError, "non-empty"),
        (torch.zeros(2, 3, 1), torch.zeros(2, 3, 1), ValueError, r"shape \[2, 3, 1\]"),
    ],
)
def test_what_would_broadcast_or_round_is_an_error(outputs, targets, error, told):
    with pytest.raises(error, match=told):
        soft_label_cross_entropy(outputs, targets)


@given(smoothing=st.floats(0, 0.999), classes=st.integers(2, 30), seed=st.integers(0, 99))
def test_smoothed_targets_have_the_loss_that_torch_smooths_itself(smoothing, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    logits, targets = torch.randn(2, 5, classes, generator=generator, dtype=torch.float64)
    targets = targets.softmax(1)
    own = soft_label_cross_entropy(logits.log_softmax(1), smoothed(targets, smoothing))
    wanted = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    assert own.item() == pytest.approx(wanted.item(), rel=1e-9)


def test_no_smoothing_changes_no_bit_of_any_cells_targets():
    targets = torch.rand(6, 3, 5, 10).softmax(-1)
    shares = torch.tensor([0.0, 0.1, 0.0])[:, None, None]
    for share in (0.0, shares):
        made = smoothed(targets, share)
        assert torch.equal(made[:, 0], targets[:, 0])
        assert torch.equal(made[:, 2], targets[:, 2])
    sums = smoothed(targets, shares)[:, 1].sum(-1)
    assert torch.allclose(sums, torch.ones_like(sums))
