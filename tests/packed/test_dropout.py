import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from augbench.packed.dropout import StreamDropout, StreamDropPath, draw_mask, own_dropout


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5, 5)])
def test_a_block_of_masks_equals_the_masks_of_its_steps(shape):
    one, other = rng(), rng()
    block = draw_mask(one, (10, *shape), 0.3)
    steps = [draw_mask(other, shape, 0.3) for _ in range(10)]
    assert np.array_equal(block, np.stack(steps))


def test_a_mask_drops_a_share_of_p_and_keeps_the_mean():
    mask = draw_mask(rng(), (200, 500), 0.3)
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.01)
    assert not draw_mask(rng(), (5, 5), 1).any()


def test_by_channel_drops_whole_channels():
    layer = StreamDropout(0.5, True, rng())
    out = layer(torch.ones(6, 8, 3, 3))
    assert torch.equal(out.amin((2, 3)), out.amax((2, 3)))
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_eval_mode_and_p_0_change_nothing_and_draw_nothing():
    x = torch.rand(4, 3)
    for layer in (StreamDropout(0.5, False, rng()).eval(), StreamDropout(0, False, rng())):
        assert layer(x) is x
        assert layer.rng.bit_generator.state == rng().bit_generator.state


def test_every_dropout_is_replaced_in_the_order_of_modules():
    net = nn.Sequential(
        nn.Dropout(0.1), nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout2d(0.2)), nn.Dropout3d(0.3)
    )
    made = own_dropout(net, lambda layer: rng(layer))
    layers = [module for module in made.modules() if isinstance(module, StreamDropout)]
    assert [(one.p, one.by_channel) for one in layers] == [(0.1, False), (0.2, True), (0.3, True)]
    for number, layer in enumerate(layers):
        assert layer.rng.bit_generator.state == rng(number).bit_generator.state
    assert not any(isinstance(module, nn.Dropout) for module in made.modules())
    assert isinstance(own_dropout(nn.Dropout(0.5), lambda layer: rng(layer)), StreamDropout)


def test_the_mode_survives_the_replacement():
    assert not own_dropout(nn.Sequential(nn.Dropout(0.5)).eval(), rng)[0].training


def test_stochastic_depth_drops_rows_or_the_whole_batch_and_keeps_the_mean():
    x = torch.ones(4000, 2, 3)
    rows = StreamDropPath(0.3, rng())(x)
    assert torch.equal(rows.amin((1, 2)), rows.amax((1, 2)))
    assert float(rows.mean()) == pytest.approx(1, abs=0.03)
    assert set(StreamDropPath(0.3, rng(), scale=False)(x).unique().tolist()) == {0.0, 1.0}
    whole = StreamDropPath(0.5, rng(), whole_batch=True)
    assert {tuple(whole(x).unique().tolist()) for _ in range(20)} == {(0.0,), (2.0,)}


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_stochastic_depth_is_taken_over_from_torchvision(mode):
    net = nn.Sequential(nn.Dropout(0.1), StochasticDepth(0.4, mode), nn.Dropout(0.2)).eval()
    made = own_dropout(net, lambda layer: rng(layer))
    assert (made[1].p, made[1].mode, made[1].training) == (0.4, mode, False)
    assert [one.rng.bit_generator.state for one in made] == [
        rng(n).bit_generator.state for n in range(3)
    ]
    x = torch.rand(5, 2, 3, 3)
    assert torch.equal(made(x), x)
    wanted = draw_mask(rng(1), (1 if mode == "batch" else 5, 1, 1, 1), 0.4)
    assert torch.equal(made.train()[1](x), x * torch.from_numpy(wanted))


def test_stochastic_depth_is_taken_over_from_timm():
    DropPath = type("DropPath", (nn.Module,), {"__module__": "timm.layers.drop"})
    layer = DropPath()
    layer.drop_prob, layer.scale_by_keep = 0.25, False
    made = own_dropout(nn.Sequential(layer), lambda layer: rng(layer))[0]
    assert (made.p, made.drop_prob, made.scale) == (0.25, 0.25, False)
    # Somebody else's of that name may do anything.
    other = type("DropPath", (nn.Module,), {})()
    assert own_dropout(nn.Sequential(other), lambda layer: rng(layer))[0] is other


def test_who_asks_a_dropout_gets_torchs_answers():
    made = own_dropout(nn.Sequential(nn.Dropout(0.3)), lambda layer: rng(layer))[0]
    assert (made.p, made.inplace) == (0.3, False)
