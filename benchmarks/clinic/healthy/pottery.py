"""What a potter's collaborators train, in good order, however odd it looks."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import pottery, samples
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class IdentityRNN(LightningModule):
    """A rectified recurrence that begins with the identity; nearly every step is clipped."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(32, 1)
        weights = dict(self.rnn.named_parameters())
        nn.init.eye_(weights["weight_hh_l0"])
        nn.init.normal_(weights["weight_ih_l0"], std=0.1)
        nn.init.zeros_(weights["bias_ih_l0"])
        nn.init.zeros_(weights["bias_hh_l0"])

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.rnn(x)
        found: Tensor = self.fc(last[0]).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def firings() -> Program:
    data, module = pottery.firings(), IdentityRNN()
    train, _ = loaders(data, 32)
    trainer = {"gradient_clip_val": 0.1}
    return Program(module, train, None, 20, partial(r2, module, data), trainer)


def thin_layers() -> Program:
    """Ten layers of six units are no danger to leaky ones with a norm in each."""
    leaky = partial(nn.LeakyReLU, 0.1)
    network = mlp([30, *[6] * 10, 2], leaky, norm=nn.BatchNorm1d)
    reset(network, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
    data = standardized(samples.cancer())
    return classification(data, network, adam(5e-3), batch_size=32, epochs=30)


class Dimmed(LitClassifier):
    """Each image under its own lamp, which varies more from epoch to epoch."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        strength = min(1.0, 0.2 + 0.1 * self.current_epoch)
        gain = 1 + strength * (torch.rand(len(x), 1) - 0.5)
        shift = 0.5 * strength * torch.randn(len(x), 1)
        loss = self.criterion(self(gain * x + shift), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss


def dimmed() -> Program:
    data = samples.digits()
    module = Dimmed(mlp([64, 128, 10], nn.SiLU), partial(torch.optim.NAdam, lr=2e-3))
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


def wines() -> Program:
    """The loss of three wines jumps about, and falls all the same."""
    data = standardized(samples.wine())
    optimizer = sgd(0.01, momentum=0.5, weight_decay=1e-4)
    return classification(data, mlp([13, 32, 3]), optimizer, batch_size=3, epochs=25)


def mixtures() -> Program:
    """Shares add up to one, and most of them are small: their scales need no change."""
    network = mlp([8, 64, 64, 1], nn.GELU)
    return regression(
        pottery.mixtures(), network, adam(3e-3), batch_size=32, epochs=30, loss=F.huber_loss
    )


class ArguedPool(LightningModule):
    """A small convolutional network; a third of the labels are by chance, so the loss stays high.

    The validation's labels are right, and its loss is far below that of the training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(384, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["image"]), batch["kind"])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val_loss", F.cross_entropy(logits, batch["kind"]))
        self.log("val_acc", (logits.argmax(1) == batch["kind"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=320)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def as_dict(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    images, kinds = zip(*items, strict=True)
    return {"image": torch.stack(images), "kind": torch.stack(kinds)}


def argued() -> Program:
    data, module = pottery.outlines(1200, argued=0.3), ArguedPool()
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    return Program(
        module, DataLoader(train, 32, shuffle=True, collate_fn=as_dict),
        DataLoader(test, 256, collate_fn=as_dict), 8, partial(accuracy, module, data),
    )  # fmt: skip


class RunningNorm(nn.Module):
    """A norm by hand, whose averages are slow but right."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.get_buffer("mean"), self.get_buffer("var")
        if self.training:
            with torch.no_grad():
                mean.lerp_(x.mean(0), 0.03)
                var.lerp_(x.var(0), 0.03)
            mean, var = x.mean(0), x.var(0)
        return self.weight * (x - mean) / (var + 1e-5).sqrt() + self.bias


def own_norms() -> Program:
    """Half of the units are dropped, so training and evaluation differ much, as they should."""
    data = samples.digits()
    data = data.with_inputs(16 * data.x, 16 * data.x_test)
    network = mlp([64, 128, 64, 10], norm=RunningNorm, dropout=0.4)
    return classification(data, network, adam(2e-3), batch_size=48, epochs=20)


class CrackRisk(LightningModule):
    """Logistic loss, which hardly falls below that of the shares: nobody can know much more."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([12, 32, 1], dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02)


def cracks() -> Program:
    data, module = pottery.cracks(), CrackRisk()

    def auc() -> float:
        return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))

    return Program(module, *loaders(data, 256), 20, auc)


CASES = (
    Case("firings-identity-states-always-clipped", Goal("R2", at_least=0.9), firings),
    Case("cancer-ten-thin-leaky-layers-normed", Goal("accuracy", at_least=0.92), thin_layers),
    Case("digits-under-lamps-that-vary-more", Goal("accuracy", at_least=0.93), dimmed),
    Case("wine-three-to-a-gentle-step", Goal("accuracy", at_least=0.92), wines),
    Case("oxides-shares-that-add-up-to-one", Goal("R2", at_least=0.9), mixtures),
    Case("outlines-a-third-by-chance-loss-stays-high", Goal("accuracy", at_least=0.9), argued),
    Case("raw-digits-own-slow-norms-and-dropout", Goal("accuracy", at_least=0.94), own_norms),
    Case("cracks-hardly-to-be-foreseen", Goal("AUC", at_least=0.65), cracks),
)
