"""One slip each in recommenders, studies of patients, and networks of sets and molecules."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders
from healthy.variety_tables import Factors, followed, satisfaction, viewings
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class HalfOptimized(Factors):
    """The films' table was added later, and the optimizer's list was forgotten."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        named = [self.P, self.bu, self.bi]
        return torch.optim.Adam([p for table in named for p in table.parameters()], lr=5e-3)


class SummedRidge(Factors):
    """The penalty is summed over the batch, the error averaged."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        u, i = batch[0].unbind(1)
        mse = F.mse_loss(self(batch[0]), batch[1])
        ridge = self.P(u).square().sum() + self.Q(i).square().sum()
        self.log("train_rmse", mse.sqrt())
        return mse + 0.02 * ridge


def recommended(kind: type[Factors]) -> Program:
    pair, stars = viewings()
    module = kind(stars[:11_000].mean().item())
    train = TensorDataset(pair[:11_000], stars[:11_000])
    test = TensorDataset(pair[11_000:], stars[11_000:])

    def score() -> float:
        return F.mse_loss(outputs(module, pair[11_000:]), stars[11_000:]).sqrt().item()

    batches = DataLoader(train, 128, shuffle=True)
    return Program(module, batches, DataLoader(test, 1000), 25, score)


class Widths(LightningModule):
    """Points of a cloud, each through the same layers, then all: how wide is it?"""

    def __init__(self, activation: Any, depth: int) -> None:
        super().__init__()
        self.each = mlp([2, *[48] * depth], activation)
        self.all = mlp([*[48] * depth, 1], activation)

    def forward(self, points: Tensor) -> Tensor:
        width: Tensor = self.all(self.each(points).mean(1))
        return width[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def clouds(count: int = 2400) -> Samples:
    g = torch.Generator().manual_seed(21)
    width = 0.3 + 1.2 * torch.rand(count, generator=g)
    points = width[:, None, None] * torch.randn(count, 30, 2, generator=g)
    return Samples(points[:1600], width[:1600], points[1600:], width[1600:])


def widths(activation: Any = None, depth: int = 3) -> Program:
    data = clouds()
    module = Widths(activation, depth)
    return Program(module, *loaders(data, 32), 20, lambda: r2(module, data))


class Bonds(LightningModule):
    """Charges of atoms on a graph: two rounds of messages, and a sum over the molecule."""

    def __init__(self, lr: float, positive: bool) -> None:
        super().__init__()
        self.lr, self.positive = lr, positive
        self.embed = nn.Embedding(5, 32)
        self.rounds = nn.ModuleList(nn.Linear(64, 32) for _ in range(2))
        self.readout = mlp([32, 32, 1])

    def forward(self, x: Tensor) -> Tensor:
        kinds, bonds = x[..., 0].long(), x[..., 1:]
        h = self.embed(kinds)
        for layer in self.rounds:
            h = h + F.relu(layer(torch.cat([h, bonds @ h], -1)))
        energy: Tensor = self.readout(h).mean((1, 2))
        return F.relu(energy) if self.positive else energy

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def labelled_molecules(count: int = 2000, atoms: int = 10) -> tuple[Tensor, Tensor]:
    """Kind of each atom and whom it is bound to; the energy hangs on both ends of each bond."""
    g = torch.Generator().manual_seed(22)
    kinds = torch.randint(5, (count, atoms), generator=g)
    bonds = (torch.rand(count, atoms, atoms, generator=g) < 0.2).triu(1).float()
    bonds = bonds + bonds.mT
    hold = torch.randn(5, 5, generator=g)
    energy = (bonds * (hold + hold.T)[kinds[:, :, None], kinds[:, None]]).sum((1, 2))
    x = torch.cat([kinds[..., None].float(), bonds], 2)
    return x, (energy - energy.mean()) / energy.std()


def molecules_by_name(
    *, as_text: bool = False, lr: float = 2e-3, positive: bool = False
) -> Program:
    """Files in the order that the folder lists them, energies in the order of a table."""
    x, energy = labelled_molecules()
    if as_text:
        x = x[torch.tensor(sorted(range(len(x)), key=str))]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    a, b = order[:1600], order[1600:]
    data = Samples(x[a], energy[a], x[b], energy[b])
    module = Bonds(lr, positive)
    return Program(module, *loaders(data, 32), 30, lambda: r2(module, data))


class Opinions(LightningModule):
    """Five ordered grades from a pilot study of few people."""

    def __init__(self, sizes: list[int], dropout: float, decay: float) -> None:
        super().__init__()
        self.net, self.decay = mlp(sizes, dropout=dropout), decay

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        passed = (batch[1][:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(batch[0]), passed)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def pilot(
    sizes: tuple[int, ...] = (12, 256, 256, 4), epochs: int = 120, dropout: float = 0.0,
    decay: float = 0.0,
) -> Program:  # fmt: skip
    data = satisfaction(240)
    module = Opinions(list(sizes), dropout, decay)

    @torch.no_grad()
    def score() -> float:
        return module.eval().loss([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 16), epochs, score)


class Hazards(LightningModule):
    """Cox's likelihood as it is written in the book."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = mlp([8, 48, 24, 1])

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.risk(x)
        return risk[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, months, event = batch
        order = months.argsort(descending=True)
        risk, event = self(x)[order], event[order]
        at_risk = risk.exp().cumsum(0).log()
        loss = ((at_risk - risk) * event).sum() / event.sum()
        self.log("partial_likelihood", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def hazards(*, raw: bool = True) -> Program:
    """Days of age, grams and counts of cells, which exceed what an exponential can take."""
    train, test = followed(2500, 0), followed(800, 1)
    units = torch.tensor([4000.0, 300.0, 900.0, 20.0, 1500.0, 5.0, 60.0, 700.0])
    if raw:
        level = torch.tensor([20_000.0, 1200.0, 5000.0, 80.0, 7000.0, 25.0, 300.0, 3500.0])
        train = train._replace(x=level + units * train.x)
        test = test._replace(x=level + units * test.x)
    module = Hazards()

    def score() -> float:
        risk = outputs(module, test.x)
        sooner = (test.months[:, None] < test.months) & (test.event[:, None] > 0)
        return (risk[:, None] > risk)[sooner].float().mean().item()

    return Program(module, DataLoader(TensorDataset(*train), 128, shuffle=True), None, 25, score)


CASES = (
    Case(
        "films-table-left-out-of-the-list", Goal("RMSE", at_most=0.4),
        partial(recommended, HalfOptimized), ("frozen_parameter",), partial(recommended, Factors),
    ),
    Case(
        "films-penalty-of-a-whole-batch", Goal("RMSE", at_most=0.4),
        partial(recommended, SummedRidge), ("over_regularized",), partial(recommended, Factors),
    ),
    Case(
        "widths-of-clouds-without-bends", Goal("R2", at_least=0.8), widths,
        ("linear_network", "not_learning"), partial(widths, nn.ReLU),
    ),
    Case(
        "widths-of-clouds-through-ten-sigmoids", Goal("R2", at_least=0.8),
        partial(widths, nn.Sigmoid, 6), ("vanishing_gradient", "not_learning"),
        partial(widths, nn.ReLU, 6),
    ),
    Case(
        "molecules-files-sorted-by-their-text", Goal("R2", at_least=0.8),
        partial(molecules_by_name, as_text=True),
        ("inconsistent_labels", "not_learning", "overfitting"), molecules_by_name,
    ),
    Case(
        "molecules-adam-at-one-half", Goal("R2", at_least=0.9),
        partial(molecules_by_name, lr=0.5), ("learning_rate_too_high", "unstable_loss"),
        molecules_by_name,
    ),
    Case(
        "molecules-standardized-yet-never-negative", Goal("R2", at_least=0.9),
        partial(molecules_by_name, positive=True), ("output_loss_mismatch", "dead_relu"),
        molecules_by_name,
    ),
    Case(
        "grades-of-a-pilot-until-known-by-heart", Goal("loss", at_most=0.35), pilot,
        ("overfitting",), partial(pilot, (12, 32, 4), 40, 0.2, 1e-1),
    ),
    Case(
        "hazards-as-written-of-raw-bloods", Goal("concordance", at_least=0.8), hazards,
        ("non_finite", "unnormalized_input"), partial(hazards, raw=False),
    ),
)  # fmt: skip
