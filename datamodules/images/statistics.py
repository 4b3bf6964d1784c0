"""Mean and standard deviation of a split's images."""

import torch
from torch import Tensor

from ...functional.channel_moments import ChannelMoments
from ..image_sets.image_source import ImageSource
from .blocks import blocks

MEASURED_FILES = 5_000
# Below a thousandth of a grey level, a channel is constant up to rounding.
_MAX_DEVIATION_OF_CONSTANT = 1e-3 / 255


def measure_channels(
    source: ImageSource, index: Tensor, *, seed: int, files: int = MEASURED_FILES, threads: int = 8
) -> tuple[Tensor, Tensor]:
    """Measure mean and standard deviation of each channel, for images in 0..1.

    Args:
        source: Source of the images.
        index: Indices of the training split, int64.
        seed: Seed of the choice of files.
        files: Maximum number of files to decode. Images in memory are all used.
        threads: Number of blocks of files that are read at once.

    Returns:
        Two float32 tensors of shape ``(1, C, 1, 1)``. The standard deviation of a constant channel
        is set to 1, so that normalisation gives zeros.
    """
    if not source.stored and len(index) > files:
        generator = torch.Generator().manual_seed(seed)
        index = index[torch.randperm(len(index), generator=generator)[:files].sort().values]
    moments, bound = ChannelMoments(), 1.0
    for _, images in blocks(source, index, threads):
        moments.add(images)
        bound = 1.0 if images.is_floating_point() else 255.0
    mean, deviation = moments.mean / bound, moments.deviation / bound
    deviation = torch.where(deviation > _MAX_DEVIATION_OF_CONSTANT, deviation, 1.0)
    mean, deviation = (v.expand(source.shape[0]).view(1, -1, 1, 1) for v in (mean, deviation))
    return mean.float(), deviation.float()
