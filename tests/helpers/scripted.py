"""A module that logs given curves, and whose weight says at which step it was validated."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .training import quiet_trainer


class Scripted(LightningModule):
    """Weight and statistic are the number of steps done; the losses are those of a script.

    Args:
        curves: Values of each metric, one for each validation.
        steps: Optimiser steps between validations.
        training: Loss of the training batches up to each validation.
    """

    def __init__(
        self, curves: dict[str, list[float]], steps: int = 2, training: list[float] | None = None
    ) -> None:
        super().__init__()
        self.curves, self.steps, self.training_losses = curves, steps, training
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("statistic", torch.zeros(1))

    def on_train_batch_start(self, batch: Tensor, batch_idx: int) -> None:
        self.weight.data.fill_(self.global_step + 1)
        self.statistic.fill_(self.global_step + 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        losses = self.training_losses
        loss = 1.0 if losses is None else losses[self.global_step // self.steps]
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return (self.weight * 0).sum() + loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        for name, values in self.curves.items():
            self.log(name, float(values[self.global_step // self.steps - 1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)

    @property
    def restored(self) -> float:
        """The step whose weights these are; they must go with their statistic."""
        if self.weight.item() != self.statistic.item():
            raise AssertionError(f"{self.weight} is not of the same step as {self.statistic}")
        return self.weight.item()


def batches(number: int = 2) -> "DataLoader[Tensor]":
    return DataLoader(torch.zeros(number, 1))


def fit(
    stopping: Any, losses: list[float], model: Any = None, steps: int = 2,
    train_batches: int = 2, **arguments: Any,
) -> tuple[Any, Trainer]:  # fmt: skip
    """Fit to the end of the script at most; give back the model and the Trainer."""
    model = model or Scripted({"val_loss": losses}, steps)
    epochs = len(losses) * steps // train_batches
    settings = {"max_epochs": epochs, "num_sanity_val_steps": 0, "callbacks": stopping}
    trainer = quiet_trainer(**{**settings, **arguments})
    trainer.fit(model, batches(train_batches), batches(2))
    return model, trainer
