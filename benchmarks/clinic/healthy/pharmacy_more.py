"""A pharmacy's good programs on its own data: powders, molecules, doses, spectra, sales."""

import math
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import pharmacy
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Forger(LightningModule):
    """Points out of noise; the critic's slope at true points is held down (R1).

    An average of the generator's weights is what is used afterwards.
    """

    def __init__(self, noise: int = 4, penalty: float = 0.1) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters()
        self.generator = mlp([noise, 64, 64, 2], partial(nn.LeakyReLU, 0.2))
        self.critic = mlp([2, 64, 64, 1], partial(nn.LeakyReLU, 0.2))
        self.averaged = mlp([noise, 64, 64, 2], partial(nn.LeakyReLU, 0.2)).requires_grad_(False)
        self.averaged.load_state_dict(self.generator.state_dict())
        self.noise, self.penalty = noise, penalty

    def forward(self, count: int) -> Tensor:
        generator = self.generator if self.training else self.averaged
        points: Tensor = generator(torch.randn(count, self.noise))
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        forging, judging = optimizers
        real = batch[0].requires_grad_()
        told = self.critic(real)
        (slope,) = torch.autograd.grad(told.sum(), real, create_graph=True)
        loss_d = F.softplus(-told).mean() + F.softplus(self.critic(self(len(real)).detach())).mean()
        judging.zero_grad()
        self.manual_backward(loss_d + self.penalty * slope.square().sum(1).mean())
        judging.step()
        loss_g = F.softplus(-self.critic(self(len(real)))).mean()
        forging.zero_grad()
        self.manual_backward(loss_g)
        forging.step()
        for kept, now in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(now.detach(), 0.01)
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        forging = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
        return forging, torch.optim.Adam(self.critic.parameters(), lr=2e-3, betas=(0.5, 0.99))


def sliced_distance(a: Tensor, b: Tensor) -> float:
    """Mean over directions of how far sorted shadows of equally many points are apart."""
    angle = torch.linspace(0, math.pi, 32)
    directions = torch.stack([angle.cos(), angle.sin()])
    return ((a @ directions).sort(0).values - (b @ directions).sort(0).values).abs().mean().item()


def grains() -> Program:
    real, module = pharmacy.grains(), Forger()
    train = DataLoader(TensorDataset(real), 128, shuffle=True, drop_last=True)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return sliced_distance(module(len(real)), real)

    return Program(module, train, None, 60, score)


