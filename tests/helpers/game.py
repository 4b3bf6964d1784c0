"""A module that optimises by hand."""

import torch
from lightning.pytorch import LightningModule
from torch import nn


class Game(LightningModule):
    """Two networks and two optimisers by hand; the judge takes 64 features."""

    def __init__(self, judge):
        super().__init__()
        self.automatic_optimization = False
        self.maker, self.judge = nn.Linear(4, 64), judge

    def training_step(self, batch, batch_idx):
        for optimizer, sign in zip(self.optimizers(), (1, -1), strict=True):
            made = self.judge(self.maker(torch.randn(len(batch[0]), 4))).mean()
            loss = sign * (made - self.judge(batch[0]).mean()) + 1
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=1e-3) for part in (self.maker, self.judge)]
