"""Dense classifiers that learn."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, split, standardized
from lightning.pytorch import LightningModule
from modules import ADAM, Optimizer, adam, mlp, reset, sgd
from programs import classification, two_classes
from scores import balanced_accuracy, outputs
from torch import Tensor, nn

KAIMING = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def digits(
    sizes: tuple[int, ...] = (64, 128, 10), optimizer: Optimizer = ADAM, *, batch_size: int = 32,
    epochs: int = 8, weight: Any = None, shift: float = 0.0, **network: Any,
) -> Program:  # fmt: skip
    data = samples.digits()
    data = data.with_inputs(data.x - shift, data.x_test - shift)
    layers = mlp(sizes, **network)
    if weight is not None:
        reset(layers, weight)
    return classification(data, layers, optimizer, batch_size=batch_size, epochs=epochs)


class Residual(nn.Module):
    """A normalised layer that is added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def residual() -> Program:
    blocks = [Residual(64) for _ in range(20)]
    network = nn.Sequential(nn.Linear(64, 64), *blocks, nn.LayerNorm(64), nn.Linear(64, 10))
    return classification(samples.digits(), network, epochs=6)


def self_normalizing() -> Program:
    data = standardized(samples.cancer())
    lecun = partial(nn.init.kaiming_normal_, nonlinearity="linear")
    network = reset(mlp([30, *[32] * 6, 2], nn.SELU), lecun)
    return classification(data, network, sgd(0.01, 0.9), batch_size=16)


def table(data: Samples, sizes: tuple[int, ...], epochs: int, **arguments: Any) -> Program:
    return classification(standardized(data), mlp(sizes), batch_size=8, epochs=epochs, **arguments)


def many_classes(classes: int, per_class: int, epochs: int) -> Program:
    data = samples.clusters(classes, per_class)
    return classification(data, mlp([32, 128, classes]), adam(3e-3), batch_size=64, epochs=epochs)


def sparse_inputs() -> Program:
    """Counts of words in a text, of which nearly all are 0."""
    data = samples.texts()
    x, x_test = (F.one_hot(part, 100).sum(1).float() for part in (data.x, data.x_test))
    return classification(data.with_inputs(x, x_test), mlp([100, 64, 4]), epochs=8)


def noisy_labels() -> Program:
    """A fifth of the labels is wrong; enough data and little training bear that."""
    data = samples.digits()
    generator = torch.Generator().manual_seed(3)
    wrong = torch.rand(len(data.y), generator=generator) < 0.2
    noise = torch.randint(10, (len(data.y),), generator=generator)
    data = data._replace(y=torch.where(wrong, noise, data.y))
    return classification(data, mlp([64, 64, 10], dropout=0.2), epochs=10)


def converged() -> Program:
    """Goes on from where an earlier training had ended: the loss is flat, and low."""
    data = samples.clear_circle()
    network = mlp([2, 32, 32, 1])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(400):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(data.x)[:, 0], data.y.float()).backward()
        optimizer.step()
    return two_classes(data, network, adam(1e-4))


def rare_class(epochs: int = 6) -> Program:
    """One of thirty, weighted accordingly."""
    generator = torch.Generator().manual_seed(9)
    y = (torch.rand(4000, generator=generator) < 1 / 30).long()
    x = torch.randn(4000, 6, generator=generator) + 1.2 * y[:, None]
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(29.0))
    network = mlp([6, 32, 1])
    return two_classes(split(x, y), network, epochs=epochs, loss_fn=loss, score=balanced_accuracy)


