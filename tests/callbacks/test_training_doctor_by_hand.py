"""The doctor of trainings that make their steps themselves and return nothing."""

import pytest
import torch
import torch.nn.functional as F
from helpers.game import Game, Seldom
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.examination import examine


class ByHand(LightningModule):
    """Learns a sum; each batch is differentiated in parts, and some batches make no step."""

    def __init__(self, *, lr=1e-2, parts=1, accumulates=1, returns=False):
        super().__init__()
        self.automatic_optimization = False
        self.network = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        self.lr, self.parts, self.accumulates, self.returns = lr, parts, accumulates, returns

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        for x, y in zip(*(tensor.chunk(self.parts) for tensor in batch), strict=True):
            loss = F.mse_loss(self.network(x), y)
            self.manual_backward(loss / self.accumulates)
        if (batch_idx + 1) % self.accumulates == 0:
            optimizer.step()
            optimizer.zero_grad()
        return {"loss": torch.full((), 7.0)} if self.returns else None

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.mse_loss(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Divided(ByHand):
    """The weights have an optimiser, the biases another, and both follow one loss."""

    def training_step(self, batch, batch_idx):
        optimizers = self.optimizers()
        loss = F.mse_loss(self.network(batch[0]), batch[1])
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    def configure_optimizers(self):
        biases = [p for p in self.parameters() if p.ndim == 1]
        weights = [p for p in self.parameters() if p.ndim > 1]
        return torch.optim.SGD(weights, lr=self.lr), torch.optim.Adam(biases)


class InTurn(Divided):
    """The optimisers step in turn."""

    def training_step(self, batch, batch_idx):
        self.manual_backward(F.mse_loss(self.network(batch[0]), batch[1]))
        self.optimizers()[batch_idx % 2].step()
        self.zero_grad()


class InHalves(Divided):
    """The first optimiser's loss is differentiated in halves, and another number is returned."""

    def training_step(self, batch, batch_idx):
        first, second = self.optimizers()
        for half in batch[0].chunk(2):
            self.manual_backward(self.network(half).square().mean() / 2)
        first.step()
        self.manual_backward(self.network(batch[0]).abs().mean())
        second.step()
        self.zero_grad()
        return torch.full((), 7.0)


def loader(offset=0):
    torch.manual_seed(offset)
    x = torch.randn(512, 8)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 16)


def examined(kind=ByHand, **arguments):
    torch.manual_seed(0)
    doctor = TrainingDoctor()
    model = kind(**arguments)
    quiet_trainer(max_epochs=6, callbacks=[doctor]).fit(model, loader(), loader(1))
    assert not doctor.failed
    return doctor


@pytest.mark.parametrize("returns", [True, False])
def test_losses_are_those_that_were_differentiated(returns):
    vitals = examined(returns=returns)._observation.vitals
    assert vitals.one_loss
    assert len(vitals.losses) == 192
    assert vitals.losses[:8] == pytest.approx(vitals.data_losses[:8], rel=1e-5)
    assert vitals.losses[-1] < 0.2 * vitals.losses[0]


def test_several_optimizers_may_follow_one_loss(monkeypatch):
    seen = []
    judged = "torchvitals.callbacks.training_doctor.examine"
    monkeypatch.setattr(judged, lambda vitals: seen.append(vitals) or examine(vitals))
    doctor = examined(Divided)
    vitals = doctor._observation.vitals
    assert vitals.one_loss
    assert vitals.objective.kind == "squared"
    assert len(vitals.losses) == 192
    # Nothing is read of the first batch, before it is known that both make a step.
    assert vitals.data_losses[:3] == pytest.approx(vitals.losses[1:4], rel=1e-5)
    assert doctor.healthy
    # What both do after a batch is one step of the training.
    assert (seen[-1].step, seen[-1].planned_steps) == (192, 192)
    (told, *_) = examined(Divided, lr=10.0).announced
    assert told.problem in (Problem.LEARNING_RATE_TOO_HIGH, Problem.NON_FINITE)


