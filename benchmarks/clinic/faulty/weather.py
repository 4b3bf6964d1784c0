"""A weather service and its beginners' exercises, each program with one fault."""

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import weather
from data_sets.samples import (
    Samples,
    cancer,
    diabetes,
    digit_images,
    loaders,
    scaled_targets,
    standardized,
)
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, reset, sgd
from programs import regression, two_classes
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class TopK(nn.Module):
    """Keeps the largest numbers of each row, the others become zero."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        best = x.topk(self.k, dim=-1)
        return torch.zeros_like(x).scatter(-1, best.indices, best.values)


class SparseCoder(LightningModule):
    """Rebuilds readings from the few largest of many units."""

    def __init__(self, features: int, width: int, k: int, bias_std: float, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.topk = nn.Linear(features, width), TopK(k)
        self.decoder = nn.Linear(width, features)
        self.decoder.weight.data = self.encoder.weight.data.T.clone()
        nn.init.normal_(self.encoder.bias, std=bias_std)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.topk(self.encoder(x)))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def sparse_code(bias_std: float) -> Program:
    """With biases of very different size, the same few units win for every day."""
    data, module = weather.days(), SparseCoder(32, 96, 4, bias_std, 2e-3)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class Residual(nn.Module):
    """Two convolutions with group norms, and their input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.GroupNorm(4, channels), nn.GroupNorm(4, channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(out)))


def small_resnet(channels: int = 16, blocks: int = 2) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), *(Residual(channels) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10),
    )  # fmt: skip


def resnet(lr: float) -> Program:
    data, module = digit_images(), LitClassifier(small_resnet(), adam(lr))
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


def drawn(std: float | None) -> Program:
    """Five layers of 64; one deviation for all weights, whatever the width of the layer."""
    data = scaled_targets(standardized(diabetes()))
    network: nn.Module = mlp([10, 64, 64, 64, 64, 1], nn.GELU, dropout=0.1)
    if std is not None:
        network = reset(network, partial(nn.init.normal_, std=std))
    return regression(data, network, adam(1e-3), batch_size=16, epochs=25)


def okta(share: bool) -> Program:
    """The last layer gives a share of the sky, the targets are eighths."""
    last: list[nn.Module] = [nn.Sigmoid()] if share else []
    network = nn.Sequential(*mlp([10, 48, 48, 1], nn.ReLU), *last)
    return regression(weather.cover(), network, sgd(0.01, 0.9), batch_size=64, epochs=25)


def tumours(together: bool) -> Program:
    """Inputs and labels of training are shuffled by NumPy, each by a call of its own."""
    data = standardized(cancer())
    rng = np.random.default_rng(7)
    first = torch.as_tensor(rng.permutation(len(data.x)))
    second = first if together else torch.as_tensor(rng.permutation(len(data.y)))
    data = data._replace(x=data.x[first], y=data.y[second])
    network = mlp([30, 32, 16, 1], nn.ReLU, norm=nn.BatchNorm1d)
    return two_classes(data, network, adam(3e-3), batch_size=16, epochs=25)


class Rows(Dataset[dict[str, Tensor]]):
    """Pictures as sequences of their rows."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.rows, self.labels = images.squeeze(1), labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"rows": self.rows[index], "label": self.labels[index]}


class RowReader(LightningModule):
    """Reads a picture row by row; weights decay in one group of parameters, biases do not.

    The groups are gathered from the layers of the given kinds.
    """

    def __init__(self, kinds: tuple[type[nn.Module], ...], width: int = 16) -> None:
        super().__init__()
        self.kinds = kinds
        self.gru = nn.GRU(8, width, batch_first=True)
        self.head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, rows: Tensor) -> Tensor:
        states, _ = self.gru(rows.squeeze(1))
        logits: Tensor = self.head(states[:, -1])
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["rows"]), batch["label"])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        right = self(batch["rows"]).argmax(1) == batch["label"]
        self.log("val_acc", right.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        decay: list[Tensor] = []
        rest: list[Tensor] = []
        for layer in self.modules():
            if isinstance(layer, self.kinds):
                for parameter in layer.parameters(recurse=False):
                    (decay if parameter.ndim > 1 else rest).append(parameter)
        groups = [{"params": decay, "weight_decay": 1e-2}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=5e-3)


def rows(*kinds: type[nn.Module]) -> Program:
    data, module = digit_images(), RowReader(kinds)
    train = DataLoader(Rows(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Rows(data.x_test, data.y_test), 256)
    return Program(module, train, test, 15, partial(accuracy, module, data))


def barograph() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        nn.Linear(32, 3),
    )  # fmt: skip


def passages(weighted: bool) -> Program:
    data = weather.fronts(0.85)
    count = data.y.bincount(minlength=3)
    weight = len(data.y) / (3 * count) if weighted else None
    criterion = nn.CrossEntropyLoss(weight=weight)
    module = LitClassifier(barograph(), adam(1e-3), criterion)
    return Program(module, *loaders(data, 64), 15, partial(balanced_accuracy, module, data))


def vgg(dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(dropout), nn.Linear(512, 128), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(128, 5),
    )  # fmt: skip


def few_skies(count: int, epochs: int) -> Program:
    """A small VGG, of which 120 labelled pictures are known by heart after a few epochs."""
    data: Samples = weather.skies(noise=2.0)
    data = data.first(count)
    module = LitClassifier(vgg(0.0), adam(1e-3))
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


CASES = (
    Case(
        "weather-days-top-four-of-the-same-units", Goal("R2", at_least=0.85),
        partial(sparse_code, 3.0), ("dormant_units", "poor_initialization"),
        partial(sparse_code, 0.0),
    ),
    Case(
        "digit-images-grouped-res-net-adam-of-a-half", Goal("accuracy", at_least=0.93),
        partial(resnet, 0.5), ("learning_rate_too_high",), partial(resnet, 2e-3),
    ),
    Case(
        "diabetes-gelu-layers-drawn-with-one-deviation", Goal("R2", at_least=0.3),
        partial(drawn, 0.6), ("poor_initialization",), partial(drawn, None),
    ),
    Case(
        "cloud-cover-in-eighths-behind-a-sigmoid", Goal("R2", at_least=0.8),
        partial(okta, True), ("output_loss_mismatch",), partial(okta, False),
    ),
    Case(
        "cancer-inputs-and-labels-shuffled-apart", Goal("accuracy", at_least=0.92),
        partial(tumours, False), ("inconsistent_labels", "not_learning"), partial(tumours, True),
    ),
    Case(
        "digit-rows-groups-of-linear-layers-only", Goal("accuracy", at_least=0.88),
        partial(rows, nn.Linear), ("frozen_parameter",), partial(rows, nn.Linear, nn.GRU),
    ),
    Case(
        "fronts-seldom-pass-the-barograph", Goal("balanced accuracy", at_least=0.58),
        partial(passages, False), ("class_imbalance",), partial(passages, True),
    ),
    Case(
        "skies-a-hundred-and-twenty-by-heart", Goal("cross-entropy", at_most=0.9),
        partial(few_skies, 120, 40), ("overfitting",), partial(few_skies, 1050, 6),
    ),
)  # fmt: skip