class MultiLabel(LightningModule):
    """Which of eight properties has a number? Several at once, batches of dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.GELU())
        self.heads = nn.ModuleList(nn.Linear(64, 1) for _ in range(8))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.trunk(x)
        return torch.cat([head(hidden) for head in self.heads], dim=1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["x"])
        loss = F.binary_cross_entropy_with_logits(logits, batch["tags"])
        self.log_dict({"bce": loss, "positive": (logits > 0).float().mean()})
        return {"loss": loss, "logits": logits.detach()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def multi_label() -> Program:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1600, 20, generator=generator)
    tags = (x @ torch.randn(20, 8, generator=generator) > 1).float()
    rows = [{"x": a, "tags": b} for a, b in zip(x[:1200], tags[:1200], strict=True)]
    train = torch.utils.data.DataLoader(rows, batch_size=32, shuffle=True)  # type: ignore[arg-type]
    module = MultiLabel()

    def score() -> float:
        return ((outputs(module, x[1200:]) > 0) == tags[1200:].bool()).float().mean().item()

    return Program(module, train, None, 8, score)


DIGITS = Goal("accuracy", at_least=0.92)
TABLE = Goal("accuracy", at_least=0.92)
CASES = (
    Case("digits-plain", DIGITS, digits, fast=True),
    Case(
        "digits-tiny-batches", Goal("accuracy", at_least=0.9),
        partial(digits, optimizer=sgd(0.01), batch_size=2, epochs=3),
    ),
    Case(
        "digits-full-batch", DIGITS,
        partial(digits, optimizer=adam(3e-3), batch_size=2000, epochs=200),
    ),
    Case(
        "digits-deep-relu", DIGITS,
        partial(digits, (64, *[96] * 8, 10), weight=KAIMING, batch_size=32, epochs=8),
    ),
    Case("digits-residual", DIGITS, residual),
    Case(
        "digits-batch-norm", DIGITS,
        partial(digits, (64, 96, 96, 96, 10), sgd(0.05, 0.9), norm=nn.BatchNorm1d),
    ),
    Case("digits-layer-norm", DIGITS, partial(digits, (64, 96, 96, 10), norm=nn.LayerNorm)),
    Case("digits-half-dropout", DIGITS, partial(digits, (64, 256, 256, 10), dropout=0.5)),
    Case("digits-wide", DIGITS, partial(digits, (64, 1024, 10), epochs=6)),
    Case("digits-gelu", DIGITS, partial(digits, (64, 128, 64, 10), activation=nn.GELU)),
    Case("digits-silu", DIGITS, partial(digits, (64, 128, 64, 10), activation=nn.SiLU)),
    Case("digits-elu", DIGITS, partial(digits, (64, 128, 64, 10), activation=nn.ELU)),
    Case("digits-leaky", DIGITS, partial(digits, (64, 128, 64, 10), activation=nn.LeakyReLU)),
    Case(
        "digits-one-sigmoid-layer", DIGITS,
        partial(digits, optimizer=adam(0.01), activation=nn.Sigmoid),
    ),
    Case("digits-centred", DIGITS, partial(digits, shift=0.3)),
    Case("digits-linear-model", DIGITS, partial(digits, (64, 10), adam(0.01), epochs=10)),
    Case("cancer-self-normalizing", TABLE, self_normalizing),
    Case("wine-z-scored", TABLE, partial(table, samples.wine(), (13, 32, 3), 15), fast=True),
    Case(
        "iris-z-scored", Goal("accuracy", at_least=0.88),
        partial(table, samples.iris(), (4, 16, 3), 30),
    ),
    Case("cancer-z-scored", TABLE, partial(table, samples.cancer(), (30, 16, 2), 6)),
    Case("clusters-of-two", TABLE, partial(many_classes, 2, 600, 12)),
    Case("clusters-of-hundred", TABLE, partial(many_classes, 100, 25, 10)),
    Case("clusters-of-thousand", TABLE, partial(many_classes, 1000, 8, 8)),
    Case("word-counts", Goal("accuracy", at_least=0.85), sparse_inputs),
    Case("digits-noisy-labels", Goal("accuracy", at_least=0.88), noisy_labels),
    Case("circle-converged-before", Goal("accuracy", at_least=0.97), converged, fast=True),
    Case("clouds-weighted-classes", Goal("balanced accuracy", at_least=0.82), rare_class),
    Case("tags-many-at-once", Goal("accuracy", at_least=0.88), multi_label),
)  # fmt: skip
