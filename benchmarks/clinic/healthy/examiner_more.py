"""Trainings of an examiner that do well, some of them though they look ill: pictures and games."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner
from data_sets.samples import Samples, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MixedDigits(LightningModule):
    """Digits cut, moved, blurred with noise, and mixed two by two."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = x.roll(int(torch.randint(-1, 2, ())), 3) + 0.15 * torch.randn_like(x)
        top, left = (int(s) for s in torch.randint(0, 6, (2,)))
        x[:, :, top : top + 3, left : left + 3] = 0
        share = torch.distributions.Beta(0.8, 0.8).sample()
        order = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[order])
        first, second = F.cross_entropy(logits, y), F.cross_entropy(logits, y[order])
        loss = share * first + (1 - share) * second
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9, nesterov=True)


def mixed_digits() -> Program:
    data, module = digit_images(), MixedDigits()
    return Program(module, *loaders(data, 32), 30, partial(accuracy, module, data))


class SmallDigits(LightningModule):
    """Five to nine by a body that has learned zero to four and is kept as it is."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=1e-3)


def pretrained_body(x: Tensor, y: Tensor) -> nn.Module:
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(),
    )  # fmt: skip
    whole = nn.Sequential(body, nn.Linear(512, 5))
    optimizer = torch.optim.Adam(whole.parameters(), lr=2e-3)
    for _ in range(5):
        for rows in torch.randperm(len(y)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(whole(x[rows]), y[rows]).backward()
            optimizer.step()
    return body


def small_digits() -> Program:
    data = digit_images()
    low, high, high_test = data.y < 5, data.y >= 5, data.y_test >= 5
    body = pretrained_body(data.x[low], data.y[low])
    new = Samples(
        data.x[high], data.y[high] - 5, data.x_test[high_test], data.y_test[high_test] - 5
    )
    module = SmallDigits(body)
    return Program(module, *loaders(new, 16), 15, partial(accuracy, module, new))


class RingUNet(LightningModule):
    """Pixels of rings by one step down and up again; overlap and entropy are added."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.down = self.block(1, 16), self.block(16, 32)
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.leave, self.head = self.block(32, 16), nn.Conv2d(16, 1, 1)

    @staticmethod
    def block(before: int, after: int) -> nn.Sequential:
        conv = nn.Conv2d(before, after, 3, padding=1)
        return nn.Sequential(conv, nn.GroupNorm(4, after), nn.ReLU())

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.enter(picture)
        coarse = self.down(F.max_pool2d(fine, 2))
        logit: Tensor = self.head(self.leave(torch.cat([fine, self.up(coarse)], 1)))
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        picture, mask = batch
        logit = self(picture)
        p = logit.sigmoid()
        dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        entropy = F.binary_cross_entropy_with_logits(logit, mask)
        self.log_dict({"dice": dice, "entropy": entropy})
        return dice + entropy

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def ring_unet() -> Program:
    picture, mask = examiner.rings()
    module = RingUNet()

    def score() -> float:
        found, true = outputs(module, picture[500:]) > 0, mask[500:] > 0.5
        return ((found & true).sum() / (found | true).sum()).item()

    train = DataLoader(TensorDataset(picture[:500], mask[:500]), 16, shuffle=True)
    return Program(module, train, None, 12, score)


