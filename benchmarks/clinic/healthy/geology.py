"""The scripts of an earth science lab: picks, reflections, minerals, shocks and cores."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import geology
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Waveforms:
    """Three components, and for each moment how likely are noise, P and S."""

    trace: Tensor
    target: Tensor


def waveforms(rows: list[tuple[Tensor, Tensor]]) -> Waveforms:
    """Bells around the two arrivals; all else is noise."""
    traces, times = zip(*rows, strict=True)
    trace = torch.stack(traces)
    away = torch.arange(trace.shape[2]) - torch.stack(times)[..., None]
    bells = (-((away / 3) ** 2) / 2).exp()
    noise = (1 - bells.sum(1, keepdim=True)).clamp(min=0)
    return Waveforms(trace, torch.cat([noise, bells], 1))


def down(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(before, after, 7, 4, 3, bias=False), nn.BatchNorm1d(after), nn.ReLU()
    )


class PhasePicker(LightningModule):
    """A small U over time; nineteen moments in twenty are noise."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(3, 8, 7, padding=3), nn.BatchNorm1d(8), nn.ReLU())
        self.down1, self.down2 = down(8, 16), down(16, 32)
        self.up2 = nn.ConvTranspose1d(32, 16, 4, 4)
        self.up1 = nn.ConvTranspose1d(32, 8, 4, 4)
        self.last = nn.Sequential(nn.Conv1d(16, 16, 7, padding=3), nn.ReLU(), nn.Conv1d(16, 3, 1))

    def forward(self, trace: Tensor) -> Tensor:
        first = self.first(trace)
        second = self.down1(first)
        x = torch.cat([second, F.relu(self.up2(self.down2(second)))], 1)
        x = torch.cat([first, F.relu(self.up1(x))], 1)
        logits: Tensor = self.last(x)
        return logits

    def training_step(self, batch: Waveforms, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.trace), batch.target)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Waveforms, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch.trace), batch.target))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def picker() -> Program:
    data, module = geology.arrivals(), PhasePicker()
    train = DataLoader(TensorDataset(data.x, data.y), 32, shuffle=True, collate_fn=waveforms)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 128, collate_fn=waveforms)

    def near() -> float:
        picked = outputs(module, data.x_test).softmax(1)[:, 1:].argmax(2)
        return ((picked - data.y_test).abs() <= 4).float().mean().item()

    return Program(module, train, test, 15, near)


