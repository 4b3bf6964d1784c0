"""Regression with any network."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

from ..functional.choices import choose
from .building_blocks.r2_score import R2Score
from .supervised_module import Stage, SupervisedModule

_LOSSES: dict[str, type[nn.Module]] = {"mse": nn.MSELoss, "mae": nn.L1Loss, "huber": nn.HuberLoss}


class Regressor(SupervisedModule):
    """Train any network that maps a batch to real numbers.

    Each batch is ``(x, y)``: ``y`` is floating point and has the shape of the network's outputs or,
    with a single output, shape ``(N,)``. Logged once per epoch for each stage: loss, mean absolute
    error (``mae``), root mean squared error (``rmse``) and R2 averaged over the outputs (``r2``),
    which is NaN for fewer than two samples. For optimisation and regularisation, see
    :class:`SupervisedModule`.

    Args:
        network: Maps ``x`` to outputs of shape ``(N, outputs)`` or ``(N, ...)``; None if a
            subclass creates it in `configure_network`.
        loss: ``"mse"``, ``"mae"`` or ``"huber"``.
        **training: Further arguments of :class:`SupervisedModule`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If ``network`` is not an ``nn.Module``.

    Example:
        >>> regressor = Regressor(nn.Linear(4, 1), loss="huber")
        >>> regressor(torch.zeros(2, 4)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        network: nn.Module | None,
        *,
        loss: Literal["mse", "mae", "huber"] = "mse",
        **training: Any,
    ) -> None:
        self.loss_name = loss  # first, because the base class calls configure_loss, which reads it
        choose("loss", loss, _LOSSES)
        super().__init__(network, **training)

    def configure_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the chosen loss function."""
        return choose("loss", self.loss_name, _LOSSES)()

    def configure_metrics(self, stage: Stage) -> MetricCollection:
        """Return mean absolute error, root mean squared error and R2."""
        return MetricCollection(
            {"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False), "r2": R2Score()}
        )

    def checked_targets(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return targets in the outputs' shape and precision; refuse those that would broadcast."""
        if not isinstance(outputs, Tensor):
            raise TypeError(f"Expected `network` to return one tensor, but got {type(outputs)}.")
        if not targets.is_floating_point() or outputs.shape not in (
            targets.shape,
            (*targets.shape, 1),
        ):
            raise ValueError(
                f"Expected `y` to be floating point of the outputs' shape {tuple(outputs.shape)}, "
                f"but got {targets.dtype} of shape {tuple(targets.shape)}."
            )
        targets = targets.reshape(outputs.shape)
        if targets.dtype == outputs.dtype:
            return targets
        # Under mixed precision, targets keep the digits that the outputs lack.
        return targets.to(torch.promote_types(outputs.dtype, torch.float32))
