"""MixUp and CutMix by a batch's random draws."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...functional.mixing import beta_quantiles, cut_mix_boxes, mix_up
from .draws import PARTNER, WHICH_MIX, Draws


def mix(
    images: Tensor,
    targets: Tensor,
    masks: Tensor | None,
    draws: Draws,
    tables: Mapping[str, Tensor],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Mix each image, its target and its mask with another of the batch.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        targets: Shape ``(N, classes)``, floating point.
        masks: Shape ``(N, ..., H, W)``, or None.
        draws: Random draws of the batch.
        tables: ``beta_table`` of each mixing operation, on the images' device.

    Returns:
        Images, targets and masks, in their own shapes.
    """
    order = draws.column(PARTNER).argsort()
    # Along one cycle through the batch: no image is mixed with itself.
    partner = torch.empty_like(order).scatter_(0, order, order.roll(-1))
    ours = draws.column(WHICH_MIX) < 0.5
    others, share = images[partner], draws.constant(1)
    mixed = images
    if "mixup" in draws:
        kept = _kept(draws, "mixup", tables)
        share = kept if "cutmix" not in draws else torch.where(ours, kept, share)
        mixed = mix_up(images, others, share)
    if "cutmix" in draws:
        kept = _kept(draws, "cutmix", tables)
        kept = kept if "mixup" not in draws else torch.where(ours, 1.0, kept)
        x, y = draws.uniform("cutmix", 1), draws.uniform("cutmix", 2)
        boxes, left = cut_mix_boxes(kept, x, y, *images.shape[-2:])
        mixed, share = torch.where(boxes, others, mixed), share * left
        if masks is not None:
            masks = torch.where(boxes if masks.ndim == 4 else boxes[:, 0], masks[partner], masks)
    share = share.to(targets.dtype)[:, None]
    return mixed, share * targets + (1 - share) * targets[partner], masks


def _kept(draws: Draws, name: str, tables: Mapping[str, Tensor]) -> Tensor:
    kept = beta_quantiles(draws.uniform(name), draws.operations[name].high, tables[name])
    return draws.where(name, kept, 1.0)
