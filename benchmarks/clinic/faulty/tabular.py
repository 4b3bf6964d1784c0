"""Tables of houses and of card payments that are trained on wrongly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, mlp, sgd
from programs import classification, regression
from scores import balanced_accuracy, r2
from torch import Tensor, nn

PRICES = Goal("R2", at_least=0.8)


def houses() -> Samples:
    return scaled_targets(standardized(surveys.houses()))


def forgotten_column(scale: bool = False) -> Program:
    """All columns are scaled but the income, which was added later."""
    data = houses()
    if not scale:
        raw = surveys.houses()
        data.x[:, 4], data.x_test[:, 4] = raw.x[:, 4], raw.x_test[:, 4]
    return regression(data, mlp([8, 64, 64, 1]), adam(1e-3))


def wrong_join(share: float = 0.85) -> Program:
    """Prices joined by a key that is unique in a few districts only."""
    data = houses()
    generator = torch.Generator().manual_seed(31)
    joined = torch.rand(len(data.y), generator=generator) < share
    rows = joined.nonzero()[:, 0]
    y = data.y.clone()
    y[rows] = data.y[rows[torch.randperm(len(rows), generator=generator)]]
    return regression(data._replace(y=y), mlp([8, 64, 64, 1]), adam(2e-3), epochs=12)


def decayed(decay: float = 1.0) -> Program:
    """A decay of 1 that was found for AdamW, given to Adam."""
    return regression(houses(), mlp([8, 64, 64, 1], nn.GELU), adam(2e-3, weight_decay=decay))


def bounded(output: Callable[[], nn.Module] = nn.Tanh) -> Program:
    """Ends with a tanh, while a tenth of the prices lies beyond."""
    network = nn.Sequential(mlp([8, 64, 64, 1]), output())
    return regression(houses(), network, adam(2e-3))


class PairOfNorms(nn.Module):
    """Batch normalization of whatever the loader brings."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(8, 64), nn.BatchNorm1d(64)
        self.fc2, self.bn2 = nn.Linear(64, 64), nn.BatchNorm1d(64)
        self.out = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.fc1(x)))
        x = F.relu(self.bn2(self.fc2(x)))
        found: Tensor = self.out(x)
        return found


def norms_of_two(batch_size: int = 2, epochs: int = 1) -> Program:
    return regression(houses(), PairOfNorms(), adam(2e-3), batch_size=batch_size, epochs=epochs)


class OwnLayer(nn.Module):
    """A dense layer written by hand."""

    def __init__(self, before: int, after: int, weight: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight(torch.empty(before, after)))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


def of_ones(x: Tensor) -> Tensor:
    return nn.init.constant_(x, 0.05)


def own_layers(weight: Callable[[Tensor], Tensor] = of_ones) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    layers = [OwnLayer(10, 64, weight), nn.ReLU(), OwnLayer(64, 64, weight), nn.ReLU()]
    network = nn.Sequential(*layers, OwnLayer(64, 1, weight))
    return regression(data, network, adam(3e-3))


def sorted_prices(shuffle: bool = False) -> Program:
    """The table was sorted by price, and nobody shuffles it."""
    data = houses()
    order = data.y.argsort()
    data = data._replace(x=data.x[order], y=data.y[order])
    program = regression(data, mlp([8, 64, 64, 1]), sgd(0.01, 0.9))
    train, _ = loaders(data, 16, shuffle=shuffle)
    return Program(program.module, train, program.validation, 15, program.score)


class Codec(LightningModule):
    """Twelve measurements of a point on a curved surface, through two numbers."""

    def __init__(self, activation: Callable[[], nn.Module] | None) -> None:
        super().__init__()
        self.encoder = mlp([12, 32, 16, 2], activation)
        self.decoder = mlp([2, 16, 32, 12], activation)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def surface() -> Samples:
    generator = torch.Generator().manual_seed(32)
    place = 2 * torch.rand(1500, 2, generator=generator) - 1
    bend = torch.randn(4, 12, generator=generator)
    u, v = place.unbind(1)
    curves = torch.stack([u, v, torch.sin(3 * u), torch.cos(3 * v) * u], 1)
    x = curves @ bend + 0.02 * torch.randn(1500, 12, generator=generator)
    return split(x, x)


def codec(activation: Callable[[], nn.Module] | None = None) -> Program:
    data = standardized(surface())
    data = data._replace(y=data.x, y_test=data.x_test)
    module = Codec(activation)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def fraud(weight: float | None = None) -> Program:
    """One payment in fifty is fraud; the loss counts each payment once."""
    data = surveys.payments()
    criterion = nn.CrossEntropyLoss(torch.tensor([1.0, weight]) if weight else None)
    return classification(
        data, mlp([12, 32, 2]), adam(2e-3), batch_size=64, epochs=5,
        criterion=criterion, score=balanced_accuracy,
    )  # fmt: skip


class Beta(LightningModule):
    """A variational auto-encoder of the houses whose weight of the prior is too large."""

    def __init__(self, beta: float, optimizer: Optimizer) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([8, 48, 12]), mlp([6, 48, 8])
        self.beta, self.optimizer = beta, optimizer

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        found: Tensor = self.decoder(mean)
        return found

    def losses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        error = F.mse_loss(self.decoder(z), x)
        prior = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return error, prior

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        error, prior = self.losses(batch[0])
        self.log_dict({"error": error, "kl": prior})
        return error + self.beta * prior

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error, prior = self.losses(batch[0])
        self.log("val_loss", error + self.beta * prior)

    def configure_optimizers(self) -> Any:
        return {"optimizer": self.optimizer(self.parameters())}


def collapsed(beta: float = 4.0) -> Program:
    data = standardized(surveys.houses())
    data = data._replace(y=data.x, y_test=data.x_test)
    module = Beta(beta, adam(3e-3))
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


CASES = (
    Case(
        "houses-one-column-raw", PRICES, forgotten_column, ("unnormalized_input",),
        partial(forgotten_column, True),
    ),
    Case(
        "houses-wrongly-joined", PRICES, wrong_join,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(wrong_join, 0.0),
    ),
    Case(
        "houses-decay-of-one", PRICES, decayed, ("over_regularized",), partial(decayed, 1e-4),
    ),
    Case(
        "houses-tanh-for-prices", PRICES, bounded,
        ("output_loss_mismatch", "saturated_activation"), partial(bounded, nn.Identity),
    ),
    Case(
        "houses-norms-of-two", PRICES, norms_of_two,
        ("train_eval_mismatch", "unstable_loss"), partial(norms_of_two, 32, 15),
    ),
    Case(
        "friedman-own-layers-of-ones", Goal("R2", at_least=0.85), own_layers,
        ("symmetric_weights", "poor_initialization"), partial(own_layers, nn.init.xavier_uniform_),
    ),
    Case(
        "houses-sorted-by-price", PRICES, sorted_prices,
        ("unstable_loss", "covariate_shift"), partial(sorted_prices, True),
    ),
    Case(
        "surface-codec-without-activations", Goal("R2", at_least=0.85), codec,
        ("linear_network",), partial(codec, nn.Tanh),
    ),
    Case(
        "payments-fraud-unweighted", Goal("balanced accuracy", at_least=0.7), fraud,
        ("class_imbalance",), partial(fraud, 30.0),
    ),
    Case(
        "houses-variational-collapse", Goal("R2", at_least=0.5), collapsed,
        ("over_regularized", "not_learning", "dormant_units"), partial(collapsed, 0.02),
    ),
)  # fmt: skip
