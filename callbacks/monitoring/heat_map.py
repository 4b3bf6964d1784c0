"""Layers by time as a picture that needs no legend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_COLUMNS = 160
_WORDS = {1e-8: "no signal", 1e-6: "a millionth", 1e-4: "1/10,000", 1e-2: "1/100", 1.0: "1"}


def draw_norms_by_layer(
    ax: "Axes | None",
    steps: Sequence[int],
    norms: Tensor,
    *,
    low: float,
    high: float,
    colorbar: bool,
) -> "Axes":
    """Heat map with the first layer on top and each layer's median written into its row.

    Args:
        ax: Axes to draw on; None makes a figure.
        steps: Optimiser step of each column.
        norms: Shape ``(layers, steps)``; NaN where there is no record.
        low: Norm at the dark end of the logarithmic colours.
        high: Norm at the bright end.
        colorbar: Whether to draw the colours' scale, in words.

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    edges, columns = _columns(steps, norms)
    rows = np.arange(len(columns) + 1) - 0.5
    scale = LogNorm(low, high)
    visible = columns.clamp(low, high).numpy()
    image = ax.pcolormesh(edges, rows, visible, norm=scale, cmap="magma")
    ax.set(xlabel="training step", ylabel="layer", ylim=(rows[-1], rows[0]))
    _label_layers(ax, len(columns))
    for row, median in enumerate(norms.nanmedian(1).values.tolist()):
        bright = median > 0 and scale(median) > 0.6
        ax.annotate(
            f"{median:.0e}" if median < 0.01 else f"{median:.2g}",
            (0.985, row),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            color="black" if bright else "white",
        )
    if colorbar:
        ticks = [tick for tick in _WORDS if low <= tick <= high]
        bar = ax.figure.colorbar(image, ax=ax, ticks=ticks)
        bar.ax.set_yticklabels([_WORDS[tick] for tick in ticks])
        bar.set_label("gradient norm")
    return ax


def _columns(steps: Sequence[int], norms: Tensor) -> tuple[list[float], Tensor]:
    """Edges and medians of at most `_MAX_COLUMNS` groups of neighbouring records."""
    size = -(-len(steps) // _MAX_COLUMNS)
    medians = torch.stack([block.nanmedian(1).values for block in torch.split(norms, size, 1)], 1)
    width = (steps[-1] - steps[0]) / max(1, len(steps) - 1) or 1
    return [*map(float, steps[::size]), steps[-1] + width], medians


def _label_layers(ax: "Axes", layers: int) -> None:
    every = -(-layers // 20)
    shown = [row for row in range(layers) if row % every == 0 or row == layers - 1]
    names = {0: "1 (input)", layers - 1: f"{layers} (output)"}
    ax.set_yticks(shown, [names.get(row, str(row + 1)) for row in shown])
