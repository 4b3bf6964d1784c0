"""Programs that classify waves and add numbers, and make nothing of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from programs import classification
from scores import outputs
from torch import Tensor, nn


class Recurrent(nn.Module):
    """An LSTM that may take the batch for time."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(1, 32, batch_first=batch_first), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        logits: Tensor = self.fc(out[:, -1])
        return logits


def batch_for_time(batch_first: bool = False) -> Program:
    optimizer = partial(torch.optim.RMSprop, lr=5e-3)
    return classification(samples.waves(), Recurrent(batch_first), optimizer, epochs=14)


class Sums(LightningModule):
    """Adds binary numbers; an initialiser is applied to every parameter there is."""

    def __init__(self, init: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 2)
        for parameter in self.parameters():
            init(parameter)

    def forward(self, digits: Tensor) -> Tensor:
        states, _ = self.rnn(digits)
        return self.out(states).permute(0, 2, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def sums(init: Callable[[Tensor], Any]) -> Program:
    data = surveys.sums(10)
    module = Sums(init)

    def score() -> float:
        return (outputs(module, data.x_test).argmax(1) == data.y_test).float().mean().item()

    return Program(module, loaders(data, 32)[0], None, 20, score)


CASES = (
    Case(
        "waves-batch-for-time", Goal("accuracy", at_least=0.85), batch_for_time,
        ("not_learning", "inconsistent_labels", "train_eval_mismatch"),
        partial(batch_for_time, True),
    ),
    Case(
        "sums-gru-of-equal-weights", Goal("digits right", at_least=0.95),
        partial(sums, partial(nn.init.constant_, val=0.1)),
        ("symmetric_weights", "poor_initialization"),
        partial(sums, partial(nn.init.normal_, std=0.2)),
    ),
)  # fmt: skip
