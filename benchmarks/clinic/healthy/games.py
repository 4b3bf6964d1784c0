"""Programs with an opponent: forgers and their judges, domains, attacks."""

import copy
import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, TensorDataset


def energy_distance(a: Tensor, b: Tensor) -> float:
    """How unlike two clouds are: 0 for the same."""
    between, in_a, in_b = torch.cdist(a, b), torch.cdist(a, a), torch.cdist(b, b)
    return (2 * between.mean() - in_a.mean() - in_b.mean()).item()


def moons() -> Tensor:
    x = samples.moons().x
    return (x - x.mean(0)) / x.std(0)


class Wasserstein(LightningModule):
    """Three steps of a penalised critic for one of the generator, whose average counts."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = (
            mlp([4, 64, 64, 2], nn.SiLU),
            mlp([2, 64, 64, 1], nn.LeakyReLU),
        )
        self.average = copy.deepcopy(self.generator).requires_grad_(False)

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.generator(z) if self.training else self.average(z)
        return points

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(real), 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        g_opt, c_opt = self.optimizers()  # type: ignore[misc, union-attr]
        for _ in range(3):
            fake = self(torch.randn(len(real), 4)).detach()
            gap = self.critic(fake).mean() - self.critic(real).mean()
            c_opt.zero_grad()
            self.manual_backward(gap + self.penalty(real, fake))
            c_opt.step()
        self.toggle_optimizer(g_opt)
        g_opt.zero_grad()
        self.manual_backward(-self.critic(self(torch.randn(len(real), 4))).mean())
        g_opt.step()
        self.untoggle_optimizer(g_opt)
        for slow, fast in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            slow.lerp_(fast.detach(), 0.01)
        self.log("wasserstein", -gap.detach(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        rates = ((self.generator, 1e-3), (self.critic, 1e-3))
        both = [torch.optim.Adam(net.parameters(), lr, betas=(0.0, 0.9)) for net, lr in rates]
        return both, [torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.1, 90) for opt in both]

    def on_train_epoch_end(self) -> None:
        for schedule in self.lr_schedulers():  # type: ignore[union-attr]
            schedule.step()  # type: ignore[call-arg]


class Hinge(LightningModule):
    """Both networks in one step; the discriminator's layers have a norm of one."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net_g = mlp([4, 64, 64, 2], nn.ReLU, norm=nn.BatchNorm1d)
        layers = [spectral_norm(nn.Linear(a, b)) for a, b in ((2, 64), (64, 64), (64, 1))]
        act = nn.LeakyReLU(0.1)
        self.net_d = nn.Sequential(layers[0], act, layers[1], act, layers[2])

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.net_g(z)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        (real,) = batch
        g_opt, d_opt = self.optimizers()  # type: ignore[misc, union-attr]
        fake = self(torch.randn(len(real), 4))
        d_loss = (
            F.relu(1 - 4 * self.net_d(real)).mean()
            + F.relu(1 + 4 * self.net_d(fake.detach())).mean()
        )
        d_opt.zero_grad()
        self.manual_backward(d_loss)
        d_opt.step()
        self.net_d.requires_grad_(False)
        g_loss = -4 * self.net_d(fake).mean()
        g_opt.zero_grad()
        self.manual_backward(g_loss)
        g_opt.step()
        self.net_d.requires_grad_(True)
        self.log_dict({"loss/d": d_loss, "loss/g": g_loss})
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}

    def configure_optimizers(self) -> Any:
        return (
            torch.optim.Adam(self.net_g.parameters(), 1e-3, betas=(0.0, 0.9)),
            torch.optim.Adam(self.net_d.parameters(), 4e-3, betas=(0.0, 0.9)),
        )


def forgers(kind: type[LightningModule], epochs: int) -> Program:
    module, real = kind(), moons()
    train = DataLoader(TensorDataset(real), 70, shuffle=True)

    def score() -> float:
        z = torch.randn(700, 4, generator=torch.Generator().manual_seed(0))
        return energy_distance(outputs(module, z), real)

    return Program(module, train, None, epochs, score)


class Reversed(torch.autograd.Function):
    """The identity, whose gradient points the other way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return -ctx.strength * gradient, None


class DomainAdversarial(LightningModule):
    """Classifies one domain so that the other looks the same to a second head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
        self.label, self.domain = nn.Linear(48, 10), mlp([48, 32, 1])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.label(self.body(x))
        return logits

    def training_step(self, batch: dict[str, list[Tensor]], batch_idx: int) -> Tensor:
        (x, y), (other,) = batch["source"], batch["target"]
        strength = 0.3 * (2 / (1 + math.exp(-5 * self.global_step / 400)) - 1)
        codes = self.body(torch.cat([x, other]))
        domain = self.domain(Reversed.apply(codes, strength))[:, 0]
        truth = torch.cat([torch.zeros(len(x)), torch.ones(len(other))])
        told_apart = F.binary_cross_entropy_with_logits(domain, truth)
        loss = F.cross_entropy(self.label(codes[: len(x)]), y)
        self.log_dict({"label_loss": loss, "domain_loss": told_apart}, batch_size=len(x))
        return loss + told_apart

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def two_domains() -> Program:
    """Digits, and others darker and noisy whose labels are not known."""
    data = samples.digits()
    generator = torch.Generator().manual_seed(80)

    def darker(x: Tensor) -> Tensor:
        return 0.7 * x + 0.2 * torch.rand(x.shape, generator=generator)

    half = len(data.y) // 2
    source = TensorDataset(data.x[:half], data.y[:half])
    module = DomainAdversarial()
    parts = {"source": source, "target": TensorDataset(darker(data.x[half:]))}
    train = {
        name: DataLoader(part, 32, shuffle=True, drop_last=True) for name, part in parts.items()
    }
    unseen = data._replace(x_test=darker(data.x_test))
    return Program(module, train, None, 20, partial(accuracy, module, unseen))


class Robust(LightningModule):
    """Trained on inputs that were changed against it, by a step along their gradient's sign."""

    def __init__(self, reach: float = 0.06) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = mlp([64, 192, 96, 10], nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def attack(self, x: Tensor, y: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(self(x), y), x)
        return (x + self.hparams["reach"] * slope.sign()).clamp(0, 1).detach()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(self.attack(x, y)), y)
        self.log("robust_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def robust() -> Program:
    data = samples.digits()
    module = Robust()
    train, _ = loaders(data, 32)

    def score() -> float:
        attacked = module.attack(data.x_test, data.y_test)
        return accuracy(module, data._replace(x_test=attacked))

    return Program(module, train, None, 12, score)


FORGED = Goal("energy distance", at_most=0.03)
CASES = (
    Case("moons-wasserstein-penalty", FORGED, partial(forgers, Wasserstein, 90)),
    Case("moons-hinge-spectral", FORGED, partial(forgers, Hinge, 100)),
    Case("digits-two-domains", Goal("accuracy", at_least=0.9), two_domains),
    Case("digits-attacked", Goal("accuracy under attack", at_least=0.85), robust),
)
