"""Splits of a data set, which may already come with some."""

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
    """Return indices of ``"train"``, ``"val"`` and ``"test"``.

    Splits that the data set comes with are kept; only a missing validation split is drawn, from
    the training split. Folds divide training and validation split together.

    Args:
        data: The data set.
        val_fraction: Fraction for validation.
        test_fraction: Fraction for testing, if the data set comes without splits.
        num_folds: Number of folds; None for one validation split.
        fold: Index of the validation fold.
        seed: Seed of the draws.
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
