"""Validation that logs a mean error instead of its loss."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.error_units import ErrorUnits, error_units
from torchvitals.callbacks.diagnosing.metric_names import error_in
from torchvitals.callbacks.diagnosing.vital_signs.signs import Objective
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals

SQUARES = ErrorUnits(scale=2.0, power=2.0, shape=2.0, variance=50.0)
DISTANCES = ErrorUnits(scale=1.0, power=1.0, shape=2.0)
HUBER = ErrorUnits(scale=3.0, power=1.5, shape=2.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("val_mae", "absolute"),
        ("MAE/valid", "absolute"),
        ("valMAE", "absolute"),
        ("val/MeanAbsoluteError", "absolute"),
        ("val_mean_absolute_error", "absolute"),
        ("val_rmse_epoch", "root"),
        ("RMSE", "root"),
        ("dev_root_mean_squared_error", "root"),
        ("val_mean_squared_error", "squared"),
        ("val_r2", "determination"),
        ("val/R2Score", "determination"),
        # Read as losses, parts of them, in units of their own, or something else.
        ("val_mse", ""),
        ("val_mae_loss", ""),
        ("val_energy_mae", ""),
        ("val_mae_usd", ""),
        ("val_mape", ""),
        ("val_error", ""),
    ],
)
def test_names_of_errors(name, kind):
    assert error_in(name) == kind


@pytest.mark.parametrize(
    ("units", "name", "error", "loss"),
    [
        (SQUARES, "val_rmse", 3.0, 9.0),
        (SQUARES, "val_mean_squared_error", 9.0, 9.0),
        (SQUARES, "val_mae", 3.0, 18.0),
        (DISTANCES, "val_mae", 3.0, 3.0),
        (DISTANCES, "val_rmse", 3.0, 3 / math.sqrt(2)),
        (DISTANCES, "val_mean_squared_error", 18.0, 3.0),
        (HUBER, "val_mae", 4.0, 24.0),
        (HUBER, "val_rmse", 4.0 * math.sqrt(2), 24.0),
        (SQUARES, "val_r2", 0.9, 5.0),
        (SQUARES, "val_r2", -1.0, 100.0),
        (replace(SQUARES, variance=0.5), "val_r2", 0.9, 0.05),
        (replace(SQUARES, variance=0.0), "val_r2", 0.9, None),  # targets that are all the same
        (HUBER, "val_r2", 0.9, None),  # of an unknown variance
        (SQUARES, "val_r2", 90.0, None),  # percent
        (SQUARES, "val_mean_squared_error", -9.0, None),  # as scikit-learn's scorers have it
        (HUBER, "val_mae", -4.0, None),
        (SQUARES, "val_score", 3.0, None),
    ],
)
def test_the_loss_at_an_error(units, name, error, loss):
    assert units.loss_at(name, error) == (loss if loss is None else pytest.approx(loss))


def test_the_shape_of_errors_is_the_usual_one():
    signs = Vitals(
        objective=Objective("regression", "squared", target_variance=9.0),
        data_losses=[18.0, 8.0, 0.0, 1.0],
        absolute_errors=[3.0, 2.0, 0.0, 0.1], squared_errors=[18.0, 8.0, 0.0, 1.0],
    )  # fmt: skip
    assert error_units(signs) == ErrorUnits(2.0, 2.0, 2.0, 9.0)
    signs.objective.kind, signs.data_losses = "absolute", signs.absolute_errors
    assert error_units(signs) == ErrorUnits(1.0, 1.0, 2.0, 9.0)
    for kind in ("huber", "cross_entropy", None):  # too few batches to tell, or no regression
        signs.objective.kind = kind
        assert error_units(signs) is None
    assert error_units(Vitals(objective=Objective("regression", "squared"))) is None


@pytest.mark.parametrize(("size", "power"), [(0.01, 2.0), (1_000.0, 1.0)])
def test_the_power_of_a_huber_loss_is_between_those_of_the_others(size, power):
    torch.manual_seed(0)
    batches = [size * 0.8**i * torch.randn(500) for i in range(12)]
    none = torch.zeros(500)
    signs = Vitals(
        objective=Objective("regression", "huber"),
        data_losses=[float(F.huber_loss(errors, none)) for errors in batches],
        absolute_errors=[float(errors.abs().mean()) for errors in batches],
        squared_errors=[float(errors.square().mean()) for errors in batches],
    )
    units = error_units(signs)
    assert units.power == pytest.approx(power, abs=0.01)
    last = signs.absolute_errors[-1]
    assert units.loss_at("val_mae", last) == pytest.approx(signs.data_losses[-1], rel=0.1)
    alike = replace(signs, **{name: curve[:1] * 12 for name, curve in (
        ("data_losses", signs.data_losses), ("absolute_errors", signs.absolute_errors),
        ("squared_errors", signs.squared_errors),
    )})  # fmt: skip
    assert error_units(alike) is None


class Memory(LightningModule):
    """Learns thirty numbers by heart, which say nothing of others."""

    def __init__(self, name, error, loss):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 1))
        self.name, self.error, self.loss, self.seen = name, error, loss, []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss(self.network(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        prediction = self.network(x)
        self.log(self.name, self.error(prediction, y))
        self.seen.append(float(self.loss(prediction, y)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def determination(prediction, target):
    return 1 - F.mse_loss(prediction, target) / target.var(correction=0)


def root(prediction, target):
    return F.mse_loss(prediction, target).sqrt()


@pytest.mark.parametrize(
    ("name", "error", "loss", "tolerance"),
    [
        ("val_rmse", root, F.mse_loss, 1e-4),
        ("val_r2", determination, F.mse_loss, 0.5),
        ("val_mae", F.l1_loss, F.l1_loss, 1e-4),
        ("val_mae", F.l1_loss, F.mse_loss, 0.35),
        ("val_mae", F.l1_loss, F.smooth_l1_loss, 0.5),
    ],
)
def test_overfitting_shows_by_an_error(name, error, loss, tolerance):
    torch.manual_seed(0)
    x = torch.randn(60, 20)
    y = x[:, :1] + torch.randn(60, 1)
    doctor, module = TrainingDoctor(verbose=False), Memory(name, error, loss)
    loaders = [DataLoader(TensorDataset(x[i], y[i]), 10) for i in (slice(30), slice(30, 60))]
    loaders[1] = DataLoader(loaders[1].dataset, 30)
    quiet_trainer(max_epochs=150, callbacks=[doctor]).fit(module, *loaders)
    known = doctor._validation.losses
    assert known == pytest.approx(module.seen[-len(known) :], rel=tolerance)
    (overfitting,) = (d for d in doctor.diagnoses if d.problem.value == "overfitting")
    assert overfitting.severity == "warning"
    assert f"The validation loss is estimated from {name}." in overfitting.evidence
