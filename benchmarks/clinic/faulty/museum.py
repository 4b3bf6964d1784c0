"""A museum's models: plain networks, each with one well-known mistake."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import museum
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp, sgd
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


def le_net(activation: Callable[[], nn.Module]) -> nn.Sequential:
    """The old network, with one dense layer more than it had."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), activation(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 5, padding=2), activation(), nn.AvgPool2d(2), nn.Flatten(),
        mlp((256, 120, 84, 60, 6), activation),
    )  # fmt: skip


def schools(activation: Callable[[], nn.Module]) -> Program:
    data, module = museum.paintings(), LitClassifier(le_net(activation), sgd(0.05, 0.9))
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class VisitorRNN(LightningModule):
    """A leaky recurrent cell that reads eight weeks, and a linear layer on its last state."""

    def __init__(self, leaky: bool, leak: float = 0.5) -> None:
        super().__init__()
        self.i2h, self.h2h = nn.Linear(1, 64), nn.Linear(64, 64)
        self.fc = nn.Linear(64, 1)
        self.keep, self.take = (1 - leak, leak) if leaky else (1.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 64)
        for day in x.unbind(1):
            state = self.keep * state + self.take * F.relu(self.i2h(day) + self.h2h(state))
        out: Tensor = self.fc(state)
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def visitors(leaky: bool) -> Program:
    """Without its leak, the state is multiplied by more than one on each of the 56 days."""
    data, module = museum.turnstiles(), VisitorRNN(leaky)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(r2, module, data))


class Pictures(Dataset[dict[str, Tensor]]):
    """Paintings and the numbers of their schools, by name."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"image": self.x[index], "label": self.y[index]}


class Block(nn.Module):
    """Two convolutions with group norms, and what was there before them."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(groups, channels)
        self.norm2 = nn.GroupNorm(groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(out)))


class SmallResNet(LightningModule):
    """Two blocks, and a head with a norm of its own."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.Sequential(Block(16, groups), nn.MaxPool2d(2), Block(16, groups))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 64),
            nn.GroupNorm(4 * groups, 64), nn.ReLU(), nn.Linear(64, 6),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.stem(image)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch["image"]), batch["label"])
        self.log("train/loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val/loss", F.cross_entropy(logits, batch["label"]))
        self.log("val/acc", (logits.argmax(1) == batch["label"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def canvases(groups: int) -> Program:
    """With a group for each channel, the norm in the head sees one number at a time."""
    data, module = museum.paintings(), SmallResNet(groups)
    train = DataLoader(Pictures(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Pictures(data.x_test, data.y_test), 128)
    return Program(module, train, test, 8, partial(accuracy, module, data))


class EntryTransformer(LightningModule):
    """Which hall an entry of the guestbook speaks of."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(200, 48), nn.Embedding(20, 48)
        layer = nn.TransformerEncoderLayer(48, 4, 96, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.classifier = nn.Linear(48, 5)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                draw(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        logits: Tensor = self.classifier(self.encoder(x).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, hall = batch
        logits = self(tokens)
        loss = F.cross_entropy(logits, hall)
        self.log_dict({"loss": loss, "acc": (logits.argmax(1) == hall).float().mean()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def entries(draw: Callable[[Tensor], Any]) -> Program:
    data, module = museum.guestbook(), EntryTransformer(draw)
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class VisitorLSTM(LightningModule):
    """Tomorrow's visitors; there are never fewer than none, but they are standardized."""

    def __init__(self, rectified: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.linear = nn.Linear(32, 1)

    def forward(self, window: Tensor) -> Tensor:
        states, _ = self.lstm(window)
        out: Tensor = self.linear(states[:, -1]).squeeze(1)
        return out.relu() if self.hparams["rectified"] else out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_loss", F.smooth_l1_loss(found, batch[1]))
        self.log("val_mae", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def forecast(rectified: bool) -> Program:
    data, module = museum.turnstiles(length=28), VisitorLSTM(rectified)
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


def evened(data: Samples) -> WeightedRandomSampler:
    """Each class as often as any other."""
    weights = 1.0 / data.y.bincount().float()
    return WeightedRandomSampler(weights[data.y].tolist(), len(data.y))


def hands(even: bool) -> Program:
    """By whom a work is; few are not the master's."""
    data = museum.attributions(2.2)
    network = mlp((16, 32, 16, 3), norm=nn.BatchNorm1d)
    module = LitClassifier(network, partial(torch.optim.Adam, lr=2e-3))
    _, test = loaders(data, 128)
    order: dict[str, Any] = {"sampler": evened(data)} if even else {"shuffle": True}
    train = DataLoader(TensorDataset(data.x, data.y), 128, **order)
    return Program(module, train, test, 8, partial(balanced_accuracy, module, data))


def vgg(maps: float, units: float) -> nn.Sequential:
    """Three pairs of convolutions, with dropout of whole maps behind each."""
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 24), (24, 32)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(after, after, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout2d(maps)]
    head = [nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(units), nn.Linear(64, 6)]
    return nn.Sequential(*layers, *head)


def dropped(maps: float, units: float) -> Program:
    data = museum.paintings()
    module = LitClassifier(vgg(maps, units), partial(torch.optim.Adam, lr=1e-3))
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class StagedNet(LightningModule):
    """A body and a head with rates of their own, for training in stages."""

    def __init__(self, body_lr: float, head_lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([
            {"params": self.body.parameters(), "lr": self.hparams["body_lr"]},
            {"params": self.head.parameters(), "lr": self.hparams["head_lr"]},
        ])  # fmt: skip


def staged(body_lr: float) -> Program:
    """The first stage, made for a body that is trained already; this one is not."""
    data, module = museum.paintings(), StagedNet(body_lr)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 10, partial(accuracy, module, data))


CASES = (
    Case(
        "paintings-le-net-of-sigmoids", Goal("accuracy", at_least=0.8),
        partial(schools, nn.Sigmoid), ("vanishing_gradient",), partial(schools, nn.ReLU),
    ),
    Case(
        "turnstiles-recurrence-without-its-leak", Goal("R2", at_least=0.6),
        partial(visitors, False), ("exploding_gradient",), partial(visitors, True),
    ),
    Case(
        "canvases-head-norm-of-single-numbers", Goal("accuracy", at_least=0.8),
        partial(canvases, 16), ("not_learning", "vanishing_gradient"), partial(canvases, 4),
    ),
    Case(
        "guestbook-transformer-of-normal-matrices", Goal("accuracy", at_least=0.75),
        partial(entries, nn.init.normal_), ("poor_initialization",),
        partial(entries, nn.init.xavier_uniform_),
    ),
    Case(
        "turnstiles-forecast-behind-relu", Goal("R2", at_least=0.7),
        partial(forecast, True), ("output_loss_mismatch",), partial(forecast, False),
    ),
    Case(
        "attributions-others-hands-are-rare", Goal("balanced accuracy", at_least=0.7),
        partial(hands, False), ("class_imbalance",), partial(hands, True),
    ),
    Case(
        "paintings-maps-dropped-by-seven-tenths", Goal("accuracy", at_least=0.8),
        partial(dropped, 0.7, 0.8), ("over_regularized",), partial(dropped, 0.1, 0.3),
    ),
    Case(
        "paintings-body-left-at-a-rate-of-zero", Goal("accuracy", at_least=0.9),
        partial(staged, 0.0), ("frozen_parameter",), partial(staged, 3e-3),
    ),
)  # fmt: skip
