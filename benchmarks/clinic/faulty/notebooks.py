"""What a course's assistant finds in what students hand in: tables of loans, flats, bottles."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import studio
from data_sets.samples import Samples, loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import RegressionTask, adam, mlp, sgd
from programs import classification
from scores import balanced_accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Credit(LightningModule):
    """Whether a loan fails, as the notebooks of a competition have it."""

    def __init__(self, net: nn.Module, lr: float = 2e-3, weight: float = 1.0) -> None:
        super().__init__()
        self.net, self.lr = net, lr
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss(self(x), y.float())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.loss(logits, y.float()))
        self.log("val_acc", ((logits > 0) == (y > 0)).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def in_dollars(scaled: bool = False) -> Program:
    data = studio.loans()
    data = standardized(data) if scaled else data
    module = Credit(mlp([13, 64, 32, 1]))
    return Program(module, *loaders(data, 64), 12, partial(binary_accuracy, module, data))


def minus_one(lowest: int = -1) -> Program:
    """Labels for a margin, handed to a loss for chances."""
    data = standardized(studio.loans())
    own = data if lowest == 0 else data._replace(y=2 * data.y - 1, y_test=2 * data.y_test - 1)
    module = Credit(mlp([13, 64, 32, 1]))

    def score() -> float:
        chances = outputs(module, data.x_test)
        return F.binary_cross_entropy_with_logits(chances, data.y_test.float()).item()

    return Program(module, *loaders(own, 64), 8, score)


def few_fail(weight: float = 1.0) -> Program:
    data = standardized(studio.loans(0.03))
    module = Credit(mlp([13, 32, 1]), 2e-3, weight)
    return Program(module, *loaders(data, 64), 12, partial(balanced_accuracy, module, data))


def wide_and_long(width: int = 512, epochs: int = 40, dropout: float = 0.0) -> Program:
    """A wide net sees some hundred loans again and again."""
    data = standardized(studio.loans()).first(900)
    network = mlp([13, width, width, 2], dropout=dropout)
    return classification(
        data, network, adam(1e-3), batch_size=32, epochs=epochs, score=cross_entropy
    )


def in_pairs(batch_size: int = 2) -> Program:
    """What fits into memory, through norms of batches."""
    data = standardized(studio.loans())
    module = Credit(mlp([13, 64, 64, 1], norm=nn.BatchNorm1d), 1e-3)
    epochs = 1 if batch_size == 2 else 12
    return Program(
        module, *loaders(data, batch_size), epochs, partial(binary_accuracy, module, data)
    )


class ByDistrict(LightningModule):
    """Districts as vectors, which may be read from behind the back of autograd."""

    def __init__(self, detached: bool) -> None:
        super().__init__()
        self.detached = detached
        self.districts = nn.Embedding(160, 4)
        self.head = mlp([9, 64, 64, 1])

    def forward(self, district: Tensor, columns: Tensor) -> Tensor:
        if self.detached:
            vectors = self.districts.weight.data[district]
        else:
            vectors = self.districts(district)
        out: Tensor = self.head(torch.cat([vectors, columns], 1))
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(*batch[:2]), batch[2].log())
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.mse_loss(self(*batch[:2]), batch[2].log()))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def by_district(detached: bool = True) -> Program:
    district, columns, price, cut = studio.flats()
    module = ByDistrict(detached)
    table = (district, columns, price)
    train = TensorDataset(*(column[:cut] for column in table))
    test = TensorDataset(*(column[cut:] for column in table))

    @torch.no_grad()
    def score() -> float:
        wrong = module.eval()(district[cut:], columns[cut:]) - price[cut:].log()
        return (1 - wrong.square().mean() / price[cut:].log().var()).item()

    both = DataLoader(train, 64, shuffle=True), DataLoader(test, 256)
    return Program(module, *both, 12, score)


def log_error(prediction: Tensor, price: Tensor) -> Tensor:
    """The competition's measure, root mean squared logarithmic error."""
    return F.mse_loss(prediction.log1p(), price.log1p()).sqrt()


def prices() -> Samples:
    district, columns, price, _ = studio.flats()
    return split(torch.cat([F.one_hot(district), columns], 1), price)


def logarithmic(standard: bool = True) -> Program:
    """Standardised prices, some of which are below -1."""
    data = prices()
    mean, deviation = (data.y.mean(), data.y.std()) if standard else (0.0, 1.0)
    own = data._replace(y=(data.y - mean) / deviation, y_test=(data.y_test - mean) / deviation)
    network = nn.Sequential(mlp([data.x.shape[1], 64, 32, 1]), nn.Identity())
    if not standard:
        network[1] = nn.Softplus()
    module = RegressionTask(network, adam(3e-3), log_error)

    def score() -> float:
        return log_error(deviation * outputs(module, data.x_test) + mean, data.y_test).item()

    return Program(module, *loaders(own, 32), 8, score)


def six_layers(activation: Any = nn.Sigmoid, norm: Any = None) -> Program:
    data = prices()
    data = data._replace(y=data.y.log(), y_test=data.y_test.log())
    network = mlp([data.x.shape[1], *[32] * 6, 1], activation, norm=norm)
    module = RegressionTask(network, sgd(0.02, 0.9))
    return Program(module, *loaders(data, 64), 10, partial(r2, module, data))


CASES = (
    Case(
        "loans-in-dollars-and-months", Goal("accuracy", at_least=0.82), in_dollars,
        ("unnormalized_input", "unstable_loss"), partial(in_dollars, True),
    ),
    Case(
        "loans-minus-one-for-chances", Goal("cross-entropy", at_most=0.4), minus_one,
        ("output_loss_mismatch",), partial(minus_one, 0),
    ),
    Case(
        "loans-three-in-a-hundred-fail", Goal("balanced accuracy", at_least=0.8), few_fail,
        ("class_imbalance",), partial(few_fail, 30.0),
    ),
    Case(
        "loans-nine-hundred-by-heart", Goal("cross-entropy", at_most=0.45), wide_and_long,
        ("overfitting",), partial(wide_and_long, 64, 10, 0.2),
    ),
    Case(
        "loans-in-pairs-through-norms", Goal("accuracy", at_least=0.83), in_pairs,
        ("train_eval_mismatch",), partial(in_pairs, 64),
    ),
    Case(
        "flats-districts-read-from-data", Goal("R2", at_least=0.9), by_district,
        ("frozen_parameter",), partial(by_district, False),
    ),
    Case(
        "flats-logarithms-of-standardized-prices", Goal("RMSLE", at_most=0.3), logarithmic,
        ("non_finite",), partial(logarithmic, False),
    ),
    Case(
        "flats-six-layers-of-sigmoids", Goal("R2", at_least=0.5), six_layers,
        ("vanishing_gradient", "not_learning"), partial(six_layers, nn.ReLU, nn.BatchNorm1d),
    ),
)  # fmt: skip
