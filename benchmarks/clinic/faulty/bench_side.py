"""What goes wrong beside the instruments: wrong units, empty batches, forgotten parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.bench import Patients, concordance, light_curves, patients, spectra
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from healthy.bench_side import SpectraMLP, atoms, segmentation, transits
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, reset
from programs import regression, two_classes
from scores import balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class CoxNet(LightningModule):
    """Partial likelihood of Cox within each batch, a mean over those who died."""

    def __init__(self, least: float) -> None:
        super().__init__()
        self.risk, self.least = mlp([8, 32, 16, 1], nn.ReLU), least

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, interval, died = batch
        order = interval.argsort(descending=True)
        risk, died = self.risk(x[order]).squeeze(1), died[order]
        ahead = risk - risk.logcumsumexp(0)
        loss = -(ahead * died).sum() / died.sum().clamp(min=self.least)
        self.log("cox_nll", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def cox(least: float) -> Program:
    known, module = patients(base=2.6), CoxNet(least)
    test = Patients(*(p[:1200] for p in known))

    @torch.no_grad()
    def score() -> float:
        return concordance(module.eval().risk(test.x).squeeze(1), test)

    train = DataLoader(TensorDataset(*(p[1200:] for p in known)), 16, shuffle=True, drop_last=True)
    return Program(module, train, None, 6, score)


def trials(count: int, seed: int = 221) -> Samples:
    """Eight electrodes for half a second; is there an alpha rhythm on two of them?"""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (count + 600,), generator=draw)
    u, time = torch.rand(2, count + 600, 1, 1, generator=draw), torch.linspace(0, 1, 64)
    rhythm = torch.sin(6.3 * (u[0] + (4 + 2 * u[1]) * time))
    there = torch.tensor([0, 0, 1.0, 0, 0, 0.8, 0, 0])[:, None] * y[:, None, None]
    x = 0.7 * there * rhythm + torch.randn(count + 600, 8, 64, generator=draw)
    return Samples(x[600:], y[600:], x[:600], y[:600])


def electrodes(count: int, epochs: int) -> Program:
    network = nn.Sequential(
        nn.Conv1d(8, 32, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 2),
    )  # fmt: skip
    module, data = LitClassifier(network, adam(1e-3)), trials(count)
    trainer = {"log_every_n_steps": 5}
    score = partial(cross_entropy, module, data)
    return Program(module, *loaders(data, 16), epochs, score, trainer)


def searching(weight: float) -> Program:
    found = light_curves(5000, share=0.03, noise=1.0)
    data = found._replace(y=found.y[:, 0].long(), y_test=found.y_test[:, 0].long())
    network = nn.Sequential(
        nn.Conv1d(1, 8, 9, 2, 4), nn.ReLU(), nn.Conv1d(8, 16, 5, 2, 2), nn.ReLU(),
        nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(64, 1),
    )  # fmt: skip
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
    return two_classes(
        data, network, adam(1e-3), batch_size=64, epochs=8, loss_fn=loss, score=balanced_accuracy
    )


def porosities(unit: float) -> Program:
    """The share of pores in a core of rock, of what a scanner says; in percent or not."""
    draw = torch.Generator().manual_seed(222)
    x = torch.randn(2000, 9, generator=draw)
    share = torch.sigmoid(x[:, 0] + 0.7 * x[:, 1] * x[:, 2].sign() - 1.2)
    data = split(x, unit * (share + 0.01 * torch.randn(2000, generator=draw)))
    network = nn.Sequential(*mlp([9, 40, 40, 1], nn.ReLU), nn.Sigmoid())
    return regression(data, network, adam(2e-3), epochs=10)


def orbits(prepare: bool) -> Program:
    """Ions in a magnet: kilograms, coulombs, metres a second, teslas; how wide is the circle?"""
    draw = torch.Generator().manual_seed(223)
    u = torch.rand(4, 2400, generator=draw)
    mass, charge = 1.66e-27 * (1 + 39 * u[0]).round(), 1.6e-19 * (1 + 3 * u[1]).round()
    speed, field = 1e5 * 10 ** (1.5 * u[2]), 0.2 + 1.5 * u[3]
    radius = mass / charge * speed / field
    data = scaled_targets(split(torch.stack([mass, charge, speed, field], 1), radius.log()))
    if prepare:
        data = standardized(data.with_inputs(data.x.log(), data.x_test.log()))
    return regression(data, mlp([4, 64, 64, 1], nn.ReLU), adam(1e-3), epochs=10)


class SparseResponse(LightningModule):
    """A drug's effect by eighty genes, of which few matter: hence a lasso."""

    def __init__(self, lam: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = mlp([80, 32, 16, 1], nn.LeakyReLU)

    def forward(self, genes: Tensor) -> Tensor:
        return self.layers(genes).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mse = F.mse_loss(self(batch[0]), batch[1])
        lasso = sum(p.abs().sum() for name, p in self.named_parameters() if "weight" in name)
        self.log_dict({"train/mse": mse, "train/l1": lasso})
        return mse + self.hparams["lam"] * lasso

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def lasso(lam: float) -> Program:
    draw = torch.Generator().manual_seed(224)
    x = torch.randn(2500, 80, generator=draw)
    y = x[:, 0] + 0.8 * x[:, 1] - 0.7 * x[:, 2].abs() + 0.6 * x[:, 3]
    data = scaled_targets(split(x, y + 0.3 * torch.randn(2500, generator=draw)))
    module = SparseResponse(lam)
    return Program(module, *loaders(data, 25), 8, partial(r2, module, data))


class Clearance(LightningModule):
    """How fast a drug leaves the blood, one rate for all, and how much of it each one takes up."""

    def __init__(self, chosen: Callable[["Clearance"], Any]) -> None:
        super().__init__()
        self.uptake, self.rate = mlp([5, 24, 24, 1], nn.Tanh), nn.Parameter(torch.tensor(0.1))
        self.chosen = chosen

    def forward(self, who: Tensor, hours: Tensor) -> Tensor:
        return F.softplus(self.uptake(who)).squeeze(1) * torch.exp(-self.rate * hours)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        who, hours, level = batch
        loss = F.mse_loss(self(who, hours), level)
        self.log_dict({"mse": loss, "rate": self.rate.detach()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.chosen(self), lr=5e-3)


def clearance(chosen: Callable[[Clearance], Any]) -> Program:
    draw = torch.Generator().manual_seed(225)
    who, hours = torch.randn(1500, 5, generator=draw), 3 * torch.rand(1500, generator=draw)
    level = torch.exp(0.5 * who[:, 0] - 0.3 * who[:, 1] * who[:, 2]) * torch.exp(-0.8 * hours)
    level = level + 0.05 * torch.randn(1500, generator=draw)
    module = Clearance(chosen)
    train = DataLoader(TensorDataset(who, hours, level), 30, shuffle=True)
    return Program(module, train, None, 8, lambda: abs(module.rate.item() / 0.8 - 1))


def other_masks() -> Program:
    """The files of the masks were listed in another order than the pictures'."""
    return segmentation(order=torch.randperm(400, generator=torch.Generator().manual_seed(226)))


def tiny_batches(norm: Callable[[int], nn.Module]) -> Program:
    data = spectra()
    module = SpectraMLP(mlp([120, 48, 48, 2], nn.ReLU, norm=norm))
    return Program(module, *loaders(data, 2), 1, partial(r2, module, data))


def evenly(weight: float | None) -> Program:
    """All weights the same, so that the runs can be compared; or as torch draws them."""
    network = mlp([120, 64, 64, 2], nn.ReLU)
    if weight is not None:
        reset(network, partial(nn.init.constant_, val=weight))
    module = SpectraMLP(network)
    trainer = {"precision": "bf16-mixed"}
    return Program(module, *loaders(spectra(), 32), 8, partial(r2, module, spectra()), trainer)


CASES = (
    Case(
        "patients-batches-in-which-nobody-dies", Goal("concordance", at_least=0.7),
        lambda: cox(0.0), ("non_finite",), lambda: cox(1.0),
    ),
    Case(
        "transits-rmsprop-of-a-tenth", Goal("R2", at_least=0.7), lambda: transits(0.1),
        ("learning_rate_too_high", "dead_relu", "unstable_loss"), lambda: transits(1e-3),
    ),
    Case(
        "nuclei-rate-of-five-millionths", Goal("Dice", at_least=0.8),
        lambda: segmentation(5e-6), ("learning_rate_too_low",), segmentation,
    ),
    Case(
        "electrodes-few-trials-by-heart", Goal("cross-entropy", at_most=0.45),
        lambda: electrodes(200, 40), ("overfitting",), lambda: electrodes(2000, 3),
    ),
    Case(
        "stars-few-have-a-planet", Goal("balanced accuracy", at_least=0.75),
        lambda: searching(1.0), ("class_imbalance",), lambda: searching(30.0),
    ),
    Case(
        "porosities-in-percent-behind-sigmoid", Goal("R2", at_least=0.85),
        lambda: porosities(100.0), ("output_loss_mismatch", "saturated_activation"),
        lambda: porosities(1.0),
    ),
    Case(
        "ions-in-units-of-the-si", Goal("R2", at_least=0.9), lambda: orbits(False),
        ("unnormalized_input",), lambda: orbits(True),
    ),
    Case(
        "genes-lasso-too-strong", Goal("R2", at_least=0.8), lambda: lasso(0.1),
        ("over_regularized",), lambda: lasso(1e-4),
    ),
    Case(
        "clearance-rate-never-optimized", Goal("relative error", at_most=0.1),
        lambda: clearance(lambda m: m.uptake.parameters()), ("frozen_parameter",),
        lambda: clearance(lambda m: m.parameters()),
    ),
    Case(
        "nuclei-masks-listed-in-another-order", Goal("Dice", at_least=0.8), other_masks,
        ("inconsistent_labels", "not_learning"), segmentation,
    ),
    Case(
        "atoms-bonds-without-activations", Goal("R2", at_least=0.98), lambda: atoms(None),
        ("linear_network",), atoms,
    ),
    Case(
        "spectra-weights-of-one-fiftieth", Goal("R2", at_least=0.9), lambda: evenly(0.02),
        ("symmetric_weights", "poor_initialization"), lambda: evenly(None),
    ),
    Case(
        "spectra-two-to-a-batch-normed", Goal("R2", at_least=0.9),
        lambda: tiny_batches(nn.BatchNorm1d), ("train_eval_mismatch",),
        lambda: tiny_batches(nn.LayerNorm),
    ),
)  # fmt: skip
