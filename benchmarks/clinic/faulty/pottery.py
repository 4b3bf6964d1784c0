"""What a potter's collaborators train: outlines, firings, glazes and scanned digits."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import pottery, samples
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import classification
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class HeatWork(LightningModule):
    """A plain recurrence of rectified units over a firing; no clipping."""

    def __init__(self, orthogonal: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 48, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(48, 1)
        for name, weight in self.rnn.named_parameters():
            if "bias" in name:
                nn.init.zeros_(weight)
            elif orthogonal and "hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.normal_(weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        found: Tensor = self.fc(states[:, -1]).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def heat_work(orthogonal: bool) -> Program:
    data, module = pottery.firings(), HeatWork(orthogonal)
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


def thin_layers(activation: Callable[[], nn.Module]) -> Program:
    """Fourteen layers of four units, drawn as for ReLU."""
    network = mlp([4, *[4] * 14, 3], activation)
    reset(network, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
    data = standardized(samples.iris())
    return classification(data, network, adam(5e-3), epochs=80)


def scans(shuffle: bool) -> Program:
    """A loader that goes through the scans in their order."""
    network = mlp([64, 96, 10])
    data = pottery.under_a_lamp()
    return classification(
        data, network, sgd(0.03, momentum=0.9), batch_size=16, epochs=15, shuffle=shuffle
    )


class OutlineNet(LightningModule):
    """A LeNet drawn for ReLU, on batches that are dictionaries."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, pottery.KINDS)
        )
        reset(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(image))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["image"])
        loss = F.cross_entropy(logits, batch["kind"])
        self.log("train/loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val/loss", F.cross_entropy(logits, batch["kind"]))
        self.log("val/acc", (logits.argmax(1) == batch["kind"]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr, momentum = self.hparams["lr"], self.hparams["momentum"]
        return torch.optim.SGD(self.parameters(), lr=lr, momentum=momentum)


def as_dict(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    images, kinds = zip(*items, strict=True)
    return {"image": torch.stack(images), "kind": torch.stack(kinds)}


def outlines(batch_size: int, epochs: int) -> Program:
    """The rate and the momentum are those of batches of 64."""
    data, module = pottery.outlines(800), OutlineNet(0.05, 0.8)
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    return Program(
        module, DataLoader(train, batch_size, shuffle=True, collate_fn=as_dict),
        DataLoader(test, 256, collate_fn=as_dict), epochs,
        partial(accuracy, module, data),
    )  # fmt: skip


@dataclass
class Glazes:
    """A batch of recipes."""

    recipe: Tensor
    expansion: Tensor


def as_glazes(items: list[tuple[Tensor, Tensor]]) -> Glazes:
    recipes, expansions = zip(*items, strict=True)
    return Glazes(torch.stack(recipes), torch.stack(expansions))


class GlazeModel(LightningModule):
    """Two hidden layers; the batches are objects, and there is no validation."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, recipe: Tensor) -> Tensor:
        found: Tensor = self.net(recipe).squeeze(1)
        return found

    def training_step(self, batch: Glazes, batch_idx: int) -> Tensor:
        return F.smooth_l1_loss(self(batch.recipe), batch.expansion)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
        return [optimizer], [schedule]


def glazes(scaled: bool) -> Program:
    data: Samples = standardized(pottery.glazes()) if scaled else pottery.glazes()
    module = GlazeModel()
    train = DataLoader(
        TensorDataset(data.x, data.y), batch_size=32, shuffle=True, collate_fn=as_glazes
    )
    return Program(module, train, None, 30, partial(r2, module, data))


class ArguedNet(LightningModule):
    """A wide network on outlines whose kind was argued about."""

    def __init__(self, width: int, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), mlp([256, width, width, 5], dropout=dropout))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=decay)


def argued(epochs: int, width: int, dropout: float, weight_decay: float) -> Program:
    data = pottery.outlines(600, argued=0.3)
    module = ArguedNet(width, dropout, weight_decay)
    return Program(module, *loaders(data, 32), epochs, partial(accuracy, module, data))


class OwnNorm(nn.Module):
    """A norm by hand; its averages can be those of what it has already normalized."""

    def __init__(self, features: int, before: bool) -> None:
        super().__init__()
        self.before = before
        self.weight, self.bias = (
            nn.Parameter(torch.ones(features)),
            nn.Parameter(torch.zeros(features)),
        )
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.get_buffer("mean"), self.get_buffer("var")
        if not self.training:
            return self.weight * (x - mean) / (var + 1e-5).sqrt() + self.bias
        normed = (x - x.mean(0)) / (x.var(0) + 1e-5).sqrt()
        with torch.no_grad():
            seen = x if self.before else normed
            mean.lerp_(seen.mean(0), 0.1)
            var.lerp_(seen.var(0), 0.1)
        return self.weight * normed + self.bias


def own_norms(before: bool) -> Program:
    layers: list[nn.Module] = []
    for inputs, outputs in ((64, 64), (64, 32)):
        layers += [nn.Linear(inputs, outputs), OwnNorm(outputs, before), nn.ReLU()]
    data = samples.digits()
    data = data.with_inputs(16 * data.x, 16 * data.x_test)
    network = nn.Sequential(*layers, nn.Linear(32, 10))
    return classification(
        data, network, partial(torch.optim.RMSprop, lr=1e-3), batch_size=48, epochs=10
    )


class MatlabNet(LightningModule):
    """A LeNet with averages and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def matlab(transposed: bool) -> Program:
    """The array's last axis counts the images, but it was given its new shape as if the first."""
    data, module = pottery.from_matlab(transposed), MatlabNet()
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


CASES = (
    Case(
        "firings-rectified-recurrence-of-wide-normal", Goal("R2", at_least=0.9),
        partial(heat_work, False), ("exploding_gradient", "poor_initialization"),
        partial(heat_work, True),
    ),
    Case(
        "iris-fourteen-thin-rectified-layers", Goal("accuracy", at_least=0.86),
        partial(thin_layers, nn.ReLU), ("dead_relu",),
        partial(thin_layers, partial(nn.LeakyReLU, 0.2)),
    ),
    Case(
        "scanned-digits-in-order-of-an-ageing-lamp", Goal("accuracy", at_least=0.84),
        partial(scans, False), ("covariate_shift",), partial(scans, True),
    ),
    Case(
        "outlines-four-to-a-step-meant-for-sixty-four", Goal("accuracy", at_least=0.9),
        partial(outlines, 4, 8), ("unstable_loss", "learning_rate_too_high"),
        partial(outlines, 64, 20),
    ),
    Case(
        "glazes-in-grams-degrees-and-seconds", Goal("R2", at_least=0.85),
        partial(glazes, False), ("unnormalized_input",), partial(glazes, True),
    ),
    Case(
        "outlines-argued-about-by-heart", Goal("accuracy", at_least=0.87),
        partial(argued, 40, 256, 0.0, 0.0), ("overfitting",), partial(argued, 15, 64, 0.5, 0.1),
    ),
    Case(
        "raw-digits-own-norms-average-the-normed", Goal("accuracy", at_least=0.93),
        partial(own_norms, False), ("train_eval_mismatch",), partial(own_norms, True),
    ),
    Case(
        "digits-from-matlab-never-transposed", Goal("accuracy", at_least=0.8),
        partial(matlab, False), ("not_learning", "inconsistent_labels"), partial(matlab, True),
    ),
)  # fmt: skip
