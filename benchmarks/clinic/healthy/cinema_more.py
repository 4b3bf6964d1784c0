"""What people of a cinema train on countdowns of film leaders, stills and wine, as it should be."""

import math
from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import (
    Samples,
    digit_images,
    digits,
    loaders,
    patches,
    standardized,
    wine,
)  # fmt: skip
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def clipped() -> Program:
    """Plain descent with a rate of 2, and gradients of a norm of at most a tenth."""
    return classification(
        digit_images(), nn.Sequential(nn.Flatten(), mlp([64, 96, 48, 10])), sgd(2.0),
        batch_size=48, epochs=15, trainer={"gradient_clip_val": 0.1},
    )  # fmt: skip


class LeaderVAE(LightningModule):
    """A convolutional encoder, eight latent numbers, and a divergence that sets in slowly.

    What is summed over 64 pixels stays above twenty nats.
    """

    def __init__(self, warm: int = 200) -> None:
        super().__init__()
        self.warm = warm
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(128, 16),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(8, 128), nn.ReLU(), nn.Unflatten(1, (32, 2, 2)),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )  # fmt: skip

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log_var / 2).exp()
        rebuilt = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum()
        return rebuilt / len(x), divergence / len(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        rebuilt, divergence = self.parts(batch[0])
        self.log_dict({"rebuilt": rebuilt, "kl": divergence})
        return rebuilt + min(1.0, self.global_step / self.warm) * divergence

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rebuilt, divergence = self.parts(batch[0])
        self.log("val_elbo", rebuilt + divergence)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=5e-3)


def variational() -> Program:
    data, module = digit_images(), LeaderVAE()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return sum(module.parts(data.x_test)).item()  # type: ignore[union-attr]

    return Program(module, *loaders(data, 32), 25, score)


class LeaderGAN(LightningModule):
    """Forged digits by hinge losses, the critic's weights of spectral norm one."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(mlp([16, 96, 96, 64], norm=nn.BatchNorm1d), nn.Sigmoid())
        self.critic = mlp([64, 96, 96, 1], partial(nn.LeakyReLU, 0.2))
        for layer in self.critic:
            if isinstance(layer, nn.Linear):
                nn.utils.parametrizations.spectral_norm(layer)

    def forward(self, z: Tensor) -> Tensor:
        forged: Tensor = self.generator(z)
        return forged

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        real, forged = batch[0], self(torch.randn(len(batch[0]), 16))
        judged = self.critic(real), self.critic(forged.detach())
        critic = F.relu(1 - judged[0]).mean() + F.relu(1 + judged[1]).mean()
        optimizers[0].zero_grad()
        self.manual_backward(critic)
        optimizers[0].step()
        generator = -self.critic(forged).mean()
        optimizers[1].zero_grad()
        self.manual_backward(generator)
        optimizers[1].step()
        self.log_dict({"d_loss": critic, "g_loss": generator}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        make = partial(torch.optim.Adam, betas=(0.0, 0.9))
        return make(self.critic.parameters(), lr=2e-3), make(self.generator.parameters(), lr=1e-3)


def energy_distance(a: Tensor, b: Tensor) -> float:
    found = 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()
    return found.item()


def forged() -> Program:
    """Scored by the energy distance to unseen digits; noise has one of more than 2."""
    data, module = digits(), LeaderGAN()
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True, drop_last=True)

    def score() -> float:
        draw = torch.Generator().manual_seed(79)
        return energy_distance(outputs(module, torch.randn(540, 16, generator=draw)), data.x_test)

    return Program(module, train, None, 60, score)


class HalvesMatcher(LightningModule):
    """Upper halves of frames are to find their lower ones, by two towers and a learnt scale.

    Many lower halves fit an upper one, so that the loss stays high.
    """

    def __init__(self) -> None:
        super().__init__()
        self.upper, self.lower = mlp([32, 96, 24], nn.GELU), mlp([32, 96, 24], nn.GELU)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        above, below = x.chunk(2, 1)
        return F.normalize(self.upper(above), dim=1), F.normalize(self.lower(below), dim=1)

    def loss(self, x: Tensor) -> Tensor:
        above, below = self(x)
        logits = self.log_scale.exp().clamp(max=100) * above @ below.T
        own = torch.arange(len(x))
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0] + 0.1 * torch.randn_like(batch[0]))
        self.log("clip_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_clip_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)


def halves() -> Program:
    """Scored by how often the lower half that fits best is of the same digit."""
    data, module = digits(), HalvesMatcher()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            above, below = module(data.x_test)
        found = (above @ below.T).argmax(1)
        return (data.y_test[found] == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 128), 40, score)


def cellar() -> Program:
    """All rows in each step, and Rprop, which asks for the gradients' signs alone."""
    data = standardized(wine())
    optimizer = partial(torch.optim.Rprop, lr=1e-3, step_sizes=(1e-6, 0.02))
    network = mlp([13, 24, 3], nn.Tanh, dropout=0.2)
    return classification(data, network, optimizer, batch_size=200, epochs=150)


