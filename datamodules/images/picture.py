"""A figure of a batch before and after augmentation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_CLASSES_NAMED = 2  # In the title of a mixed image.
_LEAST_SHARE_NAMED = 0.005
_MAX_LETTERS_OF_A_NAME = 16


def draw_batch(
    before: Tensor,
    after: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    *,
    shares: Tensor | None = None,
    columns: int = 8,
) -> "Figure":
    """Draw images in pairs of rows, originals above and augmented ones below.

    Args:
        before: Shape ``(N, C, H, W)``, floating point in 0..1.
        after: The augmented images, equally many.
        labels: Class indices of shape ``(N,)``.
        class_names: Names of the classes, by class index.
        shares: Class probabilities of the augmented images, shape ``(N, classes)``, if mixed.
        columns: Images in a row.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    count = len(before)
    columns = min(columns, count)
    bands = -(-count // columns)
    # Room for the title and, in each band, two images and the class name.
    figure = Figure(figsize=(1.15 * columns + 0.5, 2.65 * bands + 0.5), layout="constrained")
    figure.suptitle("before (above) and after augmentation (below)", fontsize=10)
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for place in range(count):
        band, column = divmod(place, columns)
        upper, lower = grid[2 * band, column], grid[2 * band + 1, column]
        _show(upper, before[place])
        _show(lower, after[place])
        upper.set_title(_short(class_names[int(labels[place])]), fontsize=7)
        if shares is not None:
            lower.set_title(_mixture(shares[place], class_names), fontsize=7)
    return figure


def _show(axes: Any, image: Tensor) -> None:
    pixels = image.detach().cpu().float().clamp(0, 1)
    if len(pixels) in (3, 4):
        axes.imshow(pixels.permute(1, 2, 0).numpy(), interpolation="nearest")
    else:
        axes.imshow(pixels[0].numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _mixture(target: Tensor, class_names: Sequence[str]) -> str:
    shares, classes = target.float().topk(min(_MAX_CLASSES_NAMED, len(target)))
    return "\n".join(
        f"{share:.0%} {_short(class_names[label])}"
        for share, label in zip(shares.tolist(), classes.tolist(), strict=True)
        if share >= _LEAST_SHARE_NAMED
    )


def _short(name: str) -> str:
    return name if len(name) <= _MAX_LETTERS_OF_A_NAME else name[: _MAX_LETTERS_OF_A_NAME - 1] + "…"
