"""Figures to show and to log."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lightning.pytorch import Trainer
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_WRITTEN = 20


def draw_confusion_matrix(
    counts: Tensor, ax: "Axes | None" = None, labels: Sequence[str] = ()
) -> "Axes":
    """Draw the fraction of each true class by predicted class, annotated with the counts.

    Args:
        counts: Shape ``(classes, classes)``, rows are the true classes.
        ax: Axes to draw on; None creates a figure.
        labels: Names of the classes; class indices by default.

    Returns:
        The axes.
    """
    from matplotlib.figure import Figure

    if ax is None:
        ax = Figure(figsize=(6, 6), layout="constrained").subplots()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    ax.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    ax.set(xlabel="predicted class", ylabel="true class")
    if len(counts) <= _MAX_WRITTEN:
        names = list(labels) or [str(i) for i in range(len(counts))]
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(names)), names)
        for row, column in counts.nonzero().tolist():
            color = "white" if shares[row, column] > 0.5 else "black"
            text = str(int(counts[row, column]))
            ax.text(column, row, text, ha="center", va="center", color=color)
    return ax


def log_figure(trainer: Trainer, name: str, draw: Callable[[], "Axes"]) -> None:
    """Log a figure to the loggers that accept images, W&B and TensorBoard, on the first rank."""
    if not trainer.is_global_zero:
        return
    for logger in trainer.loggers:
        add_figure = getattr(getattr(logger, "experiment", None), "add_figure", None)
        log_image = getattr(logger, "log_image", None)
        if log_image is not None:
            log_image(name, [draw().figure])
        elif add_figure is not None:
            add_figure(name, draw().figure, trainer.global_step)
