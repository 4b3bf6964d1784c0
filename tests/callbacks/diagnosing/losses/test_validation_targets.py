"""Validation's targets are found in its batches, and are measured around training's means."""

import math
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from helpers.vital_signs import found, vitals
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.losses.validation_targets import ValidationTargets
from torchvitals.callbacks.diagnosing.vital_signs.signs import Objective

X, Y = torch.randn(40, 5), torch.randn(40, 3)


@dataclass
class Pair:
    inputs: Tensor
    wanted: Tensor


BATCHES = {
    "tuple": lambda x, y: (x, y),
    "mapping": lambda x, y: {"y": y, "x": x},
    "dataclass": Pair,
    "nested": lambda x, y: [x, {"labels": (y, torch.zeros(7))}],
}
TARGETS = {
    "itself": lambda y: y,
    "a view": lambda y: y.reshape(-1, 1),
    "another type": lambda y: y.double(),
}


def read(batch, target, *batches, loaders=1):
    targets = ValidationTargets()
    targets.find(target, batch)
    targets.begin(loaders)
    for each in batches:
        targets.add(each)
    targets.take([targets.news()])
    return targets


@pytest.mark.parametrize("form", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("made", TARGETS.values(), ids=TARGETS.keys())
def test_the_mean_square_around_the_means_of_training(form, made):
    target = made(Y)
    wanted = 2 * Y.double() + 1
    batches = [form(X[i : i + 16], wanted[i : i + 16]) for i in (0, 16, 32)]
    means = target.double().mean(0)
    columns = wanted.reshape(-1, len(means))
    expected = (columns - means).square().mean(0).mean()
    got = read(form(X, Y), target, *batches).spread_around(means.tolist())
    assert got == pytest.approx(float(expected), rel=1e-6)


UNKNOWN = {
    "made in the step": ((X, Y), Y / 2, (X, Y)),
    "a column of a table": ((X,), X[:, -1], (X,)),
    "another form in validation": ((X, Y), Y, (X,)),
    "of other columns in validation": ((X, Y), Y, (X, Y[:, :2])),
}


@pytest.mark.parametrize(("batch", "target", "seen"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_found_is_not_known(batch, target, seen):
    assert math.isnan(read(batch, target, seen).spread_around([0.0] * 3))


def test_neither_a_neighbour_in_memory_nor_what_is_turned_is_taken_for_them():
    table = torch.randn(3, 40)
    x, y, z = table.unbind()
    expected = float(y.double().square().mean())
    assert read((x, y, z), y, (x, y, z)).spread_around([0.0]) == pytest.approx(expected)
    turned = torch.arange(6.0).reshape(3, 2)
    assert math.isnan(read((turned,), turned.T, (turned,)).spread_around([0.0] * 3))


def test_several_loaders_are_not_taken_together():
    assert math.isnan(read((X, Y), Y, (X, Y), loaders=2).spread_around([0.0] * 3))


def test_one_validation_is_enough_and_all_ranks_have_a_part():
    ranks = [ValidationTargets() for _ in range(2)]
    for rank, targets in enumerate(ranks):
        targets.find(Y, (X, Y))
        targets.begin(1)
        targets.add((X[rank::2], Y[rank::2]))
    news = [targets.news() for targets in ranks]
    for targets in ranks:
        targets.take(news)
        targets.begin(1)
        targets.add((X, 100 * Y))
        targets.take([targets.news()] * 2)
    expected = Y.double().square().mean(0).mean()
    assert [t.spread_around([0.0] * 3) for t in ranks] == pytest.approx([float(expected)] * 2)


class Fits(LightningModule):
    """Logs its loss of both."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 1))

    def training_step(self, batch):
        return F.mse_loss(self.net(batch[0]).squeeze(1), batch[1])

    def validation_step(self, batch):
        self.log("val_loss", self.training_step(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


def trained(related, spread):
    """A doctor's record of targets that have to do with the inputs or not, less so validation's."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 5, generator=generator)
    noise = torch.randn(400, generator=generator)
    y = x[:, 0] + x[:, 1] * x[:, 2] if related else noise
    y = torch.cat([y[:200], spread * y[200:]])
    train, held_out = (TensorDataset(x[rows], y[rows]) for rows in (slice(200), slice(200, None)))
    doctor = TrainingDoctor()
    trainer = Trainer(
        max_epochs=30, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Fits(), DataLoader(train, 20, shuffle=True), DataLoader(held_out, 50))
    return doctor, float((y[200:] - y[:200].mean()).square().mean() / y[:200].var(correction=0))


def test_a_doctor_knows_how_far_validation_is_spread():
    doctor, expected = trained(related=True, spread=0.7)
    # Of training the batches that were looked at are known.
    assert doctor._observation.vitals.validation_spread == pytest.approx(expected, rel=0.1)
    assert doctor.healthy


def test_labels_at_random_are_found_where_validation_is_less_spread():
    doctor, _ = trained(related=False, spread=0.7)
    assert P.INCONSISTENT_LABELS in {diagnosis.problem for diagnosis in doctor.diagnoses}


SQUARED = Objective("regression", "squared", constant_loss=1.0, target_variance=1.0, labels=20.0)


def test_it_goes_on_from_a_checkpoint():
    doctor, _ = trained(related=True, spread=0.7)
    again = TrainingDoctor()
    again.load_state_dict(doctor.state_dict())
    records = (doctor._observation._record, again._observation._record)
    assert len({record.validation_spread for record in records}) == 1


@pytest.mark.parametrize(("spread", "is_found"), [(math.nan, True), (0.5, False), (50.0, True)])
def test_training_is_no_worse_where_validation_asks_for_less(spread, is_found):
    """Of what is spread half as far there is half the loss; fifty times is of other units."""
    signs = vitals(
        [0.8 + 0.01 * (-1) ** i for i in range(600)], planned_steps=700, objective=SQUARED,
        validation_losses=[0.5] * 12, training_epoch_losses=[0.8] * 12, validation_spread=spread,
        batch_size=20,
    )  # fmt: skip
    assert (P.INCONSISTENT_LABELS in found(signs)) == is_found


def test_where_nothing_is_foretold_nothing_is_harder():
    signs = vitals(
        [2.4 - 1e-3 * i for i in range(600)], planned_steps=700, objective=SQUARED, batch_size=20,
        validation_losses=[2.0] * 12, training_epoch_losses=[2.1] * 12, validation_spread=1.1,
    )  # fmt: skip
    assert P.INCONSISTENT_LABELS not in found(signs)
