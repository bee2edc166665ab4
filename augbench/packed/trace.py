"""Any backbone, K times over, as one network: traced once, then widened layer by layer.

`torch.fx` reads what the backbone's `forward` does. Each of its layers is replaced by what its rule
in `rules/` says (`convolutions.py`, `normalizations.py`, `layers.py`, or else `other_layers.py`),
each of its functions likewise (`functions.py`, `other_functions.py`). The cells lie side by side as
channel groups, in the memory layout that the processor likes best (`ops/`).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from augbench.packed import ops
from augbench.packed.fuse import PARTS, fuse
from augbench.packed.likeness import check_alike, difference
from augbench.packed.ownership import Own, primary_names, tie
from augbench.packed.rules import convolutions, functions, layers, normalizations
from augbench.packed.rules.other_functions import rule_of
from augbench.packed.rules.other_layers import each_layer
from augbench.packed.rules.registry import LAYER_RULES, UnpackableError
from augbench.packed.taps import Tap, tapped
from augbench.packed.values import PerCell

__all__ = ["PackedByRules"]


_OURS = f"{__package__}."
_REGISTERED = convolutions, functions, layers, normalizations
"""Modules that register rules when they are imported; nobody asks them for anything else."""


class _Tracer(fx.Tracer):
    """Stops at every layer that has a rule, and at torch's own; marks the layers with a tap."""

    # Buffers that a forward uses are each cell's own, and not those of the traced cell.
    proxy_buffer_attributes = True

    def __init__(self, taps: Sequence[str]) -> None:
        super().__init__()
        self._taps = taps

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in LAYER_RULES or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        made = super().call_module(m, forward, args, kwargs)
        name = self.path_of_module(m)
        if name in self._taps:
            return self.create_proxy("call_function", tapped, (made, name), {})
        return made


