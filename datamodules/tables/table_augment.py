"""Augmentation of rows: noise, swap noise, MixUp."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...functional.augmentation import keyed_uniform
from ...functional.choices import choose
from ...functional.mixing import beta_quantiles, soft_targets
from ...functional.pixels import normal_from_uniform
from ...functional.swap_noise import other_rows, swap_noise

_OPERATIONS = {"noise": float("inf"), "swap": 1.0, "mixup": float("inf")}

# What each of a row's draws is for; each kind has room for a million columns.
_SHARE = 0
_PARTNER = 1
_SWAPPED = 1 << 20
_SOURCE = 2 << 20
_NOISE = 3 << 20


class TableAugment:
    """Change the rows of a batch at random, on the batch's device.

    The draws depend only on (seed, epoch, index of the row); the other rows of swaps and mixtures
    are from the same batch. The order is: swap, noise, MixUp.

    Args:
        operations: Any of ``"noise"``, the standard deviation of Gaussian noise on the numbers, in
            units of their scale; ``"swap"``, the probability of replacing a column's value by that
            of another row; ``"mixup"``, alpha of the Beta distribution by which a row and its
            target are mixed with another.
        seed: Seed of the draws.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If ``operations`` is not a mapping.

    Example:
        >>> augment = TableAugment({"swap": 1.0})
        >>> x, y = torch.tensor([[1.0, 10.0], [2.0, 20.0]]), torch.tensor([0, 1])
        >>> augment(x, y, columns=torch.tensor([0, 1]), numbers=2, index=torch.arange(2))[0]
        tensor([[ 2., 20.],
                [ 1., 10.]])

    Reference:
        Zhang et al. 2018, "mixup: beyond empirical risk minimization", section 3.5 (tabular data).
    """

    def __init__(self, operations: Mapping[str, float] | None = None, *, seed: int = 0) -> None:
        if not isinstance(operations, Mapping | None):
            raise TypeError(
                f"Expected `augment` to map operations to numbers, as in {{'mixup': 0.2}}, but got "
                f"{operations!r}."
            )
        self.operations = {name: float(value) for name, value in (operations or {}).items()}
        for name, value in self.operations.items():
            most = choose("augment", name, _OPERATIONS)
            if not 0 <= value <= most or value == float("inf"):
                raise ValueError(
                    f"Expected `augment` to have {name!r} from 0 to {most}, but got {value}."
                )
        self.seed = seed

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        columns: Tensor,
        numbers: int,
        index: Tensor,
        epoch: int = 0,
        num_classes: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return augmented rows and their targets.

        Args:
            x: Features, floating point of shape ``(N, F)``.
            y: Class indices, int64 of shape ``(N,)``, or numbers, shape ``(N,)`` or ``(N, T)``.
            columns: Column of the table that each feature comes from, int64 of shape ``(F,)``: the
                features of a column are swapped together.
            numbers: Number of leading features that are numeric, to which noise is added.
            index: Row of each sample in its data set, int64 of shape ``(N,)``.
            epoch: Epoch of the draws.
            num_classes: Required to mix class indices.

        Returns:
            Features of the shape of ``x``, and targets of their own shape or, if class indices are
            mixed, probabilities of shape ``(N, num_classes)``.
        """
        if self.operations.get("swap"):
            x = self._swap(x, columns, index, epoch)
        if self.operations.get("noise"):
            noise = self.operations["noise"] * self._normal(numbers, index, epoch)
            x = torch.cat([x[:, :numbers] + noise.to(x.dtype), x[:, numbers:]], 1)
        if self.operations.get("mixup"):
            return self._mix(x, y, index, epoch, num_classes)
        return x, y

    def _uniform(self, first: int, count: int, index: Tensor, epoch: int) -> Tensor:
        draws = torch.arange(first, first + count, device=index.device)
        return keyed_uniform(index, draws, seed=self.seed, epoch=epoch)

    def _normal(self, count: int, index: Tensor, epoch: int) -> Tensor:
        pairs = self._uniform(_NOISE, count + count % 2, index, epoch)
        return normal_from_uniform(pairs)[:, :count]

    def _swap(self, x: Tensor, columns: Tensor, index: Tensor, epoch: int) -> Tensor:
        count = x.shape[1]  # at least as many as columns; counting those would synchronise
        swapped = self._uniform(_SWAPPED, count, index, epoch) < self.operations["swap"]
        rows = other_rows(self._uniform(_SOURCE, count, index, epoch))
        return swap_noise(x, swapped[:, columns], rows[:, columns])

    def _mix(
        self, x: Tensor, y: Tensor, index: Tensor, epoch: int, num_classes: int | None
    ) -> tuple[Tensor, Tensor]:
        shares = y if y.is_floating_point() else soft_targets(y, num_classes)
        uniform = self._uniform(_SHARE, 1, index, epoch)
        kept = beta_quantiles(uniform, self.operations["mixup"])
        partner = other_rows(self._uniform(_PARTNER, 1, index, epoch))[:, 0]
        weight = kept.to(shares.dtype).reshape(-1, *[1] * (shares.ndim - 1))
        mixed = torch.lerp(x[partner], x, kept.to(x.dtype))
        return mixed, torch.lerp(shares[partner], shares, weight)
