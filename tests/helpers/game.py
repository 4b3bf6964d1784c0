"""Modules that optimise by hand."""

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


class Seldom(LightningModule):
    """Optimises by hand: a critic in each batch, a generator in each fifth."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = nn.Linear(4, 5), nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        generator, critic = self.optimizers()
        critic.zero_grad()
        self.manual_backward(self.critic(self.generator(batch[0]).detach()).square().mean())
        critic.step()
        if batch_idx % 5 == 0:
            generator.zero_grad()
            self.manual_backward(-self.critic(self.generator(batch[0])).square().mean())
            generator.step()

    def configure_optimizers(self):
        parts = (self.generator, self.critic)
        return [torch.optim.SGD(part.parameters(), lr=1e-3) for part in parts]


class InnerSteps(Seldom):
    """Makes steps that Lightning does not know of."""

    def training_step(self, batch, batch_idx):
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.critic(self.generator(batch[0])).square().mean())
            optimizer.optimizer.step()
