"""Programs as they were answered."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forum
from data_sets.samples import digit_images, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Example(LightningModule):
    """The example everybody starts from: AdaDelta at a rate of one, falling by the epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(288, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout1(x).flatten(1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        data, target = batch
        loss = F.nll_loss(self(data), target)
        if batch_idx % 10 == 0:
            self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        data, target = batch
        self.log("test_loss", F.nll_loss(self(data), target))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adadelta(self.parameters(), lr=1.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)]


def example() -> Program:
    data = digit_images()
    data = data.with_inputs((data.x - 0.305) / 0.376, (data.x_test - 0.305) / 0.376)
    module = Example()
    return Program(module, *loaders(data, 16), 8, partial(accuracy, module, data))


class Cubic(LightningModule):
    """A sine by a polynomial of the third order: a sum of squares of all points at once."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
        self.loss_fn = nn.MSELoss(reduction="sum")

    def forward(self, xx: Tensor) -> Tensor:
        found: Tensor = self.model(xx)
        return found

    def training_step(self, batch: list[Tensor], t: int) -> Tensor:
        loss: Tensor = self.loss_fn(self(batch[0]), batch[1])
        if t % 100 == 99:
            self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.model.parameters(), lr=1e-3)


def cubic() -> Program:
    x = torch.linspace(-torch.pi, torch.pi, 2000)
    xx, y = x[:, None].pow(torch.tensor([1, 2, 3])), x.sin()
    module = Cubic()
    once = [(xx, y)]
    train = DataLoader(once * 500, batch_size=None)

    def score() -> float:
        return (1 - (outputs(module, xx) - y).square().mean() / y.var()).item()

    return Program(module, train, None, 4, score)


class TextCNN(LightningModule):
    """Windows of two to four words, and the largest of each filter."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(200, 32, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(32, 24, width) for width in (2, 3, 4))
        self.drop = nn.Dropout(0.5)
        self.linear = nn.Linear(72, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).transpose(1, 2)
        pooled = [F.relu(conv(x)).amax(2) for conv in self.convs]
        logit: Tensor = self.linear(self.drop(torch.cat(pooled, 1)))
        return logit.view(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("train/bce", loss, on_step=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("val/bce", loss, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def text_cnn() -> Program:
    data = forum.messages(6000, 0.4)
    module = TextCNN()
    return Program(module, *loaders(data, 32), 5, partial(balanced_accuracy, module, data))


class Rent(LightningModule):
    """One layer, a smooth absolute error, and a plateau below which no answer goes: noise."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        rent: Tensor = self.linear(x)
        return rent.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train_l1", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_l1", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": "val_l1"},
        }


def rent() -> Program:
    data = standardized(forum.areas())
    module = Rent()
    return Program(module, *loaders(data, 20), 20, partial(r2, module, data))


class Siamese(LightningModule):
    """Pairs drawn anew for each batch; other classes are pushed as far as a margin."""

    def __init__(self, margin: float = 1.5) -> None:
        super().__init__()
        self.margin = margin
        self.conv = nn.Sequential(
            nn.Conv2d(1, 24, 3), nn.PReLU(), nn.Conv2d(24, 32, 3, stride=2), nn.PReLU(),
        )  # fmt: skip
        self.fc = nn.Linear(128, 16)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc(self.conv(x).flatten(1))
        return found

    def pairs(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        order = torch.randperm(len(y)) if self.training else torch.arange(len(y)).roll(1)
        first, same = self(x), y == y[order]
        distance = F.pairwise_distance(first, first[order])
        apart = F.relu(self.margin - distance).square()
        near, far = distance[same].square().sum(), apart[~same].sum()
        return (near / same.sum().clamp(min=1) + far / (~same).sum().clamp(min=1)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pairs(batch)
        self.log("contrastive", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_contrastive", self.pairs(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def siamese() -> Program:
    data = digit_images()
    module = Siamese()

    def score() -> float:
        known, asked = outputs(module, data.x), outputs(module, data.x_test)
        nearest = data.y[torch.cdist(asked, known).argmin(1)]
        return (nearest == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 32, drop_last=True), 25, score)


CASES = (
    Case("answer-adadelta-rate-of-one", Goal("accuracy", at_least=0.96), example),
    Case("answer-sine-as-cubic-of-sums", Goal("R2", at_least=0.97), cubic),
    Case("answer-spam-windows-of-words", Goal("balanced accuracy", at_least=0.74), text_cnn),
    Case("answer-rents-linear-on-plateau", Goal("R2", at_least=0.94), rent),
    Case("answer-siamese-digits-of-a-batch", Goal("accuracy", at_least=0.95), siamese),
)  # fmt: skip
