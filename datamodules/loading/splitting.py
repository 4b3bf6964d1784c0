"""Training, validation and test split of a data set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...functional.splitting import fold_of_each, split_by_class


@dataclass(frozen=True)
class Splitting:
    """Create splits that depend only on the arguments, not on rank, call or global random state.

    Each class is represented in each split in proportion, to within one item. A class of one item
    has it in training; one of two has at most one of them elsewhere. With folds, a class with fewer
    items than folds is missing from some validation splits, and a class of one item from one
    training split.

    Attributes:
        val_fraction: Fraction of the items for validation, of those outside a fixed test set. 0
            gives an empty split. Ignored with folds.
        test_fraction: Fraction of the items for testing, unless the test set is fixed. 0 gives an
            empty split.
        num_folds: Number of folds that all but the test set is divided into; one validates.
        fold: Index of the validation fold, from 0.
        seed: Seed of the draws.

    Raises:
        ValueError: If a number is out of range, or nothing would be left for training.

    Example:
        >>> splits = Splitting(val_fraction=0.2, test_fraction=0.3).split(10)
        >>> {name: len(members) for name, members in splits.items()}
        {'train': 5, 'val': 2, 'test': 3}
    """

    val_fraction: float = 0.15
    test_fraction: float = 0.2
    num_folds: int | None = None
    fold: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("val_fraction", "test_fraction"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(
                    f"Expected `{name}` to be at least 0 and below 1, but got {value}."
                )
        if self.num_folds is None:
            if self.fold != 0:
                raise ValueError(
                    f"Expected `num_folds` with `fold`, but got fold {self.fold} alone."
                )
            if self.val_fraction + self.test_fraction >= 1:
                raise ValueError(
                    f"Expected `val_fraction` and `test_fraction` to leave items for training, but "
                    f"got {self.val_fraction} + {self.test_fraction}."
                )
        elif self.num_folds < 2:
            raise ValueError(f"Expected `num_folds` to be at least 2, but got {self.num_folds}.")
        elif not 0 <= self.fold < self.num_folds:
            raise ValueError(f"Expected `fold` in 0..{self.num_folds - 1}, but got {self.fold}.")

    def split(self, items: int | Tensor, test: Tensor | None = None) -> dict[str, Tensor]:
        """Return the items of ``"train"``, ``"val"`` and ``"test"``: int64, ascending.

        Args:
            items: Class of each item, int64 of shape ``(N,)``, for splits stratified by class; or
                the number of items, for plain random ones (for numeric targets).
            test: Items of a fixed test set, int64 of shape ``(M,)``, ascending.

        Raises:
            ValueError: If a requested split would be empty.
        """
        classes = torch.zeros(items, dtype=torch.int64) if isinstance(items, int) else items
        generator, count = torch.Generator().manual_seed(self.seed), len(classes)
        if test is None:
            test, pool = split_by_class(classes, [round(count * self.test_fraction)], generator)
            _check_size("test", test, self.test_fraction)
        else:
            outside = torch.ones(count, dtype=torch.bool)
            outside[test] = False
            pool = outside.nonzero().flatten()
            count = len(pool)
        if self.num_folds is not None:
            folds = fold_of_each(classes[pool], self.num_folds, generator)
            train, val = pool[folds != self.fold], pool[folds == self.fold]
            _check_size("val", val, 1 / self.num_folds)
        else:
            parts = split_by_class(classes[pool], [round(count * self.val_fraction)], generator)
            val, train = (pool[part] for part in parts)
            _check_size("val", val, self.val_fraction)
        _check_size("train", train, 1.0)
        return {"train": train, "val": val, "test": test}


def _check_size(name: str, members: Tensor, share: float) -> None:
    if share > 0 and not len(members):
        raise ValueError(
            f"Expected at least one item in the {name!r} split, but got none: there are too few "
            f"items, or too few to spare in every class. Use more data or other fractions."
        )
