import numpy as np
import pytest
import torch
from torch import nn

from augbench.protocol.dropout import StreamDropout, draw_mask, own_dropout


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