class TwoViews(LightningModule):
    """Each reading is to find the other one of its molecule in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp([256, 256, 128], norm=nn.BatchNorm1d)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.1)))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x), dim=-1)

    def loss(self, views: Tensor) -> Tensor:
        first, second = self(views[:, 0]), self(views[:, 1])
        logits = self.log_scale.exp().clamp(max=100) * first @ second.T
        own = torch.arange(len(views), device=logits.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log_dict({"nt_xent": loss, "scale": self.log_scale.exp()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nt_xent", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def fingerprints() -> Program:
    """Scored by how often the other reading is found among 400."""
    known, unknown = pharmacy.fingerprints()
    module = TwoViews()
    train = DataLoader(TensorDataset(known), 200, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(unknown), 200)

    def score() -> float:
        near = outputs(module, unknown[:, 0]) @ outputs(module, unknown[:, 1]).T
        return (near.argmax(1) == torch.arange(len(unknown))).float().mean().item()

    return Program(module, train, test, 50, score)


class Prescriber(LightningModule):
    """REINFORCE: a dose is drawn, its noisy effect seen; the mean effect is the baseline.

    The loss goes up and down about zero and says nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.policy = mlp([6, 64, 64, 5], nn.Tanh)
        self.register_buffer("baseline", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.policy(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, best = batch
        policy = torch.distributions.Categorical(logits=self(x))
        dose = policy.sample()  # type: ignore[no-untyped-call]
        effect = 1 - 0.5 * (dose - best).abs() + 0.5 * torch.randn(len(x))
        baseline = self.get_buffer("baseline")
        gain = effect - baseline
        baseline.lerp_(effect.mean(), 0.05)
        entropy = policy.entropy().mean()  # type: ignore[no-untyped-call]
        log_chance = policy.log_prob(dose)  # type: ignore[no-untyped-call]
        self.log_dict({"effect": effect.mean(), "entropy": entropy}, prog_bar=True)
        loss: Tensor = -(gain * log_chance).mean() - 0.01 * entropy
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def doses() -> Program:
    """Scored by the mean effect of the doses that are thought best; 1 is the most."""
    data, module = pharmacy.patients(), Prescriber()
    train, _ = loaders(data, 128)

    def score() -> float:
        dose = outputs(module, data.x_test).argmax(1)
        return (1 - 0.5 * (dose - data.y_test).abs().float()).mean().item()

    return Program(module, train, None, 60, score)


class LevelsInBlood(LightningModule):
    """A GRU that tells the level after each hour; clipped, and warmed up."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels: Tensor = self.out(self.rnn(x)[0]).squeeze(-1)
        return levels

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=4e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.02, 1.0, 60)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)
        both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, fall], [60])
        return [optimizer], [{"scheduler": both, "interval": "step"}]


def concentrations() -> Program:
    data, module = pharmacy.concentrations(), LevelsInBlood()
    trainer = {"gradient_clip_val": 0.2}
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data), trainer)


class Prescription(NamedTuple):
    """Numbers of drugs, and whether two of them interact."""

    drugs: Tensor
    interact: Tensor


class Prescriptions(Dataset[Prescription]):
    """Each with its label."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Prescription:
        return Prescription(self.x[index], self.y[index].float())


class Interactions(LightningModule):
    """A set of drugs through two layers of attention; empty places are masked."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, width, padding_idx=0)
        layer = nn.TransformerEncoderLayer(
            width, 4, 64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, drugs: Tensor) -> Tensor:
        empty = drugs == 0
        found = self.encoder(self.embed(drugs), src_key_padding_mask=empty)
        most = found.masked_fill(empty[..., None], -torch.inf).amax(1)
        logits: Tensor = self.out(most).squeeze(1)
        return logits

    def step(self, batch: Prescription, stage: str) -> Tensor:
        logits = self(batch.drugs)
        loss = F.binary_cross_entropy_with_logits(logits, batch.interact)
        right = ((logits > 0) == (batch.interact > 0.5)).float().mean()
        self.log_dict({f"{stage}_bce": loss, f"{stage}_acc": right})
        return loss

    def training_step(self, batch: Prescription, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Prescription, batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, 1100, pct_start=0.1)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def interactions() -> Program:
    data, module = pharmacy.prescriptions(), Interactions()
    train = DataLoader(Prescriptions(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Prescriptions(data.x_test, data.y_test), 256)
    return Program(module, train, test, 20, partial(binary_accuracy, module, data))


class Assay(LightningModule):
    """Convolutions over a spectrum; the answer and its squared error are in milligrams."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.net = nn.Sequential(
            nn.Conv1d(1, 8, 7, stride=2, padding=3), nn.GELU(),
            nn.Conv1d(8, 16, 5, stride=2, padding=2), nn.GELU(),
            nn.Conv1d(16, 16, 3, stride=2, padding=1), nn.GELU(),
            nn.Flatten(), nn.Linear(16 * 12, 32), nn.GELU(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x[:, None]).squeeze(1)
        return self.get_buffer("mean") + self.get_buffer("deviation") * found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse_mg2", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae_mg", (self(batch[0]) - batch[1]).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)]


def spectra() -> Program:
    data = standardized(pharmacy.tablet_spectra())
    module = Assay(data.y.mean(), data.y.std())
    return Program(module, *loaders(data, 32), 30, partial(r2, module, data))


class Demand(LightningModule):
    """Embedded shops and medicines, each medicine with its own season; Poisson's likelihood.

    Most weeks sell nothing, so that the loss can hardly fall.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.medicine = nn.Embedding(30, 1), nn.Embedding(40, 3)
        self.level = nn.Parameter(torch.zeros(()))
        for table in (self.shop, self.medicine):
            nn.init.normal_(table.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        angle = 6.2832 * x[:, 2] / 52
        season = torch.stack([torch.ones_like(angle), angle.sin(), angle.cos()], 1)
        log_rate = self.shop(x[:, 0]).squeeze(1) + (self.medicine(x[:, 1]) * season).sum(1)
        found: Tensor = self.level + log_rate
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1][:, 0])
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_poisson", F.poisson_nll_loss(self(batch[0]), batch[1][:, 0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def dispensings() -> Program:
    """Scored by the share of the true rates' variance, both as logarithms."""
    data, module = pharmacy.dispensings(), Demand()

    def score() -> float:
        true = data.y_test[:, 1].log()
        error = F.mse_loss(outputs(module, data.x_test), true)
        return (1 - error / true.var()).item()

    return Program(module, *loaders(data, 256), 30, score)


CASES = (
    Case("grains-forged-under-a-slope-penalty", Goal("distance", at_most=0.12), grains),
    Case("fingerprints-found-by-their-other-reading", Goal("found", at_least=0.8), fingerprints),
    Case("doses-tried-and-reinforced", Goal("effect", at_least=0.8), doses),
    Case("blood-levels-gru-hour-by-hour", Goal("R2", at_least=0.88), concentrations),
    Case("prescriptions-two-that-interact", Goal("accuracy", at_least=0.87), interactions),
    Case("tablet-spectra-squared-milligrams", Goal("R2", at_least=0.9), spectra),
    Case("dispensings-mostly-none-by-poisson", Goal("R2 of logs", at_least=0.8), dispensings),
)
