"""Training curves: loss and accuracy over the steps of both trainings of one cell."""

from __future__ import annotations

from matplotlib.figure import Figure

from augbench.plotting import PALETTE, legend_above, letters, new_figure, slug, wrapped
from augbench.protocol.references import reference, size_name
from augbench.store import PlannedCell

__all__ = ["cell_slug", "training_curves"]


def cell_slug(cell: PlannedCell, *, with_budget: bool = False, with_view: bool = False) -> str:
    """A file name for one cell; of a study with several budgets or views, it tells them apart."""
    size = size_name(cell.samples_per_class).replace("=", "")
    pair = slug(cell.pretrain_dataset, cell.finetune_dataset)
    budget = f"-{cell.budget.replace(' ', '_')}" if with_budget else ""
    parts = [cell.readout, str(cell.finetune_samples or ""), "tuned" * (cell.role == "tuned")]
    view = "".join(f"-{part}" for part in parts if part) if with_view else ""
    return f"{pair}-{slug(cell.augmentation)}-{size}{budget}{view}-seed{cell.seed}"


def training_curves(cell: PlannedCell) -> Figure:
    """Pretraining on the left, the training of its readout on the right; a computed cell only."""
    assert cell.result is not None
    phases = [
        (phase, dataset)
        for phase, dataset in (
            ("pretrain", cell.pretrain_dataset),
            ("finetune", cell.finetune_dataset),
        )
        if phase in cell.result.curves
    ]
    figure = new_figure(4.2)
    room = letters(figure.get_figwidth() / len(phases) - 0.5)
    axes = figure.subplots(2, len(phases), sharex="col", squeeze=False)
    handles = {}
    for column, (phase, dataset) in enumerate(phases):
        curve = cell.result.curves[phase]
        for row, (train, test, name) in enumerate(
            (
                (curve.loss, curve.test_loss, "loss (nats)"),
                (curve.accuracy, curve.test_accuracy, "accuracy"),
            )
        ):
            panel = axes[row, column]
            (handles["training"],) = panel.plot(curve.step, train, color=PALETTE[0], linewidth=1.2)
            if curve.test_step:
                (handles["test"],) = panel.plot(
                    curve.test_step, test, "s--", color=PALETTE[1], markersize=3
                )
            panel.set_ylabel(name)
        axes[0, column].set_title(wrapped(f"{phase} on {dataset}", room))
        axes[1, column].set_xlabel("batches")
    found = reference(cell.samples_per_class)
    size = found.name if found else f"{cell.samples_per_class} per class"
    title = f"{cell.augmentation}, {size}, {cell.budget}, seed {cell.seed}"
    figure.suptitle(wrapped(title, letters(figure.get_figwidth())), fontsize="medium")
    legend_above(figure, [(handle, name) for name, handle in handles.items()])
    return figure
