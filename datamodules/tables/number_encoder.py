"""Numeric columns: missing values, infinities, scaling."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...functional.choices import choose
from ...functional.scaling import (
    Scaling,
    column_quantiles,
    min_max_scaling,
    robust_scaling,
    scale_columns,
    standard_scaling,
)
from .table import Table, shown

ScalingName = Literal["standard", "min_max", "min_max_symmetric", "robust", "none"]
MissingName = Literal["mean", "median", "zero", "indicator", "error"]
Missing = MissingName | float
Infinite = Literal["clip", "missing", "error"]

_SCALINGS: dict[str, Callable[[Tensor], Scaling]] = {
    "standard": standard_scaling,
    "min_max": min_max_scaling,
    "min_max_symmetric": lambda x: min_max_scaling(x, low=-1.0),
    "robust": robust_scaling,
    "none": lambda x: Scaling(x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])),
}


class NumberEncoder:
    """Impute, clip and scale numeric columns, fitted to the training rows.

    Infinities are handled first, then missing values, in the columns' own units; the scaling comes
    last, with the statistics of the finite values. A column without finite values in the training
    rows becomes 0 throughout.

    Args:
        scaling: ``"standard"`` (mean 0, standard deviation 1), ``"min_max"`` (0..1),
            ``"min_max_symmetric"`` (-1..1), ``"robust"`` (median 0, interquartile range 1) or
            ``"none"``.
        missing: ``"mean"``, ``"median"``, ``"zero"`` or a number replace missing values;
            ``"indicator"`` uses the mean and adds a column that flags missing values, for each
            column that has any in the training rows; ``"error"`` refuses them.
        infinite: ``"clip"`` replaces infinities by the smallest or largest finite value of the
            training rows, ``"missing"`` treats them as missing, ``"error"`` refuses them.

    Attributes:
        names: Columns, in order.

    Raises:
        ValueError: If a name is unknown.

    Example:
        >>> table = Table({"age": np.array([20.0, np.nan, 40.0, 90.0])}, "the columns")
        >>> encoder = NumberEncoder(missing="indicator")
        >>> encoder.fit(table, ["age"], np.array([0, 1, 2]))
        >>> encoder.encode(table).T
        tensor([[-1.,  0.,  1.,  6.],
                [ 0.,  1.,  0.,  0.]], dtype=torch.float64)
    """

    def __init__(
        self,
        scaling: ScalingName = "standard",
        missing: Missing = "mean",
        infinite: Infinite = "error",
    ) -> None:
        choose("scaling", scaling, _SCALINGS)
        if isinstance(missing, str):
            choose("missing", missing, dict.fromkeys(get_args(MissingName)))
        elif isinstance(missing, bool) or not np.isfinite(missing):
            raise ValueError(f"Expected `missing` to be a name or a number, but got {missing}.")
        choose("infinite", infinite, dict.fromkeys(get_args(Infinite)))
        self.scaling_name, self.missing, self.infinite = scaling, missing, infinite
        self.names: list[str] = []
        self._indicated: list[str] = []
        self._statistics: dict[str, Tensor] = {}

    @property
    def feature_names(self) -> list[str]:
        """Names of the features that `encode` returns, in order."""
        return self.names + [f"{name} is missing" for name in self._indicated]

    @property
    def feature_columns(self) -> list[int]:
        """Index in `names` of each feature's column."""
        return [*range(len(self.names)), *(self.names.index(name) for name in self._indicated)]

    @property
    def scaling(self) -> Scaling:
        """Center and scale of each column."""
        return Scaling(self._statistics["center"], self._statistics["scale"])

    def fit(self, table: Table, names: Sequence[str], rows: NDArray[np.int64]) -> None:
        """Fit to the training rows.

        Raises:
            ValueError: If a cell is not a number, or the scale of a column overflows.
        """
        self.names = list(names)
        x = _stack(table, names)[torch.from_numpy(rows)]
        finite = x.isfinite()
        known = finite.any(0)
        low = torch.where(finite, x, torch.inf).amin(0)
        high = torch.where(finite, x, -torch.inf).amax(0)
        scaling = _SCALINGS[self.scaling_name](x)
        self._check_scale(table, scaling, known)
        self._statistics = {
            "low": torch.where(known, low, 0.0),
            "high": torch.where(known, high, 0.0),
            "fill": torch.where(known, self._fill(x, low, high), 0.0),
            "center": scaling.center,
            "scale": torch.where(known, scaling.scale, torch.inf),
        }
        missing = x.isnan() if self.infinite != "missing" else ~finite
        self._indicated = _chosen(names, missing.any(0)) if self.missing == "indicator" else []

    def encode(self, table: Table) -> Tensor:
        """Return the features of all rows.

        Returns:
            Tensor of shape ``(N, features)``, float64.

        Raises:
            ValueError: If a cell is not a number, or is refused by ``missing`` or ``infinite``.
        """
        x = _stack(table, self.names)
        x = self._without_infinities(x, table)
        missing = x.isnan()
        if self.missing == "error":
            self._refuse(missing, table, "no missing values", "a missing one", "missing='mean'")
        x = torch.where(missing, self._statistics["fill"], x)
        indicated = self.feature_columns[len(self.names) :]
        return torch.cat([scale_columns(x, self.scaling), missing[:, indicated].double()], 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the fitted state as plain values."""
        return {
            "names": list(self.names),
            "indicated": list(self._indicated),
            **{name: values.tolist() for name, values in self._statistics.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the fitted state of another encoder."""
        self.names, self._indicated = list(state["names"]), list(state["indicated"])
        self._statistics = {
            name: torch.as_tensor(state[name], dtype=torch.float64)
            for name in ("low", "high", "fill", "center", "scale")
        }

    def _fill(self, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        match self.missing:
            # Clamped, or rounding would make a column vary whose known values are all the same.
            case "mean" | "indicator":
                return standard_scaling(x).center.clamp(low, high)
            case "median":
                return column_quantiles(x, torch.tensor([0.5]))[0].clamp(low, high)
            case "zero" | "error":
                return x.new_zeros(x.shape[1])
            case number:
                return x.new_full(x.shape[1:], float(number))

    def _without_infinities(self, x: Tensor, table: Table) -> Tensor:
        infinite = x.isinf()
        match self.infinite:
            case "clip":
                clipped = x.clamp(self._statistics["low"], self._statistics["high"])
                return torch.where(infinite, clipped, x)
            case "missing":
                return torch.where(infinite, torch.nan, x)
            case _:
                self._refuse(
                    infinite, table, "finite numbers", "an infinite one", "infinite='clip'"
                )
                return x

    def _refuse(self, wrong: Tensor, table: Table, expected: str, found: str, fix: str) -> None:
        if not wrong.any():
            return
        row, column = (int(i) for i in wrong.nonzero()[0])
        raise ValueError(
            f"Expected {expected} in column {self.names[column]!r}, but {table.place(row)} has "
            f"{found}. Fix it, or choose how to handle it, such as with `{fix}`."
        )

    def _check_scale(self, table: Table, scaling: Scaling, known: Tensor) -> None:
        overflown = _chosen(self.names, known & ~scaling.scale.isfinite())
        if overflown:
            raise ValueError(
                f"Expected numbers that can be scaled, but those in {shown(overflown)} of "
                f"{table.source} are too large. Fix them, or name the columns in `ignore`."
            )


def _stack(table: Table, names: Sequence[str]) -> Tensor:
    if not names:
        return torch.zeros(len(table), 0, dtype=torch.float64)
    return torch.from_numpy(np.stack([table.numbers(name) for name in names], 1))


def _chosen(names: Sequence[str], mask: Tensor) -> list[str]:
    return [name for name, chosen in zip(names, mask.tolist(), strict=True) if chosen]
