"""Networks for beehives that look odd and train well."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import hives
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset
from programs import regression
from scores import accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Classifier(LightningModule):
    """What the classifiers below share."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self(x), y)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0], batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)


class ClippedVGG(Classifier):
    """Four convolutions, and a rate that climbs to a fifth; the gradients are clipped."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = mlp([24 * 25, 96, 6])
        reset(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, weight_decay=1e-4)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=self.steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def clipped_vgg(epochs: int = 14) -> Program:
    data = hives.pollen()
    train, test = loaders(data, 32)
    module, trainer = ClippedVGG(epochs * len(train)), {"gradient_clip_val": 1.0}
    return Program(module, train, test, epochs, partial(accuracy, module, data), trainer)


def slow_water() -> Program:
    """Adam at a ten-thousandth for long: the loss falls until the end."""
    data = scaled_targets(standardized(hives.honeys()))
    network = mlp([60, 192, 192, 1], nn.SiLU)
    return regression(data, network, adam(1e-4), batch_size=16, epochs=40)


class SparseNotes(Classifier):
    """A wide layer whose units are to be silent for most notes, by a price on what they say."""

    def __init__(self, price: float = 0.02) -> None:
        super().__init__()
        self.price = price
        self.hidden, self.out = nn.Linear(hives.WORDS, 512), nn.Linear(512, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.hidden(x).relu())
        return logits

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        said = self.hidden(x).relu()
        self.log("silent", (said == 0).float().mean())
        silence: Tensor = self.price * said.sum(1).mean() / 10
        return F.cross_entropy(self.out(said), y) + silence

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def sparse_notes() -> Program:
    data, module = hives.notes(), SparseNotes()
    return Program(module, *loaders(data, 48), 12, partial(accuracy, module, data))


class DanceHash(Classifier):
    """Twenty-four bits of a dance; the tanh before them is made steeper with each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.steepness = 1.0
        self.body = nn.Sequential(
            nn.Conv1d(2, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 48, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.bits, self.out = nn.Linear(48, 24), nn.Linear(24, 6)

    def on_train_epoch_start(self) -> None:
        self.steepness = 1.0 + 0.5 * self.current_epoch

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out((self.steepness * self.bits(self.body(x))).tanh())
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def dance_hash() -> Program:
    data, module = hives.dances(), DanceHash()
    return Program(module, *loaders(data, 32), 18, partial(accuracy, module, data))


class FewColonies(Dataset[dict[str, Tensor]]):
    """Findings of autumn and what became of a colony, as dictionaries."""

    def __init__(self, findings: Tensor, alive: Tensor) -> None:
        self.findings, self.alive = findings, alive

    def __len__(self) -> int:
        return len(self.alive)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"findings": self.findings[index], "alive": self.alive[index]}


class CarefulSurvival(LightningModule):
    """A small network with half of its units dropped and decayed weights; chance has its part."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([14, 32, 16, 1], nn.ReLU, dropout=0.5)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)[:, 0]
        return logit

    def step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logit = self(batch["findings"])
        loss = F.binary_cross_entropy_with_logits(logit, batch["alive"])
        right = ((logit > 0) == (batch["alive"] > 0.5)).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": right})
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def careful_survival() -> Program:
    data, module = hives.colonies().first(200), CarefulSurvival()
    train = DataLoader(FewColonies(data.x, data.y), 20, shuffle=True)
    test = DataLoader(FewColonies(data.x_test, data.y_test), 200)
    return Program(module, train, test, 25, partial(binary_accuracy, module, data))


class HumNet(Classifier):
    """Two normed hidden layers, trained on labels of which many are wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([48, 48, 48, 4], nn.ReLU, norm=nn.BatchNorm1d, dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def mislabelled_hums() -> Program:
    """A third of the labels to train on are drawn at random; the others to measure on are not."""
    data, module = standardized(hives.hums()), HumNet()
    draw = torch.Generator().manual_seed(5)
    wrong = torch.rand(len(data.y), generator=draw) < 0.35
    guessed = torch.randint(4, data.y.shape, generator=draw)
    noisy = TensorDataset(data.x, torch.where(wrong, guessed, data.y))
    train = DataLoader(noisy, 128, shuffle=True, drop_last=True)
    return Program(module, train, None, 20, partial(accuracy, module, data))


class Block(nn.Module):
    """Two normed convolutions beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class MixedResNet(Classifier):
    """Pictures are turned and mixed in pairs: the loss in training stays far above the other."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(1, 12, 1), Block(12, 24, 2), Block(24, 32, 2))
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.drop(self.blocks(x).mean((2, 3))))
        return logits

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        x = x.rot90(int(torch.randint(4, ())), (2, 3))
        share, order = float(torch.rand(())), torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[order])
        first, second = F.cross_entropy(logits, y), F.cross_entropy(logits, y[order])
        return share * first + (1 - share) * second

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=6e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11)]


def mixed_res_net() -> Program:
    data, module = hives.pollen(), MixedResNet()
    return Program(module, *loaders(data, 16), 11, partial(accuracy, module, data))


class ScaleGRU(LightningModule):
    """Reads three days of a hive in the order of the seasons and forecasts the fourth."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        gain: Tensor = self.out(self.gru(x)[0][:, -1])[:, 0]
        return gain

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def scale_gru() -> Program:
    data, module = hives.weights(), ScaleGRU()
    trainer = {"gradient_clip_val": 1.0}
    both = loaders(data, 32, shuffle=False)
    return Program(module, *both, 14, partial(r2, module, data), trainer)


CASES = (
    Case("pollen-rate-up-to-a-fifth-clipped", Goal("accuracy", at_least=0.85), clipped_vgg),
    Case("honey-water-by-a-rate-of-patience", Goal("R2", at_least=0.85), slow_water),
    Case("keepers-notes-most-units-silent", Goal("accuracy", at_least=0.85), sparse_notes),
    Case("dances-bits-of-a-steeper-tanh", Goal("accuracy", at_least=0.8), dance_hash),
    Case("colonies-of-one-winter-half-dropped", Goal("accuracy", at_least=0.7), careful_survival),
    Case("hums-a-third-of-labels-guessed", Goal("accuracy", at_least=0.85), mislabelled_hums),
    Case("pollen-residuals-turned-and-mixed", Goal("accuracy", at_least=0.85), mixed_res_net),
    Case("hive-weights-read-in-order-of-seasons", Goal("R2", at_least=0.4), scale_gru),
)  # fmt: skip
