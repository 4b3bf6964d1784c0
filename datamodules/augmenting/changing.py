"""Geometry, colours and tones of a batch, all together or each operation for its own images."""

import torch
from torch import Tensor

from .draws import Draws
from .geometry import GEOMETRY, move
from .precision import widen
from .recoloring import COLORS, recolor
from .toning import TONES

# Operations that are applied together. An image chooses at most one operation of a group.
_GROUPS = (GEOMETRY, COLORS, *((name,) for name in TONES))


def change(
    images: Tensor, masks: Tensor | None, draws: Draws, bound: float, *, clamp: bool
) -> tuple[Tensor, Tensor | None]:
    """Apply geometry, colours and tones to each image, according to its draws.

    Args:
        images: Shape ``(N, C, H, W)``.
        masks: Shape ``(N, ..., H, W)``, or None.
        draws: Random draws of the batch.
        bound: 1, or 255 for images that were integers.
        clamp: See ``recolor``.

    Returns:
        Images, floating point if anything but whole pixels changed, and masks in their own dtype.
    """
    # Asking a GPU which images chose what would synchronise: there, all is applied to all images.
    if draws.turn is None or images.device.type != "cpu" or torch.compiler.is_compiling():
        images, masks = move(images, masks, draws)
        return recolor(images, draws, bound, clamp=clamp), masks
    changed, masks = widen(images).clone(), None if masks is None else masks.clone()
    for group in _GROUPS:
        names = [name for name in group if name in draws]
        rows = _choosers(draws, names)
        if len(rows):
            some, their_masks = draws.of(names, rows), None if masks is None else masks[rows]
            part, their_masks = move(changed[rows], their_masks, some)
            part = recolor(part, some, bound, clamp=clamp)
            changed[rows] = part.round() if clamp and bound != 1 else part
            if masks is not None and their_masks is not None:
                masks[rows] = their_masks
    return changed, masks


def _choosers(draws: Draws, names: list[str]) -> Tensor:
    """Return the indices of the images that chose one of the operations, int64."""
    chosen = draws.constant(0) > 0
    for name in names:
        chosen = chosen | draws.chosen(name)
    return chosen.nonzero()[:, 0]
