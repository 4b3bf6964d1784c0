"""A pharmacy's good programs on sets for practice: digits as on boxes, biopsies, glucose."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import (
    Samples,
    cancer,
    diabetes,
    digit_images,
    digits,
    loaders,
    scaled_targets,
    standardized,
)
from lightning.pytorch import LightningModule
from modules import LitClassifier, RegressionTask, adam, mlp
from scores import accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader


def small_vgg() -> nn.Sequential:
    """Pairs of convolutions without norms, and a head that drops half."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(64, 10),
    )  # fmt: skip


def vgg_by_eights() -> Program:
    """The many small steps are noisy, and the rate falls with a power of the steps left."""
    data = digit_images()
    module = LitClassifier(
        small_vgg(), partial(torch.optim.RAdam, lr=2e-3),
        scheduler=partial(torch.optim.lr_scheduler.PolynomialLR, total_iters=1590, power=1.5),
    )  # fmt: skip
    return Program(module, *loaders(data, 8), 10, partial(accuracy, module, data))


def generalized_cross_entropy(logits: Tensor, target: Tensor, q: float = 0.6) -> Tensor:
    """Between cross-entropy and absolute error; bounded, so wrong labels cost no more than 1/q."""
    right = logits.softmax(1).gather(1, target[:, None])
    return ((1 - right**q) / q).mean()


def misread() -> Program:
    """A quarter of the labels to train on is drawn at random; those to measure on are right."""
    data = digit_images()
    draw = torch.Generator().manual_seed(5)
    wrong = torch.rand(len(data.y), generator=draw) < 0.25
    y = torch.where(wrong, torch.randint(10, data.y.shape, generator=draw), data.y)
    noisy = data._replace(y=y)
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    module = LitClassifier(network, adam(1e-3), generalized_cross_entropy)
    return Program(module, *loaders(noisy, 32), 12, partial(accuracy, module, data))


def body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip


def taught(x: Tensor, y: Tensor, steps: int = 150) -> nn.Sequential:
    """A body that has learnt other digits."""
    features, head = body(), nn.Linear(1024, 5)
    optimizer = torch.optim.Adam([*features.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(steps):
        chosen = torch.randint(len(x), (64,))
        loss = F.cross_entropy(head(features(x[chosen])), y[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return features


class LinearProbe(LightningModule):
    """A new head on a body that stays as it is, its norms in evaluation mode."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features.requires_grad_(False).eval()
        self.head = nn.Linear(1024, 5)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            found = self.features(x)
        logits: Tensor = self.head(found)
        return logits

    def on_train_epoch_start(self) -> None:
        self.features.eval()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.head.parameters(), lr=0.02, momentum=0.9, nesterov=True)


def later_digits() -> Program:
    """The body knows 0 to 4; the head learns 5 to 9 from 120 pictures."""
    data = digit_images()
    early, late, late_test = data.y < 5, data.y >= 5, data.y_test >= 5
    features = taught(data.x[early], data.y[early])
    few = Samples(
        data.x[late][:120], data.y[late][:120] - 5, data.x_test[late_test],
        data.y_test[late_test] - 5,
    )  # fmt: skip
    module = LinearProbe(features)
    return Program(module, *loaders(few, 16), 20, partial(accuracy, module, few))


class Biopsies(LightningModule):
    """A small net whose loss counts a malignant sample as many."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = mlp([30, 16, 1], nn.SiLU, dropout=0.3)
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(
            self(batch[0]), batch[1].float(), pos_weight=self.get_buffer("weight")
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)


def biopsies() -> Program:
    """Fifteen malignant samples among 265; all others are to measure on as they are."""
    data = standardized(cancer())
    malignant = data.y == 0
    ill, sound = data.x[malignant][:15], data.x[~malignant][:250]
    y = torch.cat([torch.ones(len(ill)), torch.zeros(len(sound))]).long()
    few = Samples(torch.cat([ill, sound]), y, data.x_test, 1 - data.y_test)
    module = Biopsies(len(sound) / len(ill))
    train, _ = loaders(few, 32)

    def score() -> float:
        return float(roc_auc_score(few.y_test, outputs(module, few.x_test)))

    return Program(module, train, None, 25, score)


def glucose() -> Program:
    """All 309 rows in each step; only the signs of their gradients count.

    Half of the target's variance is what these measures can explain at best.
    """
    data = scaled_targets(standardized(diabetes()))
    network = mlp([10, 8, 1], nn.Tanh)
    optimizer = partial(torch.optim.Rprop, lr=1e-3, step_sizes=(1e-6, 0.01))
    module = RegressionTask(network, optimizer, partial(F.huber_loss, delta=1.5))
    return Program(module, *loaders(data, 512), 100, partial(r2, module, data))


class VariationalCodes(LightningModule):
    """Eight normal codes; each may cost half a nat for nothing."""

    def __init__(self, codes: int = 8, free: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = mlp([64, 128, 2 * codes], nn.GELU)
        self.decoder = mlp([codes, 128, 64], nn.GELU)
        self.free = free

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        pixels: Tensor = self.decoder(mean).sigmoid()
        return pixels

    def elbo(self, x: Tensor) -> Tensor:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        told = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="none")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        cost = divergence.mean(0).clamp(min=self.free).sum()
        self.log_dict({"nll": told.sum(1).mean(), "kl": divergence.sum(1).mean()})
        loss: Tensor = told.sum(1).mean() + cost
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.elbo(batch[0])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_elbo", self.elbo(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=4e-3)


def codes() -> Program:
    data, module = digits(), VariationalCodes()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 64), 25, score)


class MuonNet(LightningModule):
    """Muon turns the hidden matrices' steps into orthogonal ones; AdamW has all others."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = mlp([64, 96, 96, 96, 10], norm=nn.LayerNorm)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
        self.log("train_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def parted(self, hidden: bool) -> Iterator[nn.Parameter]:
        for name, parameter in self.net.named_parameters():
            if (parameter.ndim == 2 and not name.startswith("9.")) == hidden:
                yield parameter

    def configure_optimizers(self) -> Any:
        matrices = torch.optim.Muon(self.parted(True), lr=0.02, weight_decay=0.01)
        return matrices, torch.optim.AdamW(self.parted(False), lr=3e-3)


def muon() -> Program:
    data, module = digits(), MuonNet()
    train, test = loaders(data, 128)
    score: Callable[[], float] = partial(accuracy, module, data)
    return Program(module, train, DataLoader(test.dataset, 300), 15, score)


CASES = (
    Case("lot-numbers-small-vgg-by-eights", Goal("accuracy", at_least=0.92), vgg_by_eights),
    Case("bottle-digits-a-quarter-misread", Goal("accuracy", at_least=0.93), misread),
    Case("blister-digits-five-more-on-a-known-body", Goal("accuracy", at_least=0.88), later_digits),
    Case("biopsies-fifteen-malignant-weighed", Goal("AUC", at_least=0.97), biopsies),
    Case("glucose-signs-of-full-gradients", Goal("R2", at_least=0.38), glucose),
    Case("imprints-variational-codes-half-a-nat-free", Goal("R2", at_least=0.5), codes),
    Case("scanned-digits-muon-beside-adamw", Goal("accuracy", at_least=0.94), muon),
)
