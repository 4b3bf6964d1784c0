"""The modules of the long trainings, each with a loss of its own."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from batches import ring_centers
from lightning.pytorch import LightningModule
from networks import rectified
from optimizers import adam
from torch import Tensor, nn


class Base(LightningModule):
    """A network with an optimiser and perhaps a schedule by steps."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.optimizer, self.schedule = network, optimizer, schedule

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(p for p in self.parameters() if p.requires_grad)
        if self.schedule is None:
            return optimizer
        schedule = {"scheduler": self.schedule(optimizer), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


class Classes(Base):
    """A classifier."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(self.augmented(x)), y)
        self.log("train_loss", loss)
        return loss

    def augmented(self, x: Tensor) -> Tensor:
        return x

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())


class ShiftedClasses(Classes):
    """Images mirrored by half, and shifted by up to two pixels."""

    def augmented(self, x: Tensor) -> Tensor:
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        down, right = (int(torch.randint(-2, 3, ())) for _ in range(2))
        return x.roll((down, right), (2, 3))


class MixedClasses(Classes):
    """Pairs of samples mixed, and their labels with them (MixUp)."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        share = float(torch.distributions.Beta(0.4, 0.4).sample())
        logits = self(share * x + (1 - share) * x.flip(0))
        return share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y.flip(0))


class RareClass(Base):
    """One in fifty is positive, and weighs as much as all others together."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        weight = torch.tensor(49.0)
        return F.binary_cross_entropy_with_logits(self(x)[:, 0], y, pos_weight=weight)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        right = ((self(x)[:, 0] > 0) == (y > 0)).float()
        self.log("val_balanced", (right[y > 0].mean() + right[y == 0].mean()) / 2)


class Policy(Base):
    """Chooses one of four actions by what it sees; the gradient of the expected reward."""

    def reward(self, x: Tensor, action: Tensor) -> Tensor:
        best = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
        return (action == best).float()

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        policy = torch.distributions.Categorical(logits=self(batch))
        action = policy.sample()
        reward = self.reward(batch, action)
        return -(policy.log_prob(action) * (reward - reward.mean())).mean() - 0.01 * (
            policy.entropy().mean()
        )

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_reward", self.reward(batch, self(batch).argmax(1)).mean())


class Values(Base):
    """A regression."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.mse_loss(self(x).squeeze(-1), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x).squeeze(-1), y))


class Sequences(Base):
    """A class for each place of a sequence; -1 is no class."""

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x).flatten(0, 1), y.flatten(), ignore_index=-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))


class Vae(Base):
    """A variational autoencoder with a Bernoulli output."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16)),
            adam(1e-3),
        )
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))

    def loss(self, x: Tensor) -> Tensor:
        mean, logvar = self(x).chunk(2, 1)
        logits = self.decoder(mean + torch.randn_like(mean) * (logvar / 2).exp())
        seen = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        kl = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1)
        return (seen + kl).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch[0])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch[0]))


class Diffusion(Base):
    """Predicts the noise that was added to a point; its loss never falls far."""

    def loss(self, x: Tensor) -> Tensor:
        time = torch.rand(len(x), 1)
        noise = torch.randn_like(x)
        noisy = x * (1 - time).sqrt() + noise * time.sqrt()
        return F.mse_loss(self(torch.cat([noisy, time], 1)), noise)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))


class Views(Base):
    """Two noisy views of a digit find each other among those of the batch (SimCLR)."""

    def loss(self, x: Tensor) -> Tensor:
        views = [x * (torch.rand_like(x) > 0.2) + 0.1 * torch.randn_like(x) for _ in range(2)]
        codes = F.normalize(self(torch.cat(views)), dim=1)
        alike = codes @ codes.T / 0.2 - 1e9 * torch.eye(len(codes))
        return F.cross_entropy(alike, torch.arange(len(codes)).roll(len(x)))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch[0])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch[0]))


class Recommender(Base):
    """Factors of users and things that rank a thing someone took over another (BPR)."""

    def __init__(self) -> None:
        super().__init__(nn.Embedding(300, 16), adam(2e-3))
        self.things = nn.Embedding(200, 16)
        for table in (self.network, self.things):
            nn.init.normal_(table.weight, std=0.1)

    def ahead(self, batch: Any) -> Tensor:
        user, taken, other = batch
        return ((self.things(taken) - self.things(other)) * self(user)).sum(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return -F.logsigmoid(self.ahead(batch)).mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        ahead = self.ahead(batch)
        self.log("val_loss", -F.logsigmoid(ahead).mean())
        self.log("val_auc", (ahead > 0).float().mean())


class Gan(LightningModule):
    """Points on a ring of eight, drawn from noise; two optimisers by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.made = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
        )
        self.judge = nn.Sequential(
            nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )  # fmt: skip

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        maker, judge = self.optimizers()
        made = self.made(torch.randn(len(batch), 8))
        real, fake = self.judge(batch), self.judge(made.detach())
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        judge.zero_grad()
        self.manual_backward(loss)
        judge.step()
        maker.zero_grad()
        self.manual_backward(F.softplus(-self.judge(made)).mean())
        maker.step()

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        made = self.made(torch.randn(len(batch), 8))
        self.log("val_distance", torch.cdist(made, ring_centers()).amin(1).mean())

    def configure_optimizers(self) -> Any:
        both = (self.made, self.judge)
        return [torch.optim.Adam(part.parameters(), 5e-4, (0.5, 0.99)) for part in both]


class Walker(Base):
    """Q-learning in a corridor of ten cells, from stored moves, with a target network."""

    def __init__(self) -> None:
        super().__init__(rectified(10, 2), adam(5e-4))
        self.target = rectified(10, 2)
        self.target.load_state_dict(self.network.state_dict())
        self.target.requires_grad_(False)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.global_step % 250 == 0:
            self.target.load_state_dict(self.network.state_dict())
        cell, action, reward, after, done = batch
        value = self(F.one_hot(cell, 10).float()).gather(1, action[:, None])[:, 0]
        best = self.target(F.one_hot(after, 10).float()).amax(1)
        return F.smooth_l1_loss(value, reward + 0.95 * best * ~done)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        chosen = self(torch.eye(10)).argmax(1)
        self.log("val_right", (chosen[:9] == 1).float().mean())


class Oscillator(Base):
    """A damped oscillation by its differential equation alone (a physics-informed network)."""

    def loss(self, time: Tensor) -> Tensor:
        time = time.requires_grad_()
        with torch.enable_grad():
            x = self(time)
            (speed,) = torch.autograd.grad(x.sum(), time, create_graph=True)
            (force,) = torch.autograd.grad(speed.sum(), time, create_graph=True)
        zero = torch.zeros(1, 1, requires_grad=True)
        with torch.enable_grad():
            start = self(zero)
            (push,) = torch.autograd.grad(start.sum(), zero, create_graph=True)
        law = (force + 0.4 * speed + 4 * x).square().mean()
        return law + 10 * (start - 1).square().mean() + push.square().mean()

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        root = math.sqrt(3.96)
        exact = (-0.2 * batch).exp() * ((root * batch).cos() + 0.2 / root * (root * batch).sin())
        self.log("val_error", (self(batch) - exact).abs().mean())