class NoiseToNoise(LightningModule):
    """Learns to clean from pairs of recordings that are both noisy.

    No network foretells the noise of the other recording, so that the loss ends at its variance.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Conv1d(1, 24, 9, padding=4), nn.SiLU(),
            nn.Conv1d(24, 24, 9, padding=4), nn.SiLU(),
            nn.Conv1d(24, 24, 9, padding=4), nn.SiLU(),
            nn.Conv1d(24, 1, 9, padding=4),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        clean: Tensor = self.net(trace)
        return clean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        noisy, clean = batch
        other = clean + self.hparams["sigma"] * torch.randn_like(clean)
        loss = F.mse_loss(self(noisy), other)
        self.log("n2n_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        other = clean + self.hparams["sigma"] * torch.randn_like(clean)
        self.log("val_n2n_loss", F.mse_loss(self(noisy), other))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def cleaner() -> Program:
    """Scored by the noise that is left, in parts of what there was."""
    data, module = geology.reflections(), NoiseToNoise(0.9)

    def left() -> float:
        before = F.mse_loss(data.x_test, data.y_test)
        return (F.mse_loss(outputs(module, data.x_test), data.y_test) / before).item()

    return Program(module, *loaders(data, 32), 12, left)


class SpectrumViews(LightningModule):
    """Two disturbed views of each spectrum are to find one another among those of the batch."""

    def __init__(self, warmup: int = 40) -> None:
        super().__init__()
        self.warmup = warmup
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 7, 2, 3), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 32, 7, 2, 3), nn.BatchNorm1d(32), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 24, 64),
        )  # fmt: skip
        self.projector = mlp([64, 64, 32], nn.ReLU)
        self.log_scale = nn.Parameter(torch.tensor(math.log(5.0)))

    def forward(self, x: Tensor) -> Tensor:
        codes: Tensor = self.encoder((x - 0.6)[:, None] / 0.2)
        return F.normalize(codes, dim=1)

    def view(self, x: Tensor) -> Tensor:
        band = torch.linspace(-0.5, 0.5, x.shape[1])
        level, slope, depth = torch.rand(3, len(x), 1)
        mean = x.mean(1, keepdim=True)
        x = mean + (0.7 + 0.6 * depth) * (x - mean)
        return x + 0.3 * (level - 0.5) + 0.4 * (slope - 0.5) * band + 0.02 * torch.randn_like(x)

    def loss(self, x: Tensor) -> Tensor:
        a, b = (F.normalize(self.projector(self(self.view(x))), dim=1) for _ in range(2))
        logits = self.log_scale.exp().clamp(max=30) * a @ b.T
        own = torch.arange(len(x))
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("nt_xent", loss)
        self.log("scale", self.log_scale.exp())
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / self.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def views() -> Program:
    """Scored by the mineral of the nearest spectrum of those trained on."""
    data, module = geology.spectra(), SpectrumViews()
    train = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True, drop_last=True)

    def nearest() -> float:
        alike = outputs(module, data.x_test) @ outputs(module, data.x).T
        return (data.y[alike.argmax(1)] == data.y_test).float().mean().item()

    return Program(module, train, None, 20, nearest)


class ShockTimes(LightningModule):
    """When the next shock is, as a mixture of log-normals; densities above 1 are usual."""

    def __init__(self, hidden: int = 32, parts: int = 4) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(2, hidden, batch_first=True), nn.Linear(hidden, 3 * parts)

    def forward(self, past: Tensor) -> torch.distributions.Distribution:
        share, mean, log_width = self.head(self.gru(past)[0]).chunk(3, -1)
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=share, validate_args=False),
            torch.distributions.LogNormal(mean, log_width.clamp(-4, 3).exp(), validate_args=False),
            validate_args=False,
        )

    def loss(self, batch: list[Tensor]) -> Tensor:
        past, gap = batch
        return -self(past).log_prob(gap).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def shocks() -> Program:
    """Scored by the nats that are gained over one log-normal for all gaps."""
    data, module = geology.aftershocks(), ShockTimes()
    trainer = {"gradient_clip_val": 1.0}

    @torch.no_grad()
    def gained() -> float:
        module.eval()
        log_gap = data.y.log()
        plain = torch.distributions.LogNormal(log_gap.mean(), log_gap.std())
        loss = module.loss([data.x_test, data.y_test])
        return (-plain.log_prob(data.y_test).mean() - loss).item()

    return Program(module, *loaders(data, 32), 15, gained, trainer)


class Eikonal(LightningModule):
    """First arrivals of a source at the surface, from the equation alone: no times are given.

    The velocity grows with the depth from 1 by a half for each unit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([2, 40, 40, 1], nn.Tanh)

    def forward(self, place: Tensor) -> Tensor:
        time: Tensor = place.norm(dim=1) * F.softplus(self.net(place - 1).squeeze(1))
        return time

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        place = batch[0].requires_grad_()
        (slope,) = torch.autograd.grad(self(place).sum(), place, create_graph=True)
        residual = slope.square().sum(1) * (1 + place[:, 1] / 2) ** 2 - 1
        loss = residual.square().mean()
        self.log("pde_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def eikonal() -> Program:
    """Scored by the mean error relative to the times that are known for such a velocity."""
    module = Eikonal()
    generator = torch.Generator().manual_seed(713)
    place = 2 * torch.rand(3000, 2, generator=generator) + 0.02
    train = DataLoader(TensorDataset(place[:2000]), 64, shuffle=True)

    def error() -> float:
        unseen = place[2000:]
        velocity = 1 + unseen[:, 1] / 2
        true = 2 * torch.acosh(1 + unseen.square().sum(1) / (8 * velocity))
        return ((outputs(module, unseen) - true).abs() / true).mean().item()

    return Program(module, train, None, 20, error)


class GradeNet(LightningModule):
    """Ordered grades: one value of a core, and four learnt limits that it is above or not."""

    def __init__(self, grades: int = 5) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(20, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, 1, bias=False),
        )  # fmt: skip
        self.limits = nn.Parameter(torch.linspace(1, -2, grades - 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.trunk(x) + self.limits
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, grade = batch
        above = (grade[:, None] > torch.arange(len(self.limits))).float()
        return F.binary_cross_entropy_with_logits(self(x), above)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("coral_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_coral_loss", self.loss(batch))
        wrong = ((self(batch[0]) > 0).sum(1) - batch[1]).abs().float().mean()
        self.log("val_mae", wrong, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-4)


def grades() -> Program:
    data, module = standardized(geology.weathering()), GradeNet()

    def error() -> float:
        found = (outputs(module, data.x_test) > 0).sum(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 25), 30, error)


def gabors(size: int = 9, angles: int = 6) -> Tensor:
    """Waves under a bell in six directions and of two lengths, each twice, of norm 1."""
    axis = torch.arange(size) - size // 2
    row, column = axis[:, None], axis[None, :]
    bell = (-(row**2 + column**2) / 12).exp()
    found = [
        bell * (2 * math.pi * (row * math.cos(a) + column * math.sin(a)) / period + phase).cos()
        for period in (4, 6) for phase in (0.0, math.pi / 2)
        for a in (math.pi * i / angles for i in range(angles))
    ]  # fmt: skip
    bank = torch.stack(found)[:, None]
    return bank / bank.flatten(1).norm(dim=1)[:, None, None, None]


class TextureNet(LightningModule):
    """A bank of fixed filters, whose energies a small head learns to tell apart."""

    def __init__(self) -> None:
        super().__init__()
        bank = gabors()
        self.filters = nn.Conv2d(1, len(bank), 9, bias=False)
        self.filters.weight.data = bank
        self.filters.requires_grad_(False)
        self.head = nn.Sequential(
            nn.BatchNorm1d(len(bank)), nn.Linear(len(bank), 32), nn.ReLU(), nn.Linear(32, 4)
        )

    def forward(self, picture: Tensor) -> Tensor:
        energy = self.filters(picture).square().mean((2, 3))
        logits: Tensor = self.head((energy + 1e-3).log())
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        picture, kind = batch
        loss = F.cross_entropy(self(picture), kind, label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        picture, kind = batch
        logits = self(picture)
        self.log("val_loss", F.cross_entropy(logits, kind))
        self.log("val_acc", (logits.argmax(1) == kind).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(trained, lr=0.05, momentum=0.9, nesterov=True)


def textures() -> Program:
    data, module = geology.textures(), TextureNet()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case("arrivals-picked-among-noise", Goal("picks within 4", at_least=0.75), picker),
    Case("reflections-cleaned-by-other-noise", Goal("noise left", at_most=0.4), cleaner),
    Case("minerals-two-views-of-a-spectrum", Goal("accuracy", at_least=0.85), views),
    Case("aftershocks-mixture-of-log-normals", Goal("nats gained", at_least=0.3), shocks),
    Case("eikonal-learnt-without-times", Goal("relative error", at_most=0.02), eikonal),
    Case("cores-grades-in-their-order", Goal("mean error", at_most=0.6), grades),
    Case("cores-textures-by-frozen-filters", Goal("accuracy", at_least=0.9), textures),
)  # fmt: skip
