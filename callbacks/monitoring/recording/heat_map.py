"""Heat maps of layers over time that need no legend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .record import Record

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from numpy.typing import NDArray

_MAX_COLUMNS = 160
_MAX_ROWS = 240
_MAX_NOTES = 40
_MAX_LABELS = 40
_MAX_LETTERS = 28


@dataclass(frozen=True)
class Scale:
    """Colour scale of a heat map.

    Attributes:
        label: The quantity, in words.
        low: Value at the dark end.
        high: Value at the bright end.
        logarithmic: Whether the scale is logarithmic.
        ticks: Labels of some of the values.
    """

    label: str
    low: float = 0.0
    high: float = 1.0
    logarithmic: bool = False
    ticks: Mapping[float, str] = field(default_factory=dict)

    @classmethod
    def share(cls, label: str) -> "Scale":
        """Scale for a share, from none to all."""
        return cls(label, ticks={0.0: "none", 0.5: "half", 1.0: "all"})

    def normalize(self) -> "Normalize":
        """The scale as a matplotlib normalisation."""
        from matplotlib.colors import LogNorm, Normalize

        return (LogNorm if self.logarithmic else Normalize)(self.low, self.high)


def draw_heat_map(
    ax: "Axes | None",
    steps: Sequence[int],
    values: Tensor,
    labels: Sequence[str],
    scale: Scale,
    *,
    colorbar: bool = True,
) -> "Axes":
    """Draw a heat map with the first layer on top and each layer's median in its row.

    Args:
        ax: Axes to draw on; None creates a figure.
        steps: Step of each column.
        values: Shape ``(layers, steps)``; NaN where there is no record. If there are many layers
            or steps, neighbours are drawn as one, by their median.
        labels: Name of each layer.
        scale: Colour scale.
        colorbar: Whether to draw a labelled colour bar.

    Returns:
        The axes.

    Raises:
        ValueError: If there are no values.
    """
    if not values.numel():
        raise ValueError(
            f"Expected recorded values of {scale.label}, but got none: run fit first, and lower "
            "`every_n_steps` if the fit was shorter than one interval between reports. A model "
            "without such layers has no values to draw."
        )
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    columns = _join_neighbours(values.t(), _MAX_COLUMNS).t()
    cells = _join_neighbours(columns, _MAX_ROWS)
    lines = torch.linspace(-0.5, len(labels) - 0.5, len(cells) + 1).tolist()
    norm = scale.normalize()
    image = ax.pcolormesh(
        _edges(steps), lines, cells.clamp(scale.low, scale.high).numpy(), norm=norm, cmap="magma"
    )
    ax.set(xlabel="training step", ylabel="layer", ylim=(lines[-1], lines[0]))
    every = -(-len(labels) // _MAX_LABELS)
    shown = [i for i in range(len(labels)) if i % every == 0 or i == len(labels) - 1]
    # Names are data: a dollar sign in one must not start a formula.
    ax.set_yticks(shown, [_shorten(labels[i]) for i in shown], parse_math=False)
    if len(labels) <= _MAX_NOTES:
        _write_medians(ax, values, norm)
    if colorbar:
        ticks = [tick for tick in scale.ticks if scale.low <= tick <= scale.high]
        # Arrows at the ends whose colour also stands for values beyond them.
        beyond = (bool((cells < scale.low).any()), bool((cells > scale.high).any()))
        extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(beyond)
        bar = ax.figure.colorbar(image, ax=ax, ticks=ticks or None, extend=extend or "neither")
        if ticks:
            bar.minorticks_off()
            bar.ax.set_yticklabels([scale.ticks[tick] for tick in ticks])
        bar.set_label(scale.label)
    return ax


def draw_record(
    ax: "Axes | None", record: Record, scale: Scale, *, colorbar: bool = True
) -> "Axes":
    """Draw a heat map of a whole record; see `draw_heat_map`."""
    labels = list(record.last)
    return draw_heat_map(ax, record.steps, record.table, labels, scale, colorbar=colorbar)


def render_heat_map(record: Record, scale: Scale) -> "NDArray[np.uint8]":
    """Render a heat map of a record as an image, without a display.

    Args:
        record: The record, with at least one step.
        scale: Colour scale.

    Returns:
        Pixels, shape ``(height, width, 3)``.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = min(12.0, 2.0 + 0.25 * len(record.last))
    figure = Figure(figsize=(9.0, height), layout="constrained")
    draw_record(figure.add_subplot(), record, scale)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _join_neighbours(rows: Tensor, most: int) -> Tensor:
    """Medians of groups of neighbouring rows, at most ``most`` of them."""
    size = -(-len(rows) // most)
    return torch.stack([block.nanmedian(0).values for block in torch.split(rows, size)])


def _edges(steps: Sequence[int]) -> list[float]:
    size = -(-len(steps) // _MAX_COLUMNS)
    width = (steps[-1] - steps[0]) / max(1, len(steps) - 1) or 1
    return [*map(float, steps[::size]), steps[-1] + width]


def _write_medians(ax: "Axes", values: Tensor, norm: "Normalize") -> None:
    for row, median in enumerate(values.nanquantile(0.5, 1).tolist()):
        bright = median > 0 and norm(median) > 0.6
        ax.annotate(
            f"{median:.0e}" if 0 < abs(median) < 0.01 else f"{median:.2g}",
            (0.985, row),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            color="black" if bright else "white",
        )


def _shorten(label: str) -> str:
    return label if len(label) <= _MAX_LETTERS else f"…{label[1 - _MAX_LETTERS :]}"
