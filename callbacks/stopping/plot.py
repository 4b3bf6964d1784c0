"""Plot of the monitored curve."""

from typing import TYPE_CHECKING

from .judging.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_stopping(
    ax: "Axes | None",
    curve: Curve,
    *,
    kept: bool,
    stopped: bool,
    end: float,
    steps: int,
    planned_epochs: int,
    sentence: str | None,
) -> "Axes":
    """Plot the curve, its smoothed form, the best checks, the stop, and the epochs saved.

    Args:
        ax: Axes to draw on; None creates a figure.
        curve: The monitored curve.
        kept: Whether the weights of the best checks were kept.
        stopped: Whether training was stopped.
        end: Epochs trained by then.
        steps: Optimiser steps taken by the curve's end.
        planned_epochs: The Trainer's ``max_epochs``; -1 without a limit.
        sentence: Why training was stopped.

    Returns:
        The axes.

    Raises:
        ValueError: If there are no checks after the warm-up.
    """
    if not curve.values:
        raise ValueError(
            f"Expected checks of {curve.monitor} after the warm-up, but got none: run fit first, "
            "or for longer. After `ddp_spawn` they are in its processes: load a checkpoint's state "
            "to get them."
        )
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained", figsize=(8.0, 4.5))
    epochs = [position.epochs for position in curve.positions]
    in_steps = len(set(epochs)) < len(epochs)  # an epoch of unknown length
    if in_steps:
        epochs, end, planned_epochs = [float(p.steps) for p in curve.positions], float(steps), -1
    smoothed = curve.smoothing != "none"
    color = "tab:gray" if smoothed else "tab:blue"
    marker = "." if len(epochs) <= 60 else None
    ax.plot(epochs, curve.values, color=color, marker=marker, lw=1.2, label=curve.monitor)
    if smoothed:
        label = f"smoothed ({curve.smoothing}, {curve.window} checks)"
        ax.plot(epochs, curve.judged, color="tab:blue", lw=2, label=label)
    _mark_best(ax, curve, epochs, kept)
    unit = "step" if in_steps else "epoch"
    if stopped:
        ax.axvline(end, color="tab:red", ls="--", lw=1.2, label=f"stopped after {unit} {end:g}")
        if planned_epochs > end:
            saved = f"{planned_epochs - end:g} of {planned_epochs} epochs saved"
            ax.axvspan(end, planned_epochs, color="tab:green", alpha=0.12, lw=0, label=saved)
    along = "steps" if in_steps else "epochs trained (epoch 0 ends at 1)"
    ax.set(xlabel=along, ylabel=curve.monitor)
    if sentence:
        ax.set_title(sentence, fontsize=9, loc="left", wrap=True)
    ax.legend(fontsize=8, framealpha=0.9)
    return ax


def _mark_best(ax: "Axes", curve: Curve, epochs: list[float], kept: bool) -> None:
    if not curve.improvements:
        return
    earlier, best = curve.improvements[:-1], curve.best_index
    places, values = [epochs[i] for i in earlier], [curve.values[i] for i in earlier]
    label = "best so far, weights kept" if kept else "best so far"
    ax.scatter(
        places, values, s=22, facecolors="none", edgecolors="tab:orange", zorder=3, label=label
    )
    ax.scatter(
        [epochs[best]],
        [curve.values[best]],
        s=110,
        marker="*",
        color="tab:orange",
        zorder=4,
        label=f"best: {curve.values[best]:.4g}, epoch {curve.positions[best].epoch}",
    )
