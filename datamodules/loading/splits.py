"""Training, validation and test split of a data set."""

import torch
from torch import Tensor

from ...functional.splitting import fold_of_each, split_by_class


def make_splits(
    items: int | Tensor,
    *,
    val_fraction: float = 0.15,
    test_fraction: float = 0.2,
    test: Tensor | None = None,
    num_folds: int | None = None,
    fold: int = 0,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Create splits that depend only on the arguments, not on rank, call or global random state.

    Numbers must be those that ``check_split_arguments`` accepts.

    Each class is represented in each split in proportion, to within one item. A class of one item
    has it in training; one of two has at most one of them elsewhere. With folds, a class with fewer
    items than folds is missing from some validation splits, and a class of one item from one
    training split.

    Args:
        items: Class of each item, int64 of shape ``(N,)``, for splits stratified by class; or the
            number of items, for plain random ones (for numeric targets, or without labels).
        val_fraction: Fraction of the items for validation, of those outside a fixed test set. 0
            gives an empty split. Ignored with folds.
        test_fraction: Fraction of the items for testing, unless ``test`` is given. 0 gives an empty
            split.
        test: Items of a fixed test set, int64 of shape ``(M,)``, ascending.
        num_folds: Number of folds that all but the test set is divided into; one validates.
        fold: Index of the validation fold, from 0.
        seed: Seed of the draws.

    Returns:
        Items of ``"train"``, ``"val"`` and ``"test"``: int64, ascending, on the CPU.

    Raises:
        ValueError: If a requested split would be empty.

    Example:
        >>> splits = make_splits(10, val_fraction=0.2, test_fraction=0.3)
        >>> {name: len(members) for name, members in splits.items()}
        {'train': 5, 'val': 2, 'test': 3}
    """
    classes = torch.zeros(items, dtype=torch.int64) if isinstance(items, int) else items
    generator, count = torch.Generator().manual_seed(seed), len(classes)
    if test is None:
        test, pool = split_by_class(classes, [round(count * test_fraction)], generator)
        _check_size("test", test, test_fraction)
    else:
        outside = torch.ones(count, dtype=torch.bool)
        outside[test] = False
        pool = outside.nonzero().flatten()
        count = len(pool)
    if num_folds is not None:
        folds = fold_of_each(classes[pool], num_folds, generator)
        train, val = pool[folds != fold], pool[folds == fold]
        _check_size("val", val, 1 / num_folds)
    else:
        parts = split_by_class(classes[pool], [round(count * val_fraction)], generator)
        val, train = (pool[part] for part in parts)
        _check_size("val", val, val_fraction)
    _check_size("train", train, 1.0)
    return {"train": train, "val": val, "test": test}


def check_split_arguments(
    val_fraction: float, test_fraction: float, num_folds: int | None, fold: int
) -> None:
    """Refuse arguments by which no data can be split, before the data are read.

    Args:
        val_fraction: Fraction of the items for validation; ignored with folds.
        test_fraction: Fraction of the items for testing; 0 for a fixed test set.
        num_folds: Number of folds.
        fold: Index of the validation fold, from 0.

    Raises:
        ValueError: If a number is out of range, or nothing would be left for training.
    """
    for name, value in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 <= value < 1:
            raise ValueError(f"Expected `{name}` to be at least 0 and below 1, but got {value}.")
    if num_folds is None:
        if fold != 0:
            raise ValueError(f"Expected `num_folds` with `fold`, but got fold {fold} alone.")
        if val_fraction + test_fraction >= 1:
            raise ValueError(
                f"Expected `val_fraction` and `test_fraction` to leave items for training, but got "
                f"{val_fraction} + {test_fraction}."
            )
    elif num_folds < 2:
        raise ValueError(f"Expected `num_folds` to be at least 2, but got {num_folds}.")
    elif not 0 <= fold < num_folds:
        raise ValueError(f"Expected `fold` in 0..{num_folds - 1}, but got {fold}.")


def _check_size(name: str, members: Tensor, share: float) -> None:
    if share > 0 and not len(members):
        raise ValueError(
            f"Expected at least one item in the {name!r} split, but got none: there are too few "
            f"items, or too few to spare in every class. Use more data or other fractions."
        )
