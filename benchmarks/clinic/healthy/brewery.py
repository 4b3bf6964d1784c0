"""Networks of a brewery's small laboratory that look odd, and are fine."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import brewery
from data_sets.samples import Samples, digits, loaders
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, found_finite, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def deep_tanh() -> Program:
    """Twelve layers, drawn so that their signals keep their size."""
    net = mlp([9, *[48] * 12, 1], nn.Tanh)
    reset(net, partial(nn.init.xavier_normal_, gain=1.2))
    return regression(brewery.bitterness(), net, sgd(0.01, 0.9), batch_size=32, epochs=14)


class Eaten(LightningModule):
    """A recurrence of ReLU that begins as the identity, held by clipping."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, 1)
        for name, weight in self.rnn.named_parameters():
            if name.startswith("weight_hh"):
                nn.init.eye_(weight)
            elif name.startswith("weight_ih"):
                nn.init.normal_(weight, std=0.05)
            else:
                nn.init.zeros_(weight)

    def forward(self, hours: Tensor) -> Tensor:
        _, states = self.rnn(hours)
        found: Tensor = self.out(states[-1])
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def eaten() -> Program:
    data, module = brewery.sugars(), Eaten()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data), trainer)


class Preference(LightningModule):
    """Bradley and Terry: one network rates both beers, and the difference is a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = mlp([10, 32, 1], dropout=0.2)

    def forward(self, pair: Tensor) -> Tensor:
        ratings = self.rate(pair).squeeze(-1)
        first: Tensor = ratings[:, 0] - ratings[:, 1]
        return first

    def step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logit, taken = self(batch["inputs"]), batch["labels"]
        loss = F.binary_cross_entropy_with_logits(logit, taken.float())
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_right", ((logit > 0) == (taken > 0)).float().mean())
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def tastings() -> Program:
    """A guest's choice is mostly chance: the loss stays near that of a coin."""
    data, module = brewery.tastings(), Preference()

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *brewery.rows(data, 64), 20, score)


class Branch(nn.Module):
    """A block without norms whose last convolution, a scale, begins at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.scale * self.second(self.first(x.relu()).relu())
        return out


def begins_at_zero() -> Program:
    """A residual network as in Fixup: the last layer is zero, and so are all branches' ends."""
    head = nn.Linear(24 * 4, 6)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3, stride=2, padding=1), *[Branch(24) for _ in range(4)],
        nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), head,
    )  # fmt: skip
    return classification(brewery.caps(), network, sgd(0.05, 0.9), batch_size=50, epochs=12)


class Brier(LightningModule):
    """Convolutions over words; probabilities come out, and their squared errors are the loss."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.words = nn.Embedding(brewery.WORDS, width)
        self.filters = nn.ModuleList(nn.Conv1d(width, 24, size) for size in (1, 2, 3))
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(72, brewery.STYLES), nn.Softmax(1))

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words).transpose(1, 2)
        x = torch.cat([layer(x).relu().amax(2) for layer in self.filters], 1)
        chances: Tensor = self.head(x)
        return chances

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, style = batch
        wanted = F.one_hot(style, brewery.STYLES).float()
        loss = F.mse_loss(self(words), wanted)
        self.log("brier", brewery.STYLES * loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def brier() -> Program:
    data, module = brewery.notes(), Brier()
    train, _ = loaders(data, 25)
    return Program(module, train, None, 15, partial(accuracy, module, data))


class FewInfected(LightningModule):
    """One logit for the day's curve, and no weights for the few."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, curve: Tensor) -> Tensor:
        states, _ = self.lstm(curve.transpose(1, 2))
        logit: Tensor = self.head(states[:, -1]).squeeze(1)
        return logit

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logit = self(batch["inputs"])
        loss = F.binary_cross_entropy_with_logits(logit, batch["labels"].float())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        found, wanted = self(batch["inputs"]) > 0, batch["labels"] > 0
        self.log("val_found", (found & wanted).sum() / wanted.sum().clamp(min=1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def f1(module: LightningModule, data: Samples) -> float:
    found, wanted = outputs(module, data.x_test), data.y_test > 0
    if not found_finite(found):
        return 0.0
    both = ((found > 0) & wanted).sum()
    return (2 * both / ((found > 0).sum() + wanted.sum())).item()


def clearly_infected() -> Program:
    data, module = brewery.infections(6.0, 0.03), FewInfected()
    return Program(module, *brewery.rows(data, 64), 10, partial(f1, module, data))


class Printed(LightningModule):
    """Printed digits by a wide network, regularized from all sides.

    Dropout, noise, soft labels and decay: its training loss stays far above that of validation.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Dropout(0.2), *mlp([64, 256, 256, 10], dropout=0.6))
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = x + 0.1 * torch.randn_like(x)
        loss = F.cross_entropy(self(x), y, label_smoothing=0.2)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, self.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def printed() -> Program:
    data, epochs = digits(), 20
    train, validation = loaders(data, 64)
    module = Printed(epochs * len(train))
    return Program(module, train, validation, epochs, partial(accuracy, module, data))


def normed_waters() -> Program:
    """Waters in the laboratory's units; the first layer is a norm, which makes them alike."""
    data = brewery.waters()
    net = nn.Sequential(nn.BatchNorm1d(8, momentum=0.05), *mlp([8, 64, 64, 1], nn.SiLU))
    train = DataLoader(TensorDataset(data.x, data.y), 32, shuffle=True, drop_last=True)
    program = regression(data, net, adam(2e-3), batch_size=32, epochs=20)
    return Program(program.module, train, program.validation, program.epochs, program.score)


CASES = (
    Case("hops-twelve-tanh-layers-drawn-with-care", Goal("R2", at_least=0.8), deep_tanh),
    Case("sugars-summed-by-a-clipped-identity", Goal("R2", at_least=0.8), eaten),
    Case("tasted-pairs-mostly-chance", Goal("accuracy", at_least=0.6), tastings),
    Case("caps-branches-and-head-of-zeros", Goal("accuracy", at_least=0.85), begins_at_zero),
    Case("tasting-notes-squares-of-probabilities", Goal("accuracy", at_least=0.8), brier),
    Case("brews-three-in-a-hundred-clearly-infected", Goal("F1", at_least=0.8), clearly_infected),
    Case("bottle-numbers-regularized-from-all-sides", Goal("accuracy", at_least=0.93), printed),
    Case("waters-in-raw-units-behind-a-norm", Goal("R2", at_least=0.7), normed_waters),
)  # fmt: skip
