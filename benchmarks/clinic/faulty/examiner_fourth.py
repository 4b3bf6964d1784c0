"""A fourth examiner's faults: in first weights, inputs, outputs, labels and classes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner_fourth
from data_sets.samples import (
    Samples,
    digit_images,
    digits,
    friedman,
    loaders,
    scaled_targets,
    standardized,
)
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

Batch = list[Tensor]


class ConstantDigits(LightningModule):
    """Two hidden layers, whose weights may all start from one number."""

    def __init__(self, constant: float | None) -> None:
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(64, 48), nn.Linear(48, 32)
        self.readout = nn.Linear(32, 10)
        if constant is not None:
            for layer in (self.layer1, self.layer2, self.readout):
                nn.init.constant_(layer.weight, constant)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.layer1(x))
        logits: Tensor = self.readout(torch.relu(self.layer2(x)))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def constant_digits(constant: float | None) -> Program:
    data = digits()
    module = ConstantDigits(constant)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Scoring(LightningModule):
    """Will this loan be paid back?"""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2)
        )

    def forward(self, applicant: Tensor) -> Tensor:
        logits: Tensor = self.net(applicant)
        return logits

    def step(self, batch: Batch, stage: str) -> Tensor:
        applicant, paid = batch
        logits = self(applicant)
        loss = F.cross_entropy(logits, paid)
        self.log(f"{stage}/loss", loss)
        self.log(f"{stage}/acc", (logits.argmax(1) == paid).float().mean())
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def scoring(prepare: Callable[[Samples], Samples]) -> Program:
    data = prepare(examiner_fourth.loans())
    module = Scoring()
    return Program(module, *loaders(data, 50), 18, partial(accuracy, module, data))


def as_read(samples: Samples) -> Samples:
    return samples


class SoftmaxCnn(LightningModule):
    """A small convolutional network; its last layer may be a softmax."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Linear(96, 10)
        self.last = nn.Softmax(dim=1) if softmax else nn.Identity()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.last(self.classifier(self.features(image)))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, label = batch
        loss: Tensor = self.criterion(self(image), label)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, label = batch
        found = self(image)
        self.log("val_loss", self.criterion(found, label))
        self.log("val_acc", (found.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def softmax_cnn(softmax: bool) -> Program:
    data = digit_images()
    module = SoftmaxCnn(softmax)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class Squashed(LightningModule):
    """A regression that may end in a sigmoid, as the classifier did that it was made of."""

    def __init__(self, squash: bool) -> None:
        super().__init__()
        self.squash = squash
        self.hidden1, self.hidden2 = nn.Linear(10, 64), nn.Linear(64, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.elu(self.hidden2(F.elu(self.hidden1(x))))
        found: Tensor = self.out(x).squeeze(1)
        return torch.sigmoid(found) if self.squash else found

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, on_step=True, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def squashed(squash: bool) -> Program:
    data = scaled_targets(standardized(friedman()))
    module = Squashed(squash)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class Vibrations(LightningModule):
    """Convolutions along a vibration; the loss may weigh its kinds."""

    def __init__(self, weights: Tensor | None = None) -> None:
        super().__init__()
        self.save_hyperparameters(ignore="weights")
        self.conv1 = nn.Conv1d(1, 16, 7, stride=2, padding=3)
        self.conv2 = nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.conv3 = nn.Conv1d(32, 32, 3, padding=1)
        self.fc = nn.Linear(32, 4)
        self.loss_fn = nn.CrossEntropyLoss(weight=weights)

    def forward(self, signal: Tensor) -> Tensor:
        x = F.gelu(self.conv2(F.gelu(self.conv1(signal))))
        logits: Tensor = self.fc(F.gelu(self.conv3(x)).amax(-1))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        signal, kind = batch
        loss: Tensor = self.loss_fn(self(signal), kind)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        signal, kind = batch
        self.log("valid_ce", self.loss_fn(self(signal), kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def two_annotators(agreed: bool) -> Program:
    """The second of two annotators, of half of the signals, counted the kinds from one on."""
    data = examiner_fourth.bearings()
    module = Vibrations()
    labels = data.y.clone()
    if not agreed:
        labels[1::2] = (labels[1::2] + 1) % 4
    both = loaders(data._replace(y=labels), 32)
    return Program(module, *both, 10, partial(accuracy, module, data))


def seldom_kinds(weighted: bool) -> Program:
    """Nine of ten signals are of intact bearings."""
    shares = (0.9, 0.04, 0.03, 0.03)
    data = examiner_fourth.bearings(shares, noise=0.8)
    module = Vibrations(0.25 / torch.tensor(shares) if weighted else None)
    held_out = data._replace(x=data.x[:1900], y=data.y[:1900])
    validation = DataLoader(list(zip(data.x[1900:], data.y[1900:], strict=True)), 250)
    train, _ = loaders(held_out, 32)
    return Program(module, train, validation, 8, partial(balanced_accuracy, module, data))


class Rows(Dataset[dict[str, Tensor]]):
    """A table, each row with its names."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y.float()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"features": self.x[index], "target": self.y[index]}


class Alarm(LightningModule):
    """A logit that says whether this is one of the rare events."""

    def __init__(self, positive_weight: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.logit = nn.Linear(16, 1)
        self.register_buffer("positive_weight", torch.tensor(positive_weight))

    def forward(self, features: Tensor) -> Tensor:
        logit: Tensor = self.logit(self.body(features))
        return logit.squeeze(-1)

    def loss(self, batch: dict[str, Any]) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            self(batch["features"]), batch["target"], pos_weight=self.positive_weight
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.log("bce_val", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def alarm(positive_weight: float) -> Program:
    data = examiner_fourth.events(0.02, apart=1.5)
    module = Alarm(positive_weight)
    train = DataLoader(Rows(data.x, data.y), 64, shuffle=True)
    validation = DataLoader(Rows(data.x_test, data.y_test), 500)
    return Program(module, train, validation, 8, partial(balanced_accuracy, module, data))


CASES = (
    Case(
        "examiner-constant-digits", Goal("accuracy", at_least=0.93),
        partial(constant_digits, 0.05), ("symmetric_weights",), partial(constant_digits, None),
    ),
    Case(
        "examiner-loans-in-cents-and-years", Goal("accuracy", at_least=0.87),
        partial(scoring, as_read), ("unnormalized_input",), partial(scoring, standardized),
    ),
    Case(
        "examiner-softmax-twice", Goal("accuracy", at_least=0.93),
        partial(softmax_cnn, True), ("output_loss_mismatch",), partial(softmax_cnn, False),
    ),
    Case(
        "examiner-regression-of-shares", Goal("R2", at_least=0.85),
        partial(squashed, True), ("output_loss_mismatch", "saturated_activation"),
        partial(squashed, False),
    ),
    Case(
        "examiner-two-annotators", Goal("accuracy", at_least=0.85),
        partial(two_annotators, False), ("inconsistent_labels",), partial(two_annotators, True),
    ),
    Case(
        "examiner-one-event-in-fifty", Goal("balanced accuracy", at_least=0.75),
        partial(alarm, 1.0), ("class_imbalance",), partial(alarm, 40.0),
    ),
    Case(
        "examiner-mostly-intact-bearings", Goal("balanced accuracy", at_least=0.62),
        partial(seldom_kinds, False), ("class_imbalance",), partial(seldom_kinds, True),
    ),
)  # fmt: skip
