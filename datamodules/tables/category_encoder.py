"""Categorical columns: one-hot or ordinal, with missing and unseen categories."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray
from torch import Tensor

from ...functional.choices import choose
from .table import Table, number_texts, shown

Encoding = Literal["one_hot", "ordinal"]
Unseen = Literal["other", "error"]


class CategoryEncoder:
    """Encode strings by the vocabulary of the training rows.

    Vocabularies are sorted, so that they do not depend on the order of the rows. If values are
    missing in the training rows, missing is a separate category, the last.

    Args:
        encoding: ``"one_hot"`` gives one feature of 0 and 1 for each category; ``"ordinal"`` gives
            one feature for each column, the category's number from 1 on, for a network with
            embeddings.
        unseen: ``"other"`` encodes categories that the training rows do not have as all zeros, or
            as the number 0, with a warning if a column holds nothing else; ``"error"`` refuses
            them.

    Attributes:
        vocabularies: Categories of each column, None for missing.

    Raises:
        ValueError: If a name is unknown.

    Example:
        >>> table = Table({"size": np.array(["S", None, "L", "XL"], dtype=object)}, "the columns")
        >>> encoder = CategoryEncoder()
        >>> encoder.fit(table, ["size"], np.array([0, 1, 2]))
        >>> encoder.feature_names
        ['size=L', 'size=S', 'size is missing']
        >>> encoder.encode(table).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, encoding: Encoding = "one_hot", unseen: Unseen = "other") -> None:
        choose("categories", encoding, dict.fromkeys(get_args(Encoding)))
        choose("unseen", unseen, dict.fromkeys(get_args(Unseen)))
        self.encoding, self.unseen = encoding, unseen
        self.vocabularies: dict[str, list[str | None]] = {}

    @property
    def feature_names(self) -> list[str]:
        """Names of the features that `encode` returns, in order."""
        if self.encoding == "ordinal":
            return list(self.vocabularies)
        return [
            f"{name} is missing" if category is None else f"{name}={category}"
            for name, vocabulary in self.vocabularies.items()
            for category in vocabulary
        ]

    @property
    def feature_columns(self) -> list[int]:
        """Index of each feature's column."""
        if self.encoding == "ordinal":
            return list(range(len(self.vocabularies)))
        sizes = map(len, self.vocabularies.values())
        return [column for column, size in enumerate(sizes) for _ in range(size)]

    def fit(self, table: Table, names: Sequence[str], rows: NDArray[np.int64]) -> None:
        """Collect the vocabularies of the training rows."""
        self.vocabularies = {name: _vocabulary(table.texts(name)[rows]) for name in names}

    def encode(self, table: Table) -> Tensor:
        """Return the features of all rows.

        Returns:
            Tensor of shape ``(N, features)``, float32.

        Raises:
            ValueError: If a category is unseen and ``unseen`` is ``"error"``.
        """
        codes = {name: self._codes(table, name) for name in self.vocabularies}
        for name, column in codes.items():
            self._report_strange(table, name, column)
        if not codes:
            return torch.zeros(len(table), 0)
        if self.encoding == "ordinal":
            return torch.stack(list(codes.values()), 1).float()
        hot = [
            column[:, None] == torch.arange(1, len(self.vocabularies[name]) + 1)
            for name, column in codes.items()
        ]
        return torch.cat(hot, 1).float()

    def state_dict(self) -> dict[str, Any]:
        """Return the fitted state as plain values."""
        return {name: list(vocabulary) for name, vocabulary in self.vocabularies.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the fitted state of another encoder."""
        self.vocabularies = {name: list(vocabulary) for name, vocabulary in state.items()}

    def _codes(self, table: Table, name: str) -> Tensor:
        vocabulary = self.vocabularies[name]
        numbers = {category: number for number, category in enumerate(vocabulary, 1)}
        texts = table.texts(name)
        codes = number_texts(texts, numbers, other=0)
        if self.unseen == "error" and not codes.all():
            row = int((codes == 0).nonzero()[0])
            found = "a missing value" if texts[row] is None else repr(texts[row])
            known = [category for category in vocabulary if category is not None]
            raise ValueError(
                f"Expected in column {name!r} a category of the training split, {shown(known)}, "
                f"but {table.place(row)} has {found}. Fix it, or accept unseen categories with "
                f"`unseen='other'`."
            )
        return codes

    def _report_strange(self, table: Table, name: str, codes: Tensor) -> None:
        """Warn if none of a column's categories is known: they may be spelt differently."""
        known = [category for category in self.vocabularies[name] if category is not None]
        # Missing is last in a vocabulary; if the vocabulary lacks it, its code is 0.
        if ((codes > 0) & (codes <= len(known))).any():
            return
        strange = sorted(set(table.texts(name).tolist()) - {None})
        if strange:
            rank_zero_warn(
                f"Expected in column {name!r} categories of the training split, "
                f"{shown(known) or 'where all are missing'}, but {table.source} has only "
                f"others: {shown(strange)}. They are encoded as unseen. Spell them as in the "
                f"training data; a data frame keeps the zeros of codes such as '007' only if they "
                f"are strings, in pandas with `dtype=str`."
            )


def _vocabulary(texts: NDArray[Any]) -> list[str | None]:
    found = set(texts.tolist())
    return [*sorted(found - {None}), *([None] if None in found else [])]
