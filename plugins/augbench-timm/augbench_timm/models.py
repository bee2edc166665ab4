"""Any model of timm as a backbone, untrained, without its head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from augbench.errors import ParameterError, StudyError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["timm_model"]


def timm_model(
    in_channels: int, image_size: tuple[int, int], *, model: str = "resnet18"
) -> nn.Module:
    """Features as timm pools them; `model` is a name of `timm.list_models()`.

    Models of a fixed input size, as most transformers are, are built for `image_size`.
    """
    import difflib

    import timm
    import torch

    if not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=5)
        hint = f"; there are {', '.join(near)}" if near else "; see timm.list_models()"
        raise ParameterError(f"timm has no model {model!r}{hint}")
    config = timm.get_pretrained_cfg(model)
    sized = config is not None and config.fixed_input_size
    fixed: dict[str, Any] = {"img_size": image_size} if sized else {}
    try:
        network: nn.Module = timm.create_model(
            model, pretrained=False, num_classes=0, in_chans=in_channels, **fixed
        )
        network.eval()  # a dry run that changes no batch statistics
        with torch.no_grad():
            features = network(torch.zeros(1, in_channels, *image_size))
    except (RuntimeError, ValueError, AssertionError) as error:
        height, width = image_size
        raise StudyError(
            f"timm's {model} does not work with {in_channels} channels of {height}×{width} pixels: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if features.ndim != 2:
        raise StudyError(f"timm's {model} gives features {list(features.shape)}, not [N, D]")
    network.feature_dim = features.shape[1]
    return network.train()
