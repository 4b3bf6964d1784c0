"""A company's trial of a tool: tables and pictures, each with a fault it has had before."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import adoption
from data_sets.samples import digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class LeadScorer(LightningModule):
    """Who buys? With a cross-entropy of one's own, or with that of the library."""

    def __init__(self, own_loss: bool) -> None:
        super().__init__()
        self.own_loss = own_loss
        self.hidden = nn.Linear(16, 96)
        self.out = nn.Linear(96, 1)

    def forward(self, customer: Tensor) -> Tensor:
        logit: Tensor = self.out(F.relu(self.hidden(customer)))
        return logit.squeeze(1)

    def criterion(self, logit: Tensor, bought: Tensor) -> Tensor:
        if not self.own_loss:
            return F.binary_cross_entropy_with_logits(logit, bought)
        p = torch.sigmoid(logit)
        return -(bought * p.log() + (1 - bought) * (1 - p).log()).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        customer, bought = batch
        loss = self.criterion(self(customer), bought.float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        customer, bought = batch
        self.log("bce_holdout", self.criterion(self(customer), bought.float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def lead_scorer(own_loss: bool) -> Program:
    data = adoption.leads()
    module = LeadScorer(own_loss)
    return Program(module, *loaders(data, 32), 20, partial(binary_accuracy, module, data))


class DeepSigmoids(LightningModule):
    """Nine layers of logistic units, as in an old book; or of rectified ones."""

    def __init__(self, activation: type[nn.Module], width: int = 48) -> None:
        super().__init__()
        sizes = [64] + 9 * [width]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            linear = nn.Linear(fan_in, fan_out)
            if activation is nn.ReLU:
                nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            layers += [linear, activation()]
        self.body = nn.Sequential(*layers)
        self.readout = nn.Linear(width, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.readout(self.body(pixels))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        pixels, digit = batch
        loss = F.cross_entropy(self(pixels), digit)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pixels, digit = batch
        self.log("val_loss", F.cross_entropy(self(pixels), digit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def deep_sigmoids(activation: type[nn.Module]) -> Program:
    data = digits()
    module = DeepSigmoids(activation)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class SparseStart(LightningModule):
    """Biases start below zero, so that few units fire."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(64, 48), nn.Linear(48, 48)
        self.three = nn.Linear(48, 10)
        for layer in (self.one, self.two):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, start)

    def forward(self, pixels: Tensor) -> Tensor:
        h = torch.relu(self.two(torch.relu(self.one(pixels))))
        found: Tensor = self.three(h)
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("loss/step", loss)
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("loss/dev", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03)


def sparse_start(start: float) -> Program:
    data = digits()
    module = SparseStart(start)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class Widened(LightningModule):
    """A model of a few units, widened: the new units start at zero, or like fresh ones."""

    def __init__(self, zeros: bool, old: int = 4, new: int = 64) -> None:
        super().__init__()
        self.encode = nn.Linear(64, new)
        self.decode = nn.Linear(new, 10)
        if zeros:
            with torch.no_grad():
                self.encode.weight[old:] = 0
                self.encode.bias[old:] = 0
                self.decode.weight[:, old:] = 0

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.decode(torch.tanh(self.encode(pixels)))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        pixels, digit = batch
        loss = F.cross_entropy(self(pixels), digit)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pixels, digit = batch
        self.log("val_nll", F.cross_entropy(self(pixels), digit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def widened(zeros: bool) -> Program:
    data = digits()
    module = Widened(zeros)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class UnitWeights(LightningModule):
    """Three layers of tanh; the weights are drawn with a deviation of one, or after Glorot."""

    def __init__(self, unit: bool) -> None:
        super().__init__()
        sizes = [64, 80, 80, 80]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for layer in self.layers:
            if unit:
                nn.init.normal_(layer.weight)
            else:
                nn.init.xavier_normal_(layer.weight, nn.init.calculate_gain("tanh"))
            nn.init.zeros_(layer.bias)
        self.classes = nn.Linear(80, 10)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).tanh()
        found: Tensor = self.classes(x)
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("ce", loss)
        self.log("hits", (logits.argmax(1) == y).float().mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05)


def unit_weights(unit: bool) -> Program:
    data = digits()
    module = UnitWeights(unit)
    return Program(module, loaders(data, 32)[0], None, 20, partial(accuracy, module, data))


class LeakyGlyphs(LightningModule):
    """Two convolutions over small pictures of digits."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(0.1), nn.Flatten(),
            nn.Linear(32 * 16, 10),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.net(image)
        return found

    def step(self, batch: Batch, stage: str) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log(f"{stage}_xent", loss, prog_bar=True)
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.step(batch, "fit")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.step(batch, "check")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def leaky_glyphs(lr: float) -> Program:
    data = digit_images()
    module = LeakyGlyphs(lr)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Segments(LightningModule):
    """Which kind of customer? Plain descent with momentum."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.mlp = nn.Sequential(nn.Linear(12, 50), nn.ReLU(), nn.Linear(50, 4))

    def forward(self, customer: Tensor) -> Tensor:
        found: Tensor = self.mlp(customer)
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        customer, segment = batch
        loss = F.cross_entropy(self(customer), segment)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        customer, segment = batch
        self.log("holdout", F.cross_entropy(self(customer), segment))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def segments(batch_size: int, epochs: int, lr: float = 0.02, **options: Any) -> Program:
    data = adoption.segments()
    module = Segments(lr)
    train = DataLoader(TensorDataset(data.x, data.y), batch_size, shuffle=True)
    score = partial(accuracy, module, data)
    return Program(module, train, loaders(data, 32)[1], epochs, score, options)


CASES = (
    Case(
        "acceptance-leads-own-cross-entropy", Goal("accuracy", at_least=0.93),
        partial(lead_scorer, True), ("non_finite",), partial(lead_scorer, False),
    ),
    Case(
        "acceptance-digits-nine-sigmoids", Goal("accuracy", at_least=0.9),
        partial(deep_sigmoids, nn.Sigmoid), ("vanishing_gradient",),
        partial(deep_sigmoids, nn.ReLU),
    ),
    Case(
        "acceptance-digits-sparse-start", Goal("accuracy", at_least=0.9),
        partial(sparse_start, -0.8), ("dead_relu", "poor_initialization"),
        partial(sparse_start, 0.0),
    ),
    Case(
        "acceptance-digits-widened-with-zeros", Goal("accuracy", at_least=0.93),
        partial(widened, True),
        ("dormant_units", "poor_initialization", "symmetric_weights", "frozen_parameter"),
        partial(widened, False),
    ),
    Case(
        "acceptance-digits-unit-weights", Goal("accuracy", at_least=0.94),
        partial(unit_weights, True), ("saturated_activation", "poor_initialization"),
        partial(unit_weights, False),
    ),
    Case(
        "acceptance-digits-bold-descent", Goal("accuracy", at_least=0.93),
        partial(leaky_glyphs, 0.3), ("learning_rate_too_high", "unstable_loss"),
        partial(leaky_glyphs, 2e-3),
    ),
    Case(
        "acceptance-segments-one-at-a-time", Goal("accuracy", at_least=0.82),
        partial(segments, 1, 2), ("unstable_loss", "learning_rate_too_high"),
        partial(segments, 32, 20),
    ),
)  # fmt: skip
