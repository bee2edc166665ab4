"""Figures are drawn again only if what they show has changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from pathlib import Path

from augbench.pictures.archive import Picture
from augbench.results import StudyResult

__all__ = ["draw_figures"]

_STAMP = ".figures.json"


def draw_figures(
    result: StudyResult,
    folder: Path,
    *,
    train_curves: bool = False,
    pictures: Iterable[Picture] = (),
    confidence: float = 0.95,
) -> list[str]:
    """Draw what `augbench.reports.figures.save_figures` draws, and say so, a line for each file.

    Where nothing has changed since they were drawn, and all are there, that is the only line:
    matplotlib alone takes longer than everything else that a finished study needs.
    """
    pictures = list(pictures)
    shown = {
        "versions": [importlib.metadata.version(name) for name in ("augbench", "matplotlib")],
        "study": dict(result.stored.description),
        "cells": [[cell.key, cell.status, cell.finished_at] for cell in result.cells],
        "pictures": [_digest(picture) for picture in pictures],
        "options": [train_curves, confidence],
    }
    digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    stamp = folder / _STAMP
    try:
        earlier = json.loads(stamp.read_text())
        if earlier["shows"] == digest and all(
            (folder / name).exists() for name in earlier["files"]
        ):
            return [f"the {len(earlier['files'])} figures in {folder} are up to date"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no stamp, or a damaged one: draw

    from augbench.reports.figures import save_figures

    paths = save_figures(
        result, folder, train_curves=train_curves, pictures=pictures, confidence=confidence
    )
    files = [str(path.relative_to(folder)) for path in paths]
    stamp.write_text(json.dumps({"shows": digest, "files": files}))
    return [f"drew {path}" for path in paths]


def _digest(picture: Picture) -> str:
    digest = hashlib.sha256(repr((picture.augmentation, picture.captions)).encode())
    digest.update(picture.originals.tobytes() + picture.results.tobytes())
    return digest.hexdigest()
