"""Pretrained backbones and heads kept in files, for other readouts and other programs.

A file is named by the key of its pretraining and holds tensors `backbone.NAME`, by the names that
the backbone's own module gives its parameters and buffers, `head.weight` and `head.bias`; and as
metadata, each a text of JSON, what was trained and how it went. The format is safetensors, which
runs no code when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from augbench.protocol.cell_result import TrainingCurve
from augbench.protocol.study import PROTOCOL_VERSION
from augbench.writing import beside

if TYPE_CHECKING:
    from augbench.batching.materials import CellMaterials
    from augbench.protocol.study import Cell

__all__ = ["Kept", "KeptBackbones", "file_bytes", "named_tensors"]

_HEADER = 6000
"""Bytes of a file besides its tensors, about: the most are the curve of 2,000 steps."""


@dataclass(frozen=True)
class Kept:
    """A pretrained backbone and head, the curve of their training, and what was measured."""

    backbone: nn.Module
    head: nn.Linear
    curve: TrainingCurve
    metrics: dict[str, float]


class _UnfitError(Exception):
    """A file that cannot stand for a pretraining, and why."""


class KeptBackbones:
    """The files of a folder, one for each pretraining that is not a trial's.

    A file serves only if all of it is as it was written, for this very pretraining, and if its
    curve has the tests that `test_every` asks for. `notes` tell, a line each, of files that do not,
    and of those that cannot be written: neither costs a result.
    """

    def __init__(self, folder: Path, test_every: int = 0) -> None:
        self._folder, self._test_every = folder, test_every
        self._sound: set[str] = set()
        self._told: set[str] = set()
        self.notes: list[str] = []

    def path(self, cell: Cell) -> Path:
        """The file of a cell's pretraining."""
        return self._folder / f"{cell.pretrain_key}.safetensors"

    def has(self, cell: Cell, materials: CellMaterials) -> bool:
        """True if the cell need not be pretrained: its file is there, and sound."""
        if cell.trial is not None:
            return False
        if cell.pretrain_key not in self._sound:
            try:
                self.load(cell, materials)
            except Exception:  # the backbone cannot be made: its training says why
                return False
        return cell.pretrain_key in self._sound

    def load(self, cell: Cell, materials: CellMaterials) -> Kept | None:
        """Read what was kept of a cell's pretraining; None without a sound file."""
        path = self.path(cell)
        try:
            told, tensors = _read(path)
            kept = self._made(cell, materials, told, tensors)
        except FileNotFoundError:
            kept = None
        except _UnfitError as error:
            kept = None
            self._tell(path, f"pretrained anew, since the kept {path.name} {error}")
        if kept is None:
            self._sound.discard(cell.pretrain_key)
        else:
            self._sound.add(cell.pretrain_key)
        return kept

    def keep(self, cell: Cell, materials: CellMaterials, kept: Kept) -> None:
        """Write a file, whole or not at all; a training that is not finite is not kept."""
        tensors = _tensors(kept)
        finite = all(bool(one.isfinite().all()) for one in tensors.values())
        if cell.trial is not None or not finite or not _is_finite(kept.curve):
            return
        path = self.path(cell)
        told = {name: json.dumps(value) for name, value in self._about(cell, kept).items()}
        told["sha256"] = json.dumps(_digest(told, tensors))
        try:
            from safetensors.torch import save

            with beside(path) as place:  # its own `save_file` makes files that nobody else can read
                place.write_bytes(save(tensors, metadata=told))
        except (OSError, ValueError) as error:  # of a full disk, or a type that has no name there
            self._tell(path, f"not kept, since {path.name} cannot be written ({_line(error)})")
        else:
            self._sound.add(cell.pretrain_key)

    def _about(self, cell: Cell, kept: Kept) -> dict[str, Any]:
        return {
            "pretrain_key": cell.pretrain_key,
            "protocol": PROTOCOL_VERSION,
            "dataset": cell.pretrain.name,
            "backbone": cell.backbone.label,
            "arm": cell.arm.label,
            "samples_per_class": cell.samples_per_class,
            "seed": cell.seed,
            "steps": cell.pretrain_steps,
            "test_every": self._test_every,
            "feature_dim": kept.head.in_features,
            "classes": list(cell.pretrain.classes),
            "metrics": kept.metrics,
            "curve": asdict(kept.curve),
        }

    def _made(
        self,
        cell: Cell,
        materials: CellMaterials,
        told: Mapping[str, str],
        tensors: Mapping[str, Tensor],
    ) -> Kept:
        """Fill a new backbone and head; raises `_UnfitError`."""
        try:
            about = {name: json.loads(text) for name, text in told.items()}
            key, digest, test_every = (
                about[name] for name in ("pretrain_key", "sha256", "test_every")
            )
            metrics = {str(name): float(value) for name, value in about["metrics"].items()}
            curve = TrainingCurve(**{name: tuple(v) for name, v in about["curve"].items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _UnfitError("is not one of AugBench's") from error
        if key != cell.pretrain_key:
            raise _UnfitError("is of another pretraining")
        rest = {name: text for name, text in told.items() if name != "sha256"}
        if digest != _digest(rest, tensors):
            raise _UnfitError("is damaged: its check sum is wrong")
        if self._test_every not in (0, test_every):
            raise _UnfitError(
                f"has no tests every {self._test_every} steps in its curve"
                if not test_every
                else f"was tested every {test_every} steps, not {self._test_every}"
            )
        if not self._test_every:
            curve = replace(curve, test_step=(), test_loss=(), test_accuracy=())
        backbone = materials.backbone(cell)
        kept = Kept(backbone, materials.head(cell, backbone, finetune=False), curve, metrics)
        own = _tensors(kept)
        if {n: (v.shape, v.dtype) for n, v in own.items()} != {
            n: (v.shape, v.dtype) for n, v in tensors.items()
        }:
            raise _UnfitError("is of another network: its names, shapes or types are others")
        with torch.no_grad():
            for prefix, module in (("backbone", backbone), ("head", kept.head)):
                for name, value in named_tensors(module).items():
                    value.copy_(tensors[f"{prefix}.{name}"])
        return kept

    def _tell(self, path: Path, note: str) -> None:
        if path.name not in self._told:
            self._told.add(path.name)
            self.notes.append(note)


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers by name; one that has several stands under its first."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def file_bytes(backbone: nn.Module, classes: int) -> int:
    """The bytes of a file that keeps such a backbone and its head, about."""
    width = backbone.feature_dim
    assert isinstance(width, int)  # by the contract of backbones
    head = 4 * classes * (width + 1)
    return (
        sum(one.numel() * one.element_size() for one in named_tensors(backbone).values())
        + head
        + _HEADER
    )


def _tensors(kept: Kept) -> dict[str, Tensor]:
    """Copies on the CPU, by the names that a file gives them."""
    return {
        f"{prefix}.{name}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for prefix, module in (("backbone", kept.backbone), ("head", kept.head))
        for name, value in named_tensors(module).items()
    }


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and tensors of a file; raises `FileNotFoundError`, `_UnfitError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError:
        raise
    except (OSError, SafetensorError) as error:
        raise _UnfitError(f"cannot be read ({_line(error)})") from error


def _digest(told: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over all that a file holds, but itself: safetensors has no check sum."""
    digest = hashlib.sha256(json.dumps(dict(told), sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _is_finite(curve: TrainingCurve) -> bool:
    return bool(torch.tensor(curve.loss).isfinite().all())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
