"""What data modules say of data that are suspicious, though they can be trained on."""

from collections.abc import Mapping

from torch import Tensor


def duplicates_finding(found: Mapping[str, Tensor], what: str) -> str | None:
    """One sentence for all splits; None where no item is in two of them.

    Args:
        found: Items of each split that an earlier one has, too.
        what: What of them is the same.

    Example:
        >>> import torch
        >>> duplicates_finding({"val": torch.zeros(0), "test": torch.zeros(0)}, "text")
    """
    counts = [f"{len(items)} of {split!r}" for split, items in found.items() if len(items)]
    if not counts:
        return None
    return (
        f"Expected splits without duplicates, but {' and '.join(counts)} have the {what} of an "
        "item of an earlier split, which makes their scores too good. Take them out of the data; "
        "`duplicates()` tells which they are."
    )


def one_class_finding(labels: Tensor, what: str, fix: str) -> str | None:
    """A sentence where all items are of one class, as a wrong folder or column has it.

    Args:
        labels: Class indices of all items, at least one.
        what: What the items are.
        fix: What to look at.

    Example:
        >>> import torch
        >>> one_class_finding(torch.tensor([0, 1]), "texts", "Give both")
    """
    if int(labels.min()) != int(labels.max()):
        return None
    return (
        f"Expected at least 2 classes, but all {len(labels)} {what} are of one: a classifier has "
        f"nothing to tell apart. {fix}."
    )