class Unseen(Game):
    """The judge's loss is differentiated in a way that Lightning does not see."""

    def training_step(self, batch, batch_idx):
        maker, judge = self.optimizers()
        made = self.maker(torch.randn(len(batch[0]), 4))
        self.manual_backward(self.judge(batch[0]).mean() - self.judge(made.detach()).mean())
        self.judge.requires_grad_(False)
        self.judge(made).mean().backward()
        self.judge.requires_grad_(True)
        for optimizer in (maker, judge):
            optimizer.step()
            optimizer.zero_grad()


def test_what_a_loss_does_not_depend_on_does_not_follow_it():
    doctor, data = TrainingDoctor(), DataLoader(TensorDataset(torch.randn(40, 64)), 4)
    quiet_trainer(max_epochs=3, callbacks=[doctor]).fit(Unseen(nn.Linear(64, 1)), data)
    assert not doctor.failed
    assert not doctor._observation.vitals.one_loss


def test_optimizers_that_step_in_turn_have_a_loss_each():
    vitals = examined(InTurn)._observation.vitals
    assert not vitals.one_loss
    assert vitals.data_losses == []


def test_an_optimizer_that_lightning_does_not_know_is_none():
    class Outside(ByHand):
        def optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.lr)

        def configure_optimizers(self):
            return []

    assert len(examined(Outside)._observation.vitals.losses) == 192


def test_what_several_optimizers_return_is_not_multiplied_by_the_parts_of_a_loss():
    assert examined(InHalves)._observation.vitals.losses == [7.0] * 192


def test_of_a_backward_pass_that_lightning_does_not_see_the_loss_that_is_returned_counts():
    class Unseen(ByHand):
        def manual_backward(self, loss, *arguments, **settings):
            loss.backward()

    torch.manual_seed(0)
    doctor = TrainingDoctor()
    quiet_trainer(callbacks=[doctor]).fit(Unseen(returns=True), loader())
    assert doctor._observation.vitals.losses == [7.0] * 32
    assert not doctor._observation.vitals.one_loss
    assert set(doctor._observation._batches.repeated.calls.values()) == {1}
    assert not doctor._observation._batches.outputs


def test_losses_of_steps_of_several_batches_are_not_divided():
    whole = examined(lr=1e-9)._observation.vitals
    divided = examined(lr=1e-9, accumulates=4)._observation.vitals
    assert divided.losses == pytest.approx(whole.losses, rel=1e-4)


def test_what_learns_alarms_nobody():
    for arguments in ({}, {"accumulates": 4}, {"parts": 2}):
        assert examined(**arguments).diagnoses == []


def test_a_rate_that_is_too_low_is_told():
    (diagnosis,) = examined(lr=1e-7).diagnoses
    assert diagnosis.problem is Problem.LEARNING_RATE_TOO_LOW


def test_of_several_backward_passes_of_a_batch_nobody_knows_what_is_one_loss():
    doctor = examined(parts=4)
    assert not doctor._observation.vitals.one_loss
    assert len(doctor._observation.vitals.losses) == 192


class Planned(TrainingDoctor):
    """Keeps the planned steps as they are known after each epoch."""

    def __init__(self):
        super().__init__()
        self.plans = []

    def on_train_epoch_start(self, trainer, pl_module):
        super().on_train_epoch_start(trainer, pl_module)
        self.plans.append(self._observation.vitals.planned_steps)


@pytest.mark.parametrize(
    ("module", "width", "limit", "plans"),
    [
        # Ten batches in each of three epochs, in which both optimisers step.
        (lambda: Game(nn.Linear(64, 1)), 64, {}, [60, 60, 60]),
        # One of them every fifth batch: known after the first epoch.
        (Seldom, 4, {}, [60, 36, 36]),
        (Seldom, 4, {"max_steps": 30}, [30, 30, 30]),
    ],
    ids=["both", "one now and then", "limited"],
)
def test_the_plan_of_several_optimizers_counts_the_steps_of_each(module, width, limit, plans):
    doctor, data = Planned(), DataLoader(TensorDataset(torch.randn(40, width)), 4)
    trainer = quiet_trainer(max_epochs=3, callbacks=[doctor], **limit)
    trainer.fit(module(), data)
    assert doctor.plans == plans
    assert trainer.global_step == plans[-1]
