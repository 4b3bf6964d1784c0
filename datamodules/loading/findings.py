"""Warnings about data that are suspicious, but can be trained on."""

from collections.abc import Mapping

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor


def warn_of_duplicates(found: Mapping[str, Tensor], what: str) -> None:
    """Warn of items that occur in several splits.

    Args:
        found: Items of each split that also occur in an earlier one.
        what: What the duplicates have in common.
    """
    counts = [f"{len(items)} of {split!r}" for split, items in found.items() if len(items)]
    if counts:
        rank_zero_warn(
            f"Expected splits without duplicates, but {' and '.join(counts)} have the {what} of an "
            "item of an earlier split, which makes scores too optimistic. Remove them from the "
            "data; `duplicates()` lists them."
        )


def warn_of_one_class(labels: Tensor, what: str, fix: str) -> None:
    """Warn if all items are of one class, as with a wrong folder or column.

    Args:
        labels: Class indices of all items, at least one.
        what: What the items are.
        fix: What to check.
    """
    if int(labels.min()) == int(labels.max()):
        rank_zero_warn(
            f"Expected at least 2 classes, but all {len(labels)} {what} are of one: a classifier "
            f"has nothing to distinguish. {fix}."
        )
