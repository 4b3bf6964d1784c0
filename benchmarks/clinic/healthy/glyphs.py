"""Programs that draw, compare, teach and adapt, on digits and points."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated, samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp, sgd
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Forger(LightningModule):
    """Points on two moons, forged with two optimisers by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = mlp([4, 64, 64, 2], nn.ReLU)
        self.critic = mlp([2, 64, 64, 1], partial(nn.LeakyReLU, 0.2))

    def forward(self, noise: Tensor) -> Tensor:
        points: Tensor = self.generator(noise)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        real = batch[0]
        mine, its = self.optimizers()
        forged = self(torch.randn(len(real), 4))
        shown = self.critic(torch.cat([real, forged.detach()])).squeeze(1)
        truth = torch.cat([torch.ones(len(real)), torch.zeros(len(real))])
        loss = F.binary_cross_entropy_with_logits(shown, truth)
        its.zero_grad()
        self.manual_backward(loss)
        its.step()
        fooled = F.softplus(-self.critic(forged)).mean()
        mine.zero_grad()
        self.manual_backward(fooled)
        mine.step()
        self.log_dict({"d_loss": loss, "g_loss": fooled}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        options: dict[str, Any] = {"lr": 1e-3, "betas": (0.5, 0.9)}
        mine = torch.optim.Adam(self.generator.parameters(), **options)
        return [mine, torch.optim.Adam(self.critic.parameters(), **options)], []


def forged() -> Program:
    data = samples.moons()
    module = Forger()
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True, drop_last=True)

    def far() -> float:
        """How far real points are from the nearest forged one, and the other way round."""
        noise = torch.randn(600, 4, generator=torch.Generator().manual_seed(0))
        distance = torch.cdist(data.x_test, outputs(module, noise))
        return (distance.amin(0).mean() + distance.amin(1).mean()).item()

    return Program(module, train, None, 100, far)


class ConvCoder(LightningModule):
    """Convolutions down to 24 numbers, and transposed ones up again, from noisy pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GELU(),
            nn.Flatten(), nn.Linear(128, 24),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(24, 128), nn.GELU(), nn.Unflatten(1, (32, 2, 2)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.GELU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        picture: Tensor = self.decoder(self.encoder(x))
        return picture

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        loss = F.mse_loss(self(x + 0.2 * torch.randn_like(x)), x)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def coded() -> Program:
    data = samples.digit_images()
    module = ConvCoder()
    score = partial(r2, module, data._replace(y_test=data.x_test))
    return Program(module, *loaders(data, 64), 25, score)


class TwoViews(LightningModule):
    """Two noisy views of a signal find one another among those of the batch."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(
            nn.Conv1d(1, 24, 9, stride=2), nn.BatchNorm1d(24), nn.ReLU(),
            nn.Conv1d(24, 48, 7, stride=2), nn.BatchNorm1d(48), nn.ReLU(),
            nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.projection = mlp([48, 48, 24])

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.body(x)
        return code

    def view(self, x: Tensor) -> Tensor:
        shifts = torch.randint(-8, 9, (len(x),)).tolist()
        moved = torch.stack([row.roll(k, -1) for row, k in zip(x, shifts, strict=True)])
        return moved * (0.7 + 0.6 * torch.rand(len(x), 1, 1)) + 0.2 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, _ = batch
        codes = self.projection(self(torch.cat([self.view(x), self.view(x)])))
        codes = F.normalize(codes, dim=1)
        alike = codes @ codes.T / self.hparams["temperature"]
        alike.fill_diagonal_(-torch.inf)
        loss = F.cross_entropy(alike, torch.arange(2 * len(x)).roll(len(x)))
        self.log("nt_xent", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)


def two_views() -> Program:
    data = fabricated.pulses(noise=0.15)
    module = TwoViews()
    train, _ = loaders(data, 64, drop_last=True)

    def nearest() -> float:
        found = torch.cdist(*(F.normalize(outputs(module, x)) for x in (data.x_test, data.x)))
        return (data.y[found.argmin(1)] == data.y_test).float().mean().item()

    return Program(module, train, None, 15, nearest)


def taught(network: nn.Module, data: Samples, steps: int = 300) -> nn.Module:
    """Trained elsewhere, before."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        rows = torch.randint(len(data.y), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(data.x[rows]), data.y[rows]).backward()
        optimizer.step()
    return network.eval()


class Pupil(LitClassifier):
    """Learns half of labels and half of what a wider network says of the same batch."""

    def __init__(self, teacher: nn.Module, network: nn.Module) -> None:
        super().__init__(network, sgd(0.05, 0.9, nesterov=True))
        self.teacher = teacher.requires_grad_(False)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        self.teacher.eval()
        said = (self.teacher(x) / 3).softmax(1)
        logits = self(x)
        soft = F.kl_div((logits / 3).log_softmax(1), said, reduction="batchmean")
        return 0.5 * F.cross_entropy(logits, y) + 4.5 * soft


def pupil() -> Program:
    data = samples.digits()
    module = Pupil(taught(mlp([64, 256, 256, 10], dropout=0.2), data), mlp([64, 24, 10]))
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class OddOrEven(LightningModule):
    """A new head, and the last layer of a body that knows digits; the others stay as they are."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body, self.head = body[:-1], nn.Linear(64, 1)
        self.body[:4].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.head(self.body(x))
        return torch.cat([torch.zeros_like(logit), logit], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("fine/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("fine/val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        slow = {"params": self.body[4:].parameters(), "lr": 1e-3}
        return torch.optim.Adam([slow, {"params": self.head.parameters()}], lr=3e-3)


def odd_or_even() -> Program:
    data = samples.digits()
    body = taught(mlp([64, 128, 96, 64, 10]), data)
    assert isinstance(body, nn.Sequential)
    data = data._replace(y=data.y % 2, y_test=data.y_test % 2)
    module = OddOrEven(body)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


CASES = (
    Case("moons-forged-by-two-optimizers", Goal("distance", at_most=0.2), forged),
    Case("digit-images-coded-of-noisy-ones", Goal("R2", at_least=0.8), coded),
    Case("pulses-two-views", Goal("accuracy of the nearest", at_least=0.9), two_views),
    Case("digits-pupil-of-a-wider-one", Goal("accuracy", at_least=0.92), pupil),
    Case("digits-odd-or-even-half-frozen", Goal("accuracy", at_least=0.94), odd_or_even),
)