class DigitVAE(LightningModule):
    """Digits through eight numbers; the divergence counts more and more."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 2 * size))
        self.decoder = nn.Sequential(nn.Linear(size, 128), nn.GELU(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        shown: Tensor = self.decoder(mean).sigmoid()
        return shown

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mean, log_variance = self.encoder(batch[0]).chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        logits = self.decoder(z)
        error = F.binary_cross_entropy_with_logits(logits, batch[0], reduction="none").sum(1)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        beta = min(1.0, self.global_step / 400)
        self.log_dict({"error": error.mean(), "kl": kl.mean()})
        return (error + beta * kl).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def digit_vae() -> Program:
    data, module = digits(), DigitVAE()

    def score() -> float:
        x = data.x_test
        error = F.mse_loss(outputs(module, x), x)
        return (1 - error / (x - x.mean(0)).square().mean()).item()

    return Program(module, loaders(data, 32)[0], None, 30, score)


class ForgedRing(LightningModule):
    """Points of a ring, forged against a judge."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.forger = nn.Sequential(
            nn.Linear(4, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
            nn.Linear(64, 2),
        )  # fmt: skip
        self.judge = nn.Sequential(
            nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.forger(z)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        optimizers: Any = self.optimizers()
        of_forger, of_judge = optimizers
        forged = self(torch.randn(len(real), 4))
        judged = (
            F.softplus(-self.judge(real)).mean() + F.softplus(self.judge(forged.detach())).mean()
        )
        of_judge.zero_grad()
        self.manual_backward(judged)
        of_judge.step()
        fooled = F.softplus(-self.judge(forged)).mean()
        of_forger.zero_grad()
        self.manual_backward(fooled)
        of_forger.step()
        self.log_dict({"judge": judged, "forger": fooled})

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam(self.forger.parameters(), lr=1e-3, betas=(0.5, 0.99)),
            torch.optim.Adam(self.judge.parameters(), lr=2e-3, betas=(0.5, 0.99)),
        ]


def forged_ring() -> Program:
    angle = 6.283 * torch.rand(3000, generator=examiner.seeded(41))
    points = torch.stack([angle.cos(), angle.sin()], 1)
    points = points + 0.05 * torch.randn(points.shape, generator=examiner.seeded(42))
    module = ForgedRing()

    def score() -> float:
        forged = outputs(module, torch.randn(1500, 4))
        direction = torch.stack([angle[:50].cos(), angle[:50].sin()])
        ours, theirs = (
            (forged @ direction).sort(0).values,
            (points[:1500] @ direction).sort(0).values,
        )
        return (ours - theirs).abs().mean().item()

    train = DataLoader(TensorDataset(points), 64, shuffle=True, drop_last=True)
    return Program(module, train, None, 50, score)


class Chooser(LightningModule):
    """One of four doors for a guest; only the prize behind the chosen one is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 4))
        self.value = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
        self.doors = torch.randn(4, 4, generator=examiner.seeded(43))

    def forward(self, guest: Tensor) -> Tensor:
        logits: Tensor = self.policy(guest)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (guest,) = batch
        chance = torch.distributions.Categorical(logits=self(guest))
        door = chance.sample()
        best = (guest @ self.doors).argmax(1)
        prize = (door == best).float() + 0.3 * torch.randn(len(guest))
        value = self.value(guest).squeeze(-1)
        gain = (prize - value).detach()
        loss = -(gain * chance.log_prob(door)).mean() - 0.01 * chance.entropy().mean()
        self.log_dict({"prize": prize.mean(), "policy_loss": loss})
        return loss + 0.5 * F.mse_loss(value, prize)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def doors() -> Program:
    guests = torch.randn(6000, 4, generator=examiner.seeded(44))
    module = Chooser()

    def score() -> float:
        best = (guests[5000:] @ module.doors).argmax(1)
        return (outputs(module, guests[5000:]).argmax(1) == best).float().mean().item()

    train = DataLoader(TensorDataset(guests[:5000]), 64, shuffle=True)
    return Program(module, train, None, 20, score)


CASES = (
    Case("digits-cut-moved-and-mixed", Goal("accuracy", at_least=0.92), mixed_digits),
    Case("digits-by-the-body-of-others", Goal("accuracy", at_least=0.92), small_digits),
    Case("ring-pixels-by-overlap", Goal("IoU", at_least=0.6), ring_unet),
    Case("digits-through-eight-numbers", Goal("R2", at_least=0.55), digit_vae),
    Case("points-forged-on-a-ring", Goal("sliced distance", at_most=0.15), forged_ring),
    Case("doors-chosen-for-their-prize", Goal("prize", at_least=0.8), doors),
)
