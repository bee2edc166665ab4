"""Any backbone, K times over, as one network: traced once, then widened layer by layer.

`torch.fx` reads what the backbone's `forward` does; each of its layers and functions is replaced
by what its rule says (`layers.py`, `glue.py`). The cells lie side by side as channel groups, in the
memory layout that the processor likes best (`planes/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from augbench.engines import glue, planes
from augbench.engines.fusing import fuse
from augbench.engines.rules import FUNCTION_RULES, LAYER_RULES, UnpackableError

__all__ = ["Widened"]


class _Tracer(fx.Tracer):
    """Stops at every layer that has a rule, and at torch's own."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in LAYER_RULES or super().is_leaf_module(m, module_qualified_name)


class Widened(nn.Module):
    """K backbones of one architecture as one: images → features [K, B, D].

    The images are [B, K·C, H, W], each cell's own, or [B, C, H, W], shared by all cells. Raises
    `UnpackableError` for a backbone that the rules cannot pack.
    """

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        super().__init__()
        _refuse_the_hidden(backbones[0])
        self.cells = len(backbones)
        self.layers = nn.ModuleDict()
        # A forward may depend on the mode: each mode has a trace of its own, of the same layers.
        self._traces = {mode: self._trace(backbones, mode) for mode in (True, False)}
        self.train(backbones[0].training)

    def forward(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D] of each cell's images, or of images that all cells share."""
        trace, takes_shared = self._traces[self.training]
        if shared and not takes_shared:
            images = images.repeat(1, self.cells, 1, 1)
        features: Tensor = trace.forward(planes.laid_out(images))  # [B, K, D]; no hooks to call
        if features.ndim != 3:
            raise UnpackableError("its output is not [N, D]")
        return features.transpose(0, 1)

    @property
    def replayable(self) -> bool:
        """Whether a training step does the same operations each time, on this device.

        Of layers and functions with rules of others, that is not known.
        """
        trace, _ = self._traces[True]
        functions = {node.target for node in trace.graph.nodes if node.op == "call_function"}
        with_code = [*map(type, trace.modules()), *(functions - glue.UNCHANGED)]
        ours = all(one.__module__.startswith(("augbench.engines.", "torch.")) for one in with_code)
        return ours and all(value.device.type in ("cpu", "cuda") for value in self.parameters())

    @torch.no_grad()
    def largest_value(self, images: Tensor) -> int:
        """How many numbers a cell's largest value is on the way of its images [B, K·C, H, W]."""
        largest = _Largest(self._traces[self.training][0])
        largest.run(planes.laid_out(images))
        return largest.numbers // self.cells

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers by the backbone's names: each those of the K cells."""
        return {
            f"{target}.{name}".replace("/", "."): value
            for target, layer in self.layers.items()
            for name, value in [*layer.named_parameters(), *layer.named_buffers()]
        }

    def _trace(self, backbones: Sequence[nn.Module], mode: bool) -> tuple[fx.GraphModule, bool]:
        """The widened forward of a mode, and whether it takes images that all cells share."""
        one = backbones[0]
        before = one.training
        try:
            graph = _Tracer().trace(one.train(mode))
        except Exception as error:
            raise UnpackableError(f"torch.fx cannot trace it ({error})") from error
        finally:
            one.train(before)
        (images, *others) = (node for node in graph.nodes if node.op == "placeholder")
        if others:
            raise UnpackableError("its forward takes more than images")
        for node in graph.nodes:
            if node.op == "call_module":
                node.target = self._widen(node.target, backbones)
            elif node.op in ("call_function", "call_method") and node.target not in glue.UNCHANGED:
                if node.target not in FUNCTION_RULES:
                    name = getattr(node.target, "__name__", node.target)
                    raise UnpackableError(f"no packing rule for the function {name}")
                node.op, node.target, node.args = (
                    "call_function",
                    FUNCTION_RULES[node.target],
                    (self.cells, *node.args),
                )
            elif node.op == "get_attr":
                raise UnpackableError(f"a parameter of its own, {node.target}")
        takes_shared = all(
            node.op == "call_module" and getattr(self.layers[node.target], "takes_shared", False)
            for node in images.users
        )
        layers = dict(self.layers.items())
        return fx.GraphModule({**layers, **fuse(graph, layers, mode)}, graph), takes_shared

    def _widen(self, target: str, backbones: Sequence[nn.Module]) -> str:
        """Make the wide layer once; both modes and every call of it share it."""
        name = target.replace(".", "/")
        if name not in self.layers:
            layers = [backbone.get_submodule(target) for backbone in backbones]
            kind = type(layers[0])
            if kind not in LAYER_RULES:
                raise UnpackableError(f"no packing rule for {kind.__name__}")
            self.layers[name] = LAYER_RULES[kind](layers)
        return name


class _Largest(fx.Interpreter):
    """Runs a trace, and remembers how many numbers its largest value was."""

    numbers = 0

    def run_node(self, n: fx.Node) -> Any:
        made = super().run_node(n)
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


def _refuse_the_hidden(backbone: nn.Module) -> None:
    """Hooks and tied parameters are not seen by a trace."""
    for module in backbone.modules():
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            raise UnpackableError(f"{type(module).__name__} has hooks")
    names = [name for name, _ in backbone.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(backbone.parameters())):
        # One module called twice is one layer; two modules of one parameter would become two.
        raise UnpackableError("two of its layers share a parameter")
