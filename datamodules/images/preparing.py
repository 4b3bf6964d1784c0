"""Read, split and measure a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..image_sets.labelled_images import LabelledImages
from ..image_sets.reading import read_images
from ..streaming.streamed_set import StreamedSet, spread_runs
from .splitting import split_images
from .statistics import MEASURED_FILES, check_channels, measure_channels

Normalization = tuple[Tensor, Tensor]
Prepared = tuple[LabelledImages | StreamedSet, dict[str, Tensor], Normalization]


def prepare_images(
    dataset: str | LabelledImages | StreamedSet,
    data_dir: Path,
    *,
    image_size: tuple[int, int] | None,
    channels: int | None,
    options: Mapping[str, Any],
    splitting: Mapping[str, Any],
    given: Normalization | None,
    seed: int,
) -> Prepared:
    """Return data set, indices of its splits, and statistics of the training split.

    Args:
        dataset: From `checked_dataset`.
        data_dir: Folder of the files.
        image_size: Height and width of images that are decoded from files.
        channels: Number of channels for the network; None keeps those of the images.
        options: Further arguments of the torchvision class.
        splitting: Arguments of `split_images`.
        given: Mean and standard deviation, if they are not to be measured.
        seed: Seed of the splits and of the choice of files to measure.
    """
    data: LabelledImages | StreamedSet
    if isinstance(dataset, StreamedSet):
        data, splits = dataset, dataset.split_indices()
        # Neighbouring images are stored together, and litdata reads sequentially.
        measured, threads = spread_runs(len(splits["train"]), MEASURED_FILES), 1
    else:
        data = read_images(
            dataset, data_dir, image_size=image_size, channels=channels, options=options
        )
        splits = split_images(data, seed=seed, **splitting)
        measured, threads = splits["train"], 8
    statistics = given or measure_channels(data.images, measured, seed=seed, threads=threads)
    check_channels(statistics[0], channels or data.images.shape[0])
    return data, splits, statistics
