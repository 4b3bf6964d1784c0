"""What goes wrong in first competitions, with tables."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import competitions
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import RegressionTask, adam, mlp, sgd
from programs import classification, regression, two_classes
from scores import balanced_accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn


def gaps(missing: float | None = -999.0) -> Program:
    """What gradient-boosted trees are told of a missing number, told to a network."""
    data = competitions.passenger_columns(missing)
    network = mlp([data.x.shape[1], 32, 16, 2])
    return classification(data, network, sgd(0.01, 0.9), epochs=12)


def dropped_rows(aligned: bool = False) -> Program:
    """Rows with gaps are dropped from the columns, and forgotten in the answers."""
    data = competitions.passenger_columns(-999.0)
    kept, kept_test = data.x[:, 0] > -999, data.x_test[:, 0] > -999
    x = data.x[kept]
    y = data.y[kept] if aligned else data.y[: len(x)]
    data = Samples(x, y, data.x_test[kept_test], data.y_test[kept_test])
    return classification(data, mlp([x.shape[1], 32, 16, 2]), adam(2e-3), epochs=12)


def one_and_two(lowest: int = 1) -> Program:
    """The table's classes are 1 and 2, and one output says which."""
    data = competitions.passenger_columns()
    labelled = data._replace(y=data.y + lowest, y_test=data.y_test + lowest)

    def score(module: LightningModule, _: Samples) -> float:
        return binary_accuracy(module, data)

    network = mlp([data.x.shape[1], 32, 16, 1])
    return two_classes(labelled, network, adam(2e-3), epochs=10, score=score)


class Watched(RegressionTask):
    """Lowers its rate when validation gets no better, whatever better is."""

    def __init__(self, mode: Any) -> None:
        super().__init__(mlp([8, 64, 64, 1]), sgd(5e-3))
        self.mode = mode

    def configure_optimizers(self) -> Any:
        optimizer = self.optim(self.parameters())
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, self.mode, patience=0)
        schedule = {"scheduler": plateau, "monitor": "valid_loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def watched(mode: str = "max") -> Program:
    data = standardized(competitions.bikes())
    data = scaled_targets(data._replace(y=data.y.log1p(), y_test=data.y_test.log1p()))
    module = Watched(mode)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


def percentage_error(prediction: Tensor, sales: Tensor) -> Tensor:
    """The measure of the competition."""
    return ((sales - prediction) / sales).square().mean().sqrt()


def percentage_error_when_open(prediction: Tensor, sales: Tensor) -> Tensor:
    """The measure of the competition, which leaves out days without sales."""
    return percentage_error(prediction[sales > 0], sales[sales > 0])


def sales(loss: Callable[[Tensor, Tensor], Tensor] = percentage_error) -> Program:
    found = competitions.shops()
    shop, day, others = found.x[:, 0], found.x[:, 1], found.x[:, 2:].float()
    x = torch.cat([F.one_hot(shop), F.one_hot(day), others], 1)
    data = split(x, found.sales / 1000)
    network = nn.Sequential(mlp([x.shape[1], 64, 32, 1]), nn.Softplus())

    def score(module: LightningModule, data: Samples) -> float:
        return percentage_error_when_open(outputs(module, data.x_test), data.y_test).item()

    return regression(data, network, adam(2e-3), loss=loss, score=score)


def failures(inverse: bool = False) -> Program:
    """Each class weighs its share of the machines, where it should weigh the inverse of it."""
    data = standardized(competitions.machines())
    share = torch.bincount(data.y) / len(data.y)
    weight = 0.5 / share if inverse else 2 * share
    return classification(
        data, mlp([5, 32, 32, 2]), adam(2e-3), batch_size=64, epochs=6,
        criterion=nn.CrossEntropyLoss(weight), score=balanced_accuracy,
    )  # fmt: skip


class Numbered(nn.Module):
    """Columns of a table, the first of which may be a number that every row has for itself."""

    def __init__(self, rows: int, width: int, embedded: bool) -> None:
        super().__init__()
        self.number = nn.Embedding(rows, 32) if embedded else None
        self.layers = mlp([width + 32 * embedded, 64, 32, 2])

    def forward(self, x: Tensor) -> Tensor:
        columns = x[:, 1:]
        if self.number is not None:
            columns = torch.cat([self.number(x[:, 0].long()), columns], 1)
        logits: Tensor = self.layers(columns)
        return logits


def numbered(embedded: bool = True, epochs: int = 30) -> Program:
    """Every column of categories gets an embedding, the passenger's number among them."""
    data = competitions.passenger_columns()
    number = torch.arange(len(data.x) + len(data.x_test)).float()[:, None]
    cut, width = len(data.x), data.x.shape[1]
    data = data.with_inputs(
        torch.cat([number[:cut], data.x], 1), torch.cat([number[cut:], data.x_test], 1)
    )
    network = Numbered(len(number), width, embedded)
    return classification(data, network, adam(1e-3), epochs=epochs, score=cross_entropy)


PASSENGERS = Goal("accuracy", at_least=0.76)
CASES = (
    Case(
        "passengers-missing-as-minus-999", PASSENGERS, gaps,
        ("unnormalized_input", "exploding_gradient"), partial(gaps, None),
    ),
    Case(
        "passengers-dropped-from-columns-only", PASSENGERS, dropped_rows,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(dropped_rows, True),
    ),
    Case(
        "passengers-classes-one-and-two", PASSENGERS, one_and_two, ("output_loss_mismatch",),
        partial(one_and_two, 0),
    ),
    Case(
        "bikes-plateau-of-highest-loss", Goal("R2", at_least=0.75), watched,
        ("learning_rate_too_low",), partial(watched, "min"),
    ),
    Case(
        "sales-relative-error-of-closed-days", Goal("RMSPE", at_most=0.15), sales,
        ("non_finite",), partial(sales, percentage_error_when_open),
    ),
    Case(
        "machines-weighed-by-their-share", Goal("balanced accuracy", at_least=0.85), failures,
        ("class_imbalance",), partial(failures, True),
    ),
    Case(
        "passengers-number-embedded", Goal("cross-entropy", at_most=0.6), numbered,
        ("overfitting",), partial(numbered, False, 12),
    ),
)  # fmt: skip
