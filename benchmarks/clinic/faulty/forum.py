"""Programs as they were posted, with the question why they do not learn."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forum
from data_sets.samples import circle, digits, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import regression, two_classes
from scores import balanced_accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MyModel(LightningModule):
    """``loss decreases but accuracy stays at 50 %``."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(2, 64)
        self.layer_2 = nn.Linear(64, 64)
        self.layer_out = nn.Linear(64, 1)
        self.relu = nn.ReLU()
        self.last = last
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.relu(self.layer_1(inputs))
        x = self.relu(self.layer_2(x))
        found: Tensor = self.last(self.layer_out(x))
        return found

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        X_batch, y_batch = batch
        loss: Tensor = self.criterion(self(X_batch), y_batch.float().unsqueeze(1))
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.001)


def rectified(last: nn.Module) -> Program:
    data = circle()
    module = MyModel(last)
    train, _ = loaders(data, 20)
    return Program(module, train, None, 20, partial(binary_accuracy, module, data))


def linear_regression(scaled: bool) -> Program:
    """``Loss is nan after a few iterations``: square feet and years as they are."""
    data = standardized(forum.areas()) if scaled else forum.areas()
    return regression(data, nn.Linear(3, 1), sgd(0.01), batch_size=16, epochs=10)


class Rounded(nn.Module):
    """Probabilities made decisions."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.round(torch.sigmoid(x))


def rounded(last: nn.Module) -> Program:
    """``My labels are 0 and 1, so I round the output``; mean squared error."""
    data = forum.quadrants()
    data = data._replace(y=data.y.float(), y_test=data.y_test.float())
    network = nn.Sequential(mlp([2, 32, 32, 1]), last)
    return regression(data, network, adam(1e-2), batch_size=32, epochs=10)


class Customers(LightningModule):
    """``97 % accuracy, but it predicts 0 for everyone``."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32),
            nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1),
        )  # fmt: skip
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.fc(x)
        return logit.squeeze(1)

    def step(self, batch: Any, name: str) -> Tensor:
        logit = self(batch[0])
        loss: Tensor = self.loss(logit, batch[1].float())
        right = ((logit > 0) == batch[1]).float().mean()
        self.log_dict({f"{name}_loss": loss, f"{name}_acc": right}, on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def customers(weight: float) -> Program:
    data = forum.defaults()
    module = Customers(weight)
    return Program(module, *loaders(data, 64), 8, partial(balanced_accuracy, module, data))


def exclusive_or(constant: float | None) -> Program:
    """``Initialised to 0.5 so that it is the same each time``."""
    network = mlp([2, 24, 24, 1], nn.Tanh)
    if constant is not None:
        reset(network, partial(nn.init.constant_, val=constant))
    return two_classes(forum.quadrants(), network, adam(5e-3), epochs=12)


class Triplets(LightningModule):
    """``TripletMarginLoss is stuck at the margin``."""

    def __init__(self, exchanged: bool) -> None:
        super().__init__()
        self.exchanged = exchanged
        self.embed = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.criterion = nn.TripletMarginLoss(margin=1.0)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.embed(x)
        return found

    def loss(self, batch: list[Tensor]) -> Tensor:
        anchor, positive, negative = map(self, batch)
        if self.exchanged:
            positive, negative = negative, positive
        found: Tensor = self.criterion(anchor, positive, negative)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("triplet", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_triplet", self.loss(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def triplets(exchanged: bool) -> Program:
    module = Triplets(exchanged)
    train = TensorDataset(*forum.triplets(digits(), 3000, 1))
    unseen = forum.triplets(digits(), 1000, 2, test=True)

    def score() -> float:
        anchor, positive, negative = (outputs(module, x) for x in unseen)
        near, far = (F.pairwise_distance(anchor, x) for x in (positive, negative))
        return (near < far).float().mean().item()

    validation = DataLoader(TensorDataset(*unseen), 250)
    return Program(module, DataLoader(train, 32, shuffle=True), validation, 8, score)


class ToFit(LightningModule):
    """``Adding layers does not help``: three of them, and nothing in between."""

    def __init__(self, between: type[nn.Module]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(1, 50), nn.Linear(50, 50), nn.Linear(50, 1)
        self.between = between()

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self.fc1(x))
        x = self.between(self.fc2(x))
        found: Tensor = self.fc3(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1][:, None])
        self.log("MSE", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def to_fit(between: type[nn.Module]) -> Program:
    data = forum.curve()
    module = ToFit(between)
    train = DataLoader(TensorDataset(data.x, data.y), 32, shuffle=True)
    return Program(module, train, None, 15, partial(r2, module, data))


CASES = (
    Case(
        "question-rectified-logit", Goal("accuracy", at_least=0.8), partial(rectified, nn.ReLU()),
        ("output_loss_mismatch",), partial(rectified, nn.Identity()),
    ),
    Case(
        "question-nan-of-square-feet", Goal("R2", at_least=0.8), partial(linear_regression, False),
        ("unnormalized_input", "non_finite", "exploding_gradient", "learning_rate_too_high"),
        partial(linear_regression, True),
    ),
    Case(
        "question-rounded-outputs", Goal("R2", at_least=0.7), partial(rounded, Rounded()),
        ("frozen_parameter", "vanishing_gradient", "output_loss_mismatch", "not_learning"),
        partial(rounded, nn.Sigmoid()),
    ),
    Case(
        "question-nobody-defaults", Goal("balanced accuracy", at_least=0.7),
        partial(customers, 1.0), ("class_imbalance",), partial(customers, 25.0),
    ),
    Case(
        "question-exclusive-or-of-halves", Goal("accuracy", at_least=0.9),
        partial(exclusive_or, 0.5), ("symmetric_weights", "poor_initialization"),
        partial(exclusive_or, None),
    ),
    Case(
        "question-triplets-exchanged", Goal("triplets in order", at_least=0.95),
        partial(triplets, True), ("inconsistent_labels", "not_learning"), partial(triplets, False),
    ),
    Case(
        "question-layers-do-not-help", Goal("R2", at_least=0.9), partial(to_fit, nn.Identity),
        ("linear_network",), partial(to_fit, nn.ReLU),
    ),
)  # fmt: skip
