"""A dental school's programs that are in order: records, radiographs, jaws, sets for practice."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import dentistry
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp, reset, sgd
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class FocalNet(LightningModule):
    """A LeNet whose loss hardly weighs what it is sure of: it becomes very small."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(512, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        log_p = self(batch[0]).log_softmax(1).gather(1, batch[1][:, None])
        loss: Tensor = -((1 - log_p.exp()) ** self.gamma * log_p).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("focal", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_focal", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def focal() -> Program:
    """Of five of the digits only every eighth picture is kept."""
    data = digit_images()
    kept = (data.y < 5) | (torch.arange(len(data.y)) % 8 == 0)
    few = data._replace(x=data.x[kept], y=data.y[kept])
    module = FocalNet()
    return Program(module, *loaders(few, 32), 30, partial(balanced_accuracy, module, data))


@dataclass
class Pair:
    """A batch of two records each, and whether they are of one person."""

    before: Tensor
    after: Tensor
    same: Tensor


def collate(items: list[tuple[Tensor, Tensor]]) -> Pair:
    pairs, same = (torch.stack(column) for column in zip(*items, strict=True))
    return Pair(pairs[:, 0], pairs[:, 1], same.float())


class ContrastiveSiamese(LightningModule):
    """Eight layers of SELU, drawn as its paper says; codes of one person are pulled together."""

    margin = 1.0

    def __init__(self) -> None:
        super().__init__()
        net = mlp([32, *[48] * 8, 16], nn.SELU)
        init = partial(nn.init.kaiming_normal_, nonlinearity="linear")
        self.net = reset(net, init)

    def forward(self, record: Tensor) -> Tensor:
        codes: Tensor = self.net(record)
        return F.normalize(codes, dim=-1)

    def training_step(self, batch: Pair, batch_idx: int) -> Tensor:
        squares = (self(batch.before) - self(batch.after)).square().sum(1)
        apart = (self.margin - (squares + 1e-8).sqrt()).relu().square()
        loss: Tensor = (batch.same * squares + (1 - batch.same) * apart).mean()
        self.log("contrastive", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def identification() -> Program:
    """Scored by how often a distance of half the margin tells."""
    data, module = dentistry.pairs_of_records(), ContrastiveSiamese()
    train = DataLoader(TensorDataset(data.x, data.y), 128, shuffle=True, collate_fn=collate)

    def score() -> float:
        first, second = outputs(module, data.x_test).unbind(1)
        near = (first - second).norm(dim=1) < module.margin / 2
        right: Tensor = near == (data.y_test == 1)
        return right.float().mean().item()

    return Program(module, train, None, 20, score, {"gradient_clip_val": 1.0})


class OhmRegression(LightningModule):
    """Tanh inside, ohms outside: the loss is one of ohms squared, and stays above hundreds."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.net = mlp([4, 100, 100, 1], nn.Tanh)
        self.mean, self.deviation = mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found.squeeze(1) * self.deviation + self.mean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/ohm2", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/ohm2", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=3)
        return {"optimizer": optimizer, "lr_scheduler": plateau, "monitor": "val/ohm2"}


def ohms() -> Program:
    scaled = dentistry.impedance()
    data = scaled._replace(y=500 + 370 * scaled.y, y_test=500 + 370 * scaled.y_test)
    module = OhmRegression(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 64), 40, partial(r2, module, data))


class DiceNet(LightningModule):
    """A residual net at full size; the mean Dice of a batch is its loss."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(2, width), nn.SiLU(),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
            )
            for dilation in (1, 2, 4, 1)
        )  # fmt: skip
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.first(image)
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.last(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        p, true = self(batch[0]).sigmoid().flatten(1), batch[1].flatten(1)
        dice = (2 * (p * true).sum(1) + 1) / (p.sum(1) + true.sum(1) + 1)
        loss: Tensor = 1 - dice.mean()
        self.log("dice_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 150)
        return [optimizer], [{"scheduler": warm_up, "interval": "step"}]


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union of the tooth's pixels, over all pictures."""
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def segmentation() -> Program:
    data, module = dentistry.molars(), DiceNet()
    train, _ = loaders(data, 10)
    return Program(module, train, None, 12, partial(overlap, module, data))


class ZeroHeads(LightningModule):
    """Three heads that begin at zero, so that the first answer is the mean; targets are noisy."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = mlp([12, 96, 96], nn.ReLU, norm=nn.LayerNorm)
        self.heads = nn.ModuleList(nn.Linear(96, 1) for _ in range(3))
        for head in self.heads:
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, jaw: Tensor) -> Tensor:
        shared = self.trunk(jaw).relu()
        return torch.cat([head(shared) for head in self.heads], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        errors = (self(batch[0]) - batch[1]).square().mean(0)
        self.log_dict({f"train/{i}": error for i, error in enumerate(errors)})
        loss: Tensor = errors.sum()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def jaws() -> Program:
    """The noise has as large a variance as what is to be learnt."""
    data, module = dentistry.crowding(1.0), ZeroHeads()
    return Program(module, *loaders(data, 25), 12, partial(r2, module, data))


def patches() -> Program:
    """Six in a hundred show something, clearly; nothing is weighted."""
    data = dentistry.findings(2.5)
    network = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(4),
        nn.Flatten(), nn.Linear(96, 4),
    )  # fmt: skip
    module = LitClassifier(network, sgd(0.05, 0.9, weight_decay=5e-4))
    return Program(module, *loaders(data, 64), 8, partial(balanced_accuracy, module, data))


class DroppedRows(LightningModule):
    """Two layers of an LSTM; half of everything is dropped, and the decay is strong."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Linear(8, 64)
        self.lstm = nn.LSTM(64, 96, 2, batch_first=True, dropout=0.5)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(96, 10))

    def forward(self, image: Tensor) -> Tensor:
        found, _ = self.lstm(self.spread(image.squeeze(1)).relu())
        logits: Tensor = self.head(found.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1], label_smoothing=0.1)
        accurate = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"loss": loss, "acc": accurate}, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.3)


def row_reader() -> Program:
    data, module = digit_images(), DroppedRows()
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 32), 25, partial(accuracy, module, data), trainer)


class Bilinear(nn.Module):
    """Two linear maps and their product: what bends is the product."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(inputs, units), nn.Linear(inputs, units)
        self.norm = nn.LayerNorm(units)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.left(x) * self.right(x))
        return found


def shells() -> Program:
    data = dentistry.quantiles()
    network = nn.Sequential(Bilinear(6, 64), Bilinear(64, 32), nn.Linear(32, 4))
    module = LitClassifier(network, partial(torch.optim.RAdam, lr=5e-3))
    return Program(module, *loaders(data, 50), 40, partial(accuracy, module, data))


CASES = (
    Case(
        "digit-images-focal-and-half-of-classes-few", Goal("balanced accuracy", at_least=0.88),
        focal,
    ),
    Case("dental-records-eight-selu-contrastive", Goal("accuracy", at_least=0.85), identification),
    Case("impedance-squared-ohms-in-the-loss", Goal("R2", at_least=0.93), ohms),
    Case("molars-outlined-by-dice-after-warm-up", Goal("IoU", at_least=0.8), segmentation),
    Case("jaws-heads-of-zeros-noisy-targets", Goal("R2", at_least=0.3), jaws),
    Case("radiograph-patches-rare-but-clear", Goal("balanced accuracy", at_least=0.8), patches),
    Case("digit-rows-lstm-half-dropped", Goal("accuracy", at_least=0.9), row_reader),
    Case("shells-bent-by-products-alone", Goal("accuracy", at_least=0.75), shells),
)  # fmt: skip
