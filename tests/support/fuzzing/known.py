"""Known models of torchvision and timm, made for images of 32 pixels.

`python -m fuzzing.known [NAME …]` prints how each is packed, what it gains, and what the choice
costs in seconds of this process.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec

import torch
from torch import nn

from augbench.packed.choice import choose
from augbench.packed.dropout import own_dropout

__all__ = ["MODELS", "made"]

IMAGE = (3, 32, 32)
_FEATURES = 16
_TORCHVISION = (
    *("resnet18", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1"),
    *("densenet121", "efficientnet_b0", "vgg11_bn", "regnet_y_400mf", "convnext_tiny"),
    *("mnasnet0_5",),
)
_TIMM: dict[str, dict[str, int]] = {
    "resnet10t": {},
    "mobilenetv3_small_050": {},
    "ghostnet_050": {},
    "repvgg_a0": {},
    "convnext_atto": {},
    "vit_tiny_patch16_224": {"img_size": 32, "patch_size": 8},
    "mixer_s16_224": {"img_size": 32},
}
MODELS = (*(f"torchvision/{name}" for name in _TORCHVISION), *(f"timm/{name}" for name in _TIMM))


def made(name: str, seed: int) -> nn.Module:
    """A model with random weights, 16 outputs as its features, and dropout streams of a seed."""
    import numpy as np

    library, _, model = name.partition("/")
    torch.manual_seed(seed)
    if library == "timm":
        import timm

        one = timm.create_model(model, num_classes=_FEATURES, **_TIMM[model])
    else:
        import torchvision

        one = torchvision.models.get_model(model, weights=None)
        if model.startswith("vgg"):  # whose own head has a hundred times the weights of the rest
            one.classifier = nn.Linear(512, _FEATURES)
            one.avgpool = nn.AdaptiveAvgPool2d(1)
        else:
            one = torchvision.models.get_model(model, weights=None, num_classes=_FEATURES)
    one = own_dropout(one, lambda layer: np.random.default_rng([seed, layer]))
    one.feature_dim = _FEATURES  # type: ignore[assignment]
    return one


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzzing.known")
    parser.add_argument(
        "names",
        nargs="*",
        default=MODELS,
    )
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1000, help="of training, for the budget")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{'model':36} {'gain':>5} {'choice takes':>12}  how")
    for name in args.names:
        if find_spec(name.partition("/")[0]) is None:
            continue
        modules: list[nn.Module] = [made(name, k) for k in range(args.cells)]
        start, gain = time.process_time(), ""
        try:
            choice = choose(modules, torch.rand(args.batch, *IMAGE), steps=args.steps)
        except Exception as error:
            reason = f"choose raises {type(error).__name__}: {error}"
        else:
            reason = choice.reason
            gain = "" if choice.gain is None else f"{choice.gain:.1f}"
        took = time.process_time() - start
        print(f"{name:36} {gain:>5} {took:10.1f} s  {reason}", flush=True)


if __name__ == "__main__":
    main()
