"""Findings of suspicious columns in a table."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .table import Table, shown
from .table_encoder import TableEncoder

_FEW_VALUES = 20


def column_findings(encoder: TableEncoder, table: Table, x: Tensor) -> list[str]:
    """Report columns that carry no information, or that a network should not see.

    Args:
        encoder: Fitted encoder.
        table: Table that it was fitted to.
        x: Features of the training rows.

    Example:
        >>> from .category_encoder import CategoryEncoder
        >>> from .number_encoder import NumberEncoder
        >>> table = Table({"number": np.arange(30.0)}, "data.csv")
        >>> encoder = TableEncoder(NumberEncoder(), CategoryEncoder())
        >>> encoder.fit(table, ["number"], np.arange(20))
        >>> column_findings(encoder, table, encoder.encode(table)[:20])
        ["Column 'number' counts the rows of data.csv. Name it in `ignore`."]
    """
    findings = []
    varies = (x.amax(0) > x.amin(0)).tolist()
    varied = {
        column for column, is_so in zip(encoder.feature_columns, varies, strict=True) if is_so
    }
    constant = [name for column, name in enumerate(encoder.columns) if column not in varied]
    if constant:
        findings.append(
            f"Expected columns that vary over the training split in single precision, but "
            f"{shown(constant)} do not. Name them in `ignore`, or scale those that do in the data."
        )
    many = max(_FEW_VALUES, len(x) // 2)
    for name, vocabulary in encoder.categories.vocabularies.items():
        if len(vocabulary) > many:
            findings.append(
                f"Column {name!r} has {len(vocabulary)} categories in {len(x)} training rows: "
                f"too few rows of each category to learn from. Name it in `ignore`."
            )
    findings += [
        f"Column {name!r} counts the rows of {table.source}. Name it in `ignore`."
        for name in encoder.numbers.names
        if len(table) > _FEW_VALUES and _counts(table.numbers(name))
    ]
    return findings


def _counts(numbers: NDArray[np.float64]) -> bool:
    """Whether these are successive whole numbers in any order; few others are ever sorted."""
    reaches = -np.inf < numbers.min() == numbers.max() - len(numbers) + 1 < np.inf
    return bool(reaches and (np.diff(np.sort(numbers)) == 1).all())
