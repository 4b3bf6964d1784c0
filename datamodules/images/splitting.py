"""Splits of a data set that may come in parts."""

import torch
from torch import Tensor

from ..image_sets.labelled_images import LabelledImages
from ..loading import make_splits


def split_images(
    data: LabelledImages,
    *,
    val_fraction: float,
    test_fraction: float,
    num_folds: int | None,
    fold: int,
    seed: int,
) -> dict[str, Tensor]:
    """Indices of ``"train"``, ``"val"`` and ``"test"``.

    Parts that the data set comes in stay what they are; of those only a missing validation part
    is drawn, from the training part. Folds divide training and validation part together.

    Args:
        data: The data set.
        val_fraction: Share for validation.
        test_fraction: Share for testing, of a data set in one piece.
        num_folds: Number of folds; None for one validation split.
        fold: Which of them validates.
        seed: Of the draws.
    """
    none = torch.zeros(0, dtype=torch.int64)
    if "val" in data.parts and num_folds is None:
        return {name: data.parts.get(name, none) for name in ("train", "val", "test")}
    return make_splits(
        data.labels,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        test=data.parts.get("test", none) if data.parts else None,
        num_folds=num_folds,
        fold=fold,
        seed=seed,
    )
