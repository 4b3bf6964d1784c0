"""Findings of data modules about data that are suspicious, but can be trained on."""

from collections.abc import Mapping

from torch import Tensor


def duplicates_finding(found: Mapping[str, Tensor], what: str) -> str | None:
    """Report items that occur in several splits; None if there are none.

    Args:
        found: Items of each split that also occur in an earlier one.
        what: What the duplicates have in common.

    Example:
        >>> import torch
        >>> duplicates_finding({"val": torch.zeros(0), "test": torch.zeros(0)}, "text")
    """
    counts = [f"{len(items)} of {split!r}" for split, items in found.items() if len(items)]
    if not counts:
        return None
    return (
        f"Expected splits without duplicates, but {' and '.join(counts)} have the {what} of an "
        "item of an earlier split, which makes scores too optimistic. Remove them from the data; "
        "`duplicates()` lists them."
    )


def one_class_finding(labels: Tensor, what: str, fix: str) -> str | None:
    """Report if all items are of one class, as with a wrong folder or column; None otherwise.

    Args:
        labels: Class indices of all items, at least one.
        what: What the items are.
        fix: What to check.

    Example:
        >>> import torch
        >>> one_class_finding(torch.tensor([0, 1]), "texts", "Give both")
    """
    if int(labels.min()) != int(labels.max()):
        return None
    return (
        f"Expected at least 2 classes, but all {len(labels)} {what} are of one: a classifier has "
        f"nothing to distinguish. {fix}."
    )