class PackedByRules(nn.Module):
    """K backbones of one architecture as one: images → features [K, B, D].

    The images are [B, K·C, H, W], each cell's own, or [B, C, H, W], shared by all cells. Behind
    each layer that `taps` names, as `named_modules` does, is a tap in training. Raises
    `UnpackableError` for a backbone that the rules cannot pack, and for a tapped layer that does
    not run exactly once.
    """

    def __init__(self, backbones: Sequence[nn.Module], taps: Sequence[str] = ()) -> None:
        super().__init__()
        check_alike(backbones)
        _refuse_hooks(backbones[0])
        self.cells = len(backbones)
        self.layers = nn.ModuleDict()
        self._taps = {name: Tap(self.cells) for name in taps}
        self.taps = {name: tap.changes for name, tap in self._taps.items()}
        # A forward may depend on the mode: each mode has a graph of its own, of the same layers.
        # In use no tap is called, so that what belongs together is fused there.
        traced = {mode: _traced(backbones[0], mode, taps if mode else ()) for mode in (True, False)}
        for graph, _ in traced.values():
            for node in graph.nodes:
                if node.op == "call_module":
                    node.target = self._widen(node.target, backbones)
        self._primary = primary_names(backbones[0])
        self.own = Own(backbones[0], tie(dict(self.layers.items()), backbones[0]))
        self._traces = {
            mode: self._packed(graph, constants, mode, backbones)
            for mode, (graph, constants) in traced.items()
        }
        self.train(backbones[0].training)

    def forward(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D] of each cell's images, or of images that all cells share."""
        trace, takes_shared = self._traces[self.training]
        if shared and not takes_shared:
            images = images.repeat(1, self.cells, 1, 1)
        features = trace.forward(ops.in_preferred_layout(images))  # [B, K, D]; no hooks to call
        if not isinstance(features, Tensor) or features.ndim != 3:
            raise UnpackableError("its output is not a tensor [N, D]")
        return features.transpose(0, 1)

    @property
    def replayable(self) -> bool:
        """True if a step in the present mode does the same operations each time, on this device.

        Of layers and functions with rules of others, that is not known.
        """
        trace, _ = self._traces[self.training]
        functions = {node.target for node in trace.graph.nodes if node.op == "call_function"}
        with_code = [*map(type, trace.modules()), *functions]
        ours = all(one.__module__.startswith((_OURS, "torch.")) for one in with_code)
        # What a tap does, and whether it does anything, may be other at each step.
        return (
            ours
            and not self.taps
            and all(value.device.type in ("cpu", "cuda") for value in self.parameters())
        )

    @torch.no_grad()
    def largest_value(self, images: Tensor) -> int:
        """The count of numbers in a cell's largest value, for images [B, K·C, H, W]."""
        largest = _Largest(self._traces[self.training][0])
        largest.run(ops.in_preferred_layout(images))
        return largest.numbers // self.cells

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers by the backbone's names: each those of the K cells.

        One that several layers share is there once, by the name that `named_parameters` gives it.
        """
        found: dict[str, Tensor] = {}
        for target, layer in self.layers.items():
            values = [*layer.named_parameters(), *layer.named_buffers()]
            for name, value in values:
                full = f"{target}.{name}".replace("/", ".")
                found[self._primary.get(full, full)] = value
        return {**found, **self.own.stacked()}

    def _packed(
        self,
        graph: fx.Graph,
        constants: dict[str, Tensor],
        mode: bool,
        backbones: Sequence[nn.Module],
    ) -> tuple[fx.GraphModule, bool]:
        """The widened forward of a mode, and whether it takes images that all cells share."""
        images = next(node for node in graph.nodes if node.op == "placeholder")
        takes_shared = all(
            node.op == "call_module" and getattr(self.layers[node.target], "takes_shared", False)
            for node in images.users
        )
        layers = dict(self.layers.items())
        taps = self._placed_taps(graph)  # before fusing, which ends at a tap
        fused = fuse(graph, layers, mode)
        for node in graph.nodes:
            if node.op in ("call_function", "call_method") and node.target not in PARTS:
                inputs = [node.kwargs["input"]] if "input" in node.kwargs else []
                node.kwargs = {name: v for name, v in node.kwargs.items() if name != "input"}
                node.args = (self.cells, *inputs, *node.args)
                node.op, node.target = "call_function", rule_of(node.target)
            elif node.op == "get_attr":
                node.op = "call_module"
                node.target = self.own.value(node.target, backbones, constants)
        modules = {**layers, **taps, **fused, **self.own.values}
        return fx.GraphModule(modules, graph), takes_shared

    def _placed_taps(self, graph: fx.Graph) -> dict[str, nn.Module]:
        """Put the taps into a graph in the place of the marks; returns them by their targets."""
        placed: dict[str, nn.Module] = {}
        for node in graph.nodes:
            if node.target is tapped:
                value, layer = node.args
                node.op, node.args = "call_module", (value,)
                node.target = f"tap/{layer.replace('.', '/')}"
                placed[node.target] = self._taps[layer]
        return placed

    def _widen(self, target: str, backbones: Sequence[nn.Module]) -> str:
        """Make the wide layer once; both modes and every call of it share it."""
        name = target.replace(".", "/")
        if name not in self.layers:
            layers = [backbone.get_submodule(target) for backbone in backbones]
            self.layers[name] = LAYER_RULES.get(type(layers[0]), each_layer)(layers)
        return name


def _traced(
    backbone: nn.Module, mode: bool, taps: Sequence[str]
) -> tuple[fx.Graph, dict[str, Tensor]]:
    """The graph of the forward in a mode, and the constant tensors that it makes, by name."""
    traced = copy.deepcopy(backbone).train(mode)  # a forward may leave things in its module
    before = copy.deepcopy(traced)
    _, *others = inspect.signature(traced.forward).parameters.values()
    needed = {one.name for one in others if one.default is one.empty}
    defaults = {one.name: one.default for one in others if one.name not in needed}
    try:
        graph = _Tracer(taps).trace(traced, concrete_args=defaults)
    except Exception as error:
        raise UnpackableError(
            "its forward cannot be read ahead of time; a branch on a tensor's value, or len() and "
            f"loops over a tensor or its sizes, cannot be (torch.fx: {error})"
        ) from error
    # The tracer itself leaves constants in the module that it traces.
    made = {name: vars(traced).pop(name) for name in set(vars(traced)) - set(vars(before))}
    constants = {name: value for name, value in made.items() if isinstance(value, Tensor)}
    runs = [node.args[1] for node in graph.nodes if node.target is tapped]
    other = next((name for name in taps if runs.count(name) != 1), None)
    if other is not None:
        raise UnpackableError(f"in training, its layer {other} does not run exactly once")
    changed = next((name for name in made if name not in constants), None)
    changed = changed or difference(before, traced, values=True)
    if changed is not None:
        raise UnpackableError(f"its forward changes {changed}, which a packed network could not")
    _, *inputs = (node for node in graph.nodes if node.op == "placeholder")
    for node in inputs:
        if node.users and str(node.target).lstrip("*") in needed:
            raise UnpackableError(f"its forward takes more than images, {node.target}")
        _erase(graph, node)  # with what the tracer asserts about defaults
    return graph, constants


def _erase(graph: fx.Graph, node: fx.Node) -> None:
    for user in list(node.users):
        _erase(graph, user)
    graph.erase_node(node)


class _Largest(fx.Interpreter):
    """Runs a trace, and remembers how many numbers its largest value was."""

    numbers = 0

    def run_node(self, n: fx.Node) -> Any:
        made = super().run_node(n)
        value = made.values if isinstance(made, PerCell) else made
        if isinstance(value, Tensor):
            self.numbers = max(self.numbers, value.numel())
        return made


def _refuse_hooks(backbone: nn.Module) -> None:
    """Hooks are not seen by a trace."""
    for module in backbone.modules():
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            raise UnpackableError(f"{type(module).__name__} has hooks, which tracing does not see")