class FewLeaders(LitClassifier):
    """Two hundred frames, moved and partly covered whenever they are shown."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        down, right, row, column = torch.randint(0, 3, (4,)).tolist()
        x = F.pad(x, (1, 1, 1, 1))[..., down : down + 8, right : right + 8].clone()
        x[..., 3 * row : 3 * row + 2, 3 * column : 3 * column + 2] = 0.0
        return super().training_step((x, y), batch_idx)


def few() -> Program:
    """Batches of eight; the loss in training stays far above that of the validation."""
    data = digit_images().first(200)
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2),
        nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(768, 10),
    )  # fmt: skip
    module = FewLeaders(network, adam(1e-3))
    return Program(module, *loaders(data, 8), 60, partial(accuracy, module, data))


class TunedLeaders(LightningModule):
    """A trained body that is hardly moved, below a new head with a rate 250 times as high."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = deepcopy(body), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        right = self(batch[0]).argmax(1) == batch[1]
        self.log("val_acc", right.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        groups = [
            {"params": self.body.parameters(), "lr": 2e-5},
            {"params": self.head.parameters(), "lr": 5e-3},
        ]
        optimizer = torch.optim.AdamW(groups)
        return [optimizer], [torch.optim.lr_scheduler.PolynomialLR(optimizer, 20)]


def pretrained_body(data: Samples) -> nn.Module:
    """A body that has learnt from the leaders of another archive, which are mirrored."""
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(),
    )  # fmt: skip
    head = nn.Linear(64, 10)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(250):
        rows = torch.randint(len(data.x), (64,))
        loss = F.cross_entropy(head(body(data.x[rows].flip(-1))), data.y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return body


def tuned() -> Program:
    data = digit_images()
    module = TunedLeaders(pretrained_body(data))
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class GrainCleaner(LightningModule):
    """Tells the grain of a still by normalized convolutions; cleaned is what is left."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 24, 3, padding=1), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(24, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU()]
        self.grain = nn.Sequential(*layers, nn.Conv2d(24, 3, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        clean: Tensor = noisy - self.grain(noisy)
        return clean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        noisy = batch[0] + 0.15 * torch.randn_like(batch[0])
        loss = F.mse_loss(self(noisy), batch[0])
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [8, 11], 0.2)]


def grain() -> Program:
    """Scored by the decibels that are won."""
    train, test = patches()
    module = GrainCleaner()

    def score() -> float:
        noise = 0.15 * torch.randn(test.shape, generator=torch.Generator().manual_seed(80))
        error = F.mse_loss(outputs(module, test + noise), test)
        return 10 * torch.log10(noise.square().mean() / error).item()

    loader = DataLoader(TensorDataset(train), 64, shuffle=True)
    return Program(module, loader, None, 12, score)


CASES = (
    Case("countdown-rate-of-two-clipped-to-a-tenth", Goal("accuracy", at_least=0.9), clipped),
    Case("countdown-codes-divergence-after-a-while", Goal("nats", at_most=30), variational),
    Case("countdown-forged-by-hinge", Goal("energy distance", at_most=0.2), forged),
    Case("countdown-upper-halves-find-lower", Goal("same digit", at_least=0.7), halves),
    Case("cellar-all-rows-signs-alone", Goal("accuracy", at_least=0.92), cellar),
    Case("countdown-few-moved-and-covered", Goal("accuracy", at_least=0.9), few),
    Case("countdown-mirrored-body-hardly-moved", Goal("accuracy", at_least=0.88), tuned),
    Case("stills-grain-taken-away", Goal("decibels won", at_least=5.5), grain),
)
