"""Texts with or without labels, and where each of them came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class TextSource:
    """Texts in memory.

    Attributes:
        texts: The texts.
        labels: Class of each as a string; None without labels.
        place: Says where the text at an index came from, for messages.
    """

    texts: list[str]
    labels: list[str] | None
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.texts)

    def class_indices(self, class_names: Sequence[str]) -> Tensor:
        """Return the index of each label among the names, int64.

        Raises:
            ValueError: If a label is not one of them.
        """
        numbers = {name: number for number, name in enumerate(class_names)}
        found = []
        for row, label in enumerate(self.labels or ()):
            if label not in numbers:
                raise ValueError(
                    f"Expected one of the labels {', '.join(map(repr, class_names))}, but "
                    f"{self.place(row)} has {label!r}."
                )
            found.append(numbers[label])
        return torch.tensor(found, dtype=torch.int64)


def source_of(
    texts: Sequence[Any], labels: Sequence[Any] | None, place: Callable[[int], str]
) -> TextSource:
    """Check texts and labels and return them as a source.

    Args:
        texts: Strings.
        labels: Strings or integers, one for each text; None without labels.
        place: Says where the text at an index came from.

    Returns:
        The source, with labels as strings.

    Raises:
        ValueError: If there are no texts, lengths differ, or a text or label has another type.
    """
    if not len(texts):
        raise ValueError(f"Expected at least one text, but got none in {place(-1)}.")
    if labels is not None and len(labels) != len(texts):
        raise ValueError(
            f"Expected one label for each of {len(texts)} texts, but got {len(labels)}."
        )
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Expected a text, but {place(row)} has {text!r}.")
    names = None if labels is None else [_name(label, place, i) for i, label in enumerate(labels)]
    return TextSource(list(texts), names, place)


def sorted_names(labels: Sequence[str]) -> list[str]:
    """Return the unique labels in numerical order if all are integers, else alphabetically.

    Example:
        >>> sorted_names(["10", "9", "9"]), sorted_names(["b", "a", "10"])
        (['9', '10'], ['10', 'a', 'b'])
    """
    names = sorted(set(labels))
    try:
        return sorted(names, key=int)
    except ValueError:
        return names


def repeated_texts(parts: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the positions of each part's texts that repeat an earlier part, up to case and spaces.

    Example:
        >>> repeated_texts([["Good film", "Bad"], ["good  film", "new", "new"]])
        [[], [0]]
    """
    seen: set[str] = set()
    found = []
    for part in parts:
        keys = [" ".join(text.lower().split()) for text in part]
        found.append([place for place, key in enumerate(keys) if key in seen])
        seen.update(keys)
    return found


def _name(label: Any, place: Callable[[int], str], row: int) -> str:
    if isinstance(label, str) and label.strip():
        return label.strip()
    if isinstance(label, Integral):
        return str(label)
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    what = "none" if label is None or label == "" else repr(label)
    raise ValueError(
        f"Expected a text or a whole number as label, but {place(row)} has {what}. Add a label or "
        f"remove the text."
    )
