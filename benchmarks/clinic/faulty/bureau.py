"""Texts and sales on which applied researchers train wrongly."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import texts
from data_sets import bureau
from data_sets.samples import Samples
from lightning.pytorch import LightningModule
from scores import outputs
from torch import Tensor, nn


def right(module: LightningModule, data: Samples) -> float:
    return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()


class Averaged(LightningModule):
    """The mean of the words that are there, and a tower; some notes have none."""

    def __init__(self, least: float = 0.0) -> None:
        super().__init__()
        self.least = least
        self.embedding = nn.Embedding(bureau.WORDS, 48, padding_idx=0)
        self.net = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 12))

    def forward(self, input_ids: Tensor) -> Tensor:
        mask = (input_ids > 0).float()[..., None]
        count = mask.sum(1)
        if self.least:
            count = count.clamp(min=self.least)
        logits: Tensor = self.net((self.embedding(input_ids) * mask).sum(1) / count)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("ce", loss, on_epoch=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def averaged(least: float = 0.0) -> Program:
    data = bureau.intents()
    x = data.x.clone()
    x[700::900] = 0  # two notes of one picture and no words
    module = Averaged(least)
    return Program(module, texts(x, data.y, 32), None, 8, partial(right, module, data))


CASES = (
    Case(
        "intents-means-of-no-words",
        Goal("accuracy", at_least=0.85),
        averaged,
        ("non_finite",),
        partial(averaged, 1.0),
    ),
)
