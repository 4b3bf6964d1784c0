"""What is trained for a railway, each with one mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import railways, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class NextDelay(LightningModule):
    """Two layers of a GRU over the stops of a journey, the last state read by a small head."""

    def __init__(self, lr: float, hidden: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(3, hidden, num_layers=2, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.gru(x)
        found: Tensor = self.head(state[-1]).squeeze(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=self.hparams["lr"])


def next_delay(lr: float) -> Program:
    data, module = railways.stops(), NextDelay(lr)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Block(nn.Module):
    """Two normed convolutions and what goes past them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        same = before == after
        self.past = nn.Identity() if same else nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.past(x))


class SmallResNet(LightningModule):
    """Three blocks; momentum, decay and a cosine, as in the paper."""

    def __init__(self, lr: float, epochs: int) -> None:
        super().__init__()
        self.lr, self.epochs = lr, epochs
        self.model = nn.Sequential(
            Block(1, 12), nn.MaxPool2d(2), Block(12, 24), nn.MaxPool2d(2), Block(24, 24),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)]


def sleepers(lr: float, epochs: int = 12) -> Program:
    data, module = railways.sleepers(), SmallResNet(lr, epochs)
    return Program(module, *loaders(data, 32), epochs, partial(accuracy, module, data))


class Prototypes(LightningModule):
    """Likeness to learnt points is the negative of the squared distance; a layer reads it."""

    def __init__(self, rectified: bool, count: int = 40, width: int = 16) -> None:
        super().__init__()
        self.rectified = rectified
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(256, width),
        )  # fmt: skip
        self.points = nn.Parameter(torch.randn(count, width))
        self.likeness = nn.ReLU() if rectified else nn.Identity()
        self.classify = nn.Linear(count, 10)

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        near = -(code[:, None] - self.points).square().mean(-1)
        logits: Tensor = self.classify(self.likeness(near if self.rectified else near.exp()))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss, on_epoch=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def prototypes(rectified: bool) -> Program:
    data, module = samples.digit_images(), Prototypes(rectified)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 20, partial(accuracy, module, data))


class DecisionTree(LightningModule):
    """Five levels of learnt decisions, each a sigmoid; the leaves that are reached are averaged."""

    def __init__(self, steepness: float, depth: int = 5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.nodes, self.decide = nn.Linear(64, 2**depth - 1), nn.Sigmoid()
        self.leaves = nn.Parameter(0.1 * torch.randn(2**depth, 10))

    def forward(self, x: Tensor) -> Tensor:
        right = self.decide(self.hparams["steepness"] * self.nodes(x))
        reached = torch.ones(len(x), 1)
        for level in range(self.hparams["depth"]):
            taken = right[:, 2**level - 1 : 2 ** (level + 1) - 1]
            reached = torch.stack([reached * (1 - taken), reached * taken], 2).flatten(1)
        return reached @ self.leaves

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def decision_tree(steepness: float) -> Program:
    data, module = samples.digits(), DecisionTree(steepness)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class Gated(nn.Module):
    """A tanh of one convolution times the sigmoid of another."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(before, after, 5, padding=2)
        self.gate = nn.Conv1d(before, after, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))


class AxleNet(LightningModule):
    """Four gated convolutions and the mean over time."""

    def __init__(self, lr: float = 2e-3) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(Gated(1, 16), Gated(16, 16), Gated(16, 16), Gated(16, 16))
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).mean(-1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def axle_net(tiled: bool) -> Program:
    """The states of the recordings are repeated as a whole, not each for its own windows."""
    data, module = railways.axle_windows(tiled), AxleNet()
    return Program(module, *loaders(data, 32), 18, partial(accuracy, module, data))


class Texts(Dataset[dict[str, Tensor]]):
    """Announcements as dictionaries."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"input_ids": self.x[index], "labels": self.y[index]}


class Announcements(LightningModule):
    """One layer of a Transformer encoder, its outputs averaged."""

    def __init__(self, dropout: float, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(120, width)
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.TransformerEncoderLayer(width, 2, 64, dropout, batch_first=True)
        self.out = nn.Linear(width, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        encoded = self.encoder(self.drop(self.embed(tokens)))
        logits: Tensor = self.out(self.drop(encoded.mean(1)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("val_loss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def announcements(dropout: float, epochs: int) -> Program:
    data, module = railways.announcements(900, 0.15), Announcements(dropout)
    train = DataLoader(Texts(data.x, data.y), 16, shuffle=True)
    validation = DataLoader(Texts(data.x_test, data.y_test), 128)
    return Program(module, train, validation, epochs, partial(cross_entropy, module, data))


class LogNormalNoise(nn.Module):
    """Multiplies by noise in the training; that its median is 1 does not make 1 its mean."""

    def __init__(self, deviation: float, mean_of_one: bool) -> None:
        super().__init__()
        self.deviation = deviation
        self.shift = deviation**2 / 2 if mean_of_one else 0.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * torch.exp(self.deviation * torch.randn_like(x) - self.shift)


class NoisyRegressor(LightningModule):
    """Three hidden layers, each with noise behind it."""

    def __init__(self, mean_of_one: bool, deviation: float = 0.9, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (10, width, width):
            noise = LogNormalNoise(deviation, mean_of_one)
            layers += [nn.Linear(before, width), nn.ReLU(), noise]
        self.net = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def noisy(mean_of_one: bool) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = NoisyRegressor(mean_of_one)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class Brightened(Dataset[tuple[Tensor, Tensor]]):
    """Each picture a little brighter; without a copy the next round begins with what this left."""

    def __init__(self, data: Samples, copied: bool) -> None:
        self.x, self.y, self.copied = data.x.clone(), data.y, copied

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.x[index].clone() if self.copied else self.x[index]
        gain, shift = torch.rand(2).tolist()
        image.mul_(0.9 + 0.4 * gain).add_(0.3 * shift)
        return image.clone(), self.y[index]


class LeNetPlain(LightningModule):
    """Two convolutions and two layers, plain descent with momentum."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        self.log("acc", (logits.argmax(1) == batch[1]).float().mean())
        return F.cross_entropy(logits, batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def brightened(copied: bool) -> Program:
    data, module = samples.digit_images(), LeNetPlain()
    train = DataLoader(Brightened(data, copied), 32, shuffle=True)
    _, test = loaders(data, 32)
    return Program(module, train, test, 16, partial(accuracy, module, data))


CASES = (
    Case(
        "stops-two-grus-nadam-of-a-half", Goal("R2", at_least=0.65), partial(next_delay, 0.5),
        ("learning_rate_too_high", "unstable_loss"), partial(next_delay, 2e-3),
    ),
    Case(
        "sleepers-residual-net-nearly-at-rest", Goal("accuracy", at_least=0.85),
        partial(sleepers, 1e-5), ("learning_rate_too_low",), partial(sleepers, 0.05),
    ),
    Case(
        "wagon-numbers-distances-rectified", Goal("accuracy", at_least=0.9),
        partial(prototypes, True), ("dead_relu",), partial(prototypes, False),
    ),
    Case(
        "wagon-numbers-tree-of-hard-decisions", Goal("accuracy", at_least=0.88),
        partial(decision_tree, 50.0), ("saturated_activation", "vanishing_gradient"),
        partial(decision_tree, 1.0),
    ),
    Case(
        "announcements-read-fifty-times", Goal("cross-entropy", at_most=0.95),
        partial(announcements, 0.0, 50), ("overfitting",), partial(announcements, 0.4, 14),
    ),
    Case(
        "axle-windows-states-tiled", Goal("accuracy", at_least=0.85),
        partial(axle_net, True), ("inconsistent_labels",), partial(axle_net, False),
    ),
    Case(
        "journeys-log-normal-noise-of-median-one", Goal("R2", at_least=0.75),
        partial(noisy, False), ("train_eval_mismatch",), partial(noisy, True),
    ),
    Case(
        "wagon-numbers-brightened-in-place", Goal("accuracy", at_least=0.9),
        partial(brightened, False), ("covariate_shift", "unnormalized_input"),
        partial(brightened, True),
    ),
)  # fmt: skip
