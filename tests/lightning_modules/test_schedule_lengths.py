"""Schedules of trainings that are resumed for longer, have no known length, or validate seldom."""

import math

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import Callback
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from torchvitals.datamodules import TabularDataModule
from torchvitals.lightning_modules import Classifier, MLPClassifier

X, Y = torch.randn(32, 4), torch.arange(32) % 3
LOADER = DataLoader(TensorDataset(X, Y), batch_size=8)
EPOCH = 4
pytestmark = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")


class Rates(Callback):
    """The rate and momentum of each step."""

    def __init__(self):
        self.seen, self.momenta = [], []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        group = optimizer.param_groups[0]
        self.seen.append(group["lr"])
        self.momenta.append(group.get("momentum", group.get("betas", [None])[0]))


def model(**arguments):
    return MLPClassifier(4, 3, hidden=(), **{"optimizer": "sgd", "lr": 1.0, **arguments})


def rates_of(epochs, ckpt_path=None, save=None, **arguments):
    rates = Rates()
    trainer = quiet_trainer(max_epochs=epochs, callbacks=[rates])
    trainer.fit(model(**arguments), LOADER, ckpt_path=ckpt_path)
    if save:
        trainer.save_checkpoint(save)
    return rates.seen


SCHEDULES = [
    {"scheduler": "cosine"},
    {"scheduler": "cosine", "warmup": 3},
    {"scheduler": "cosine", "warmup": 5},
    {"scheduler": "cosine", "scheduler_options": {"eta_min": 0.1}},
]


@pytest.mark.parametrize("arguments", SCHEDULES)
@pytest.mark.parametrize("first", [1, 2])
def test_a_cosine_that_is_resumed_for_longer_goes_on_as_that_of_the_longer_training(
    arguments, first, tmp_path
):
    path = tmp_path / "first.ckpt"
    rates_of(first, save=path, **arguments)
    whole = rates_of(4, **arguments)
    assert rates_of(4, ckpt_path=path, **arguments) == pytest.approx(whole[first * EPOCH :])


def test_a_share_of_warm_up_that_is_over_is_not_made_twice(tmp_path):
    path = tmp_path / "first.ckpt"
    arguments = {"scheduler": "cosine", "warmup": 0.5}
    rates_of(2, save=path, **arguments)
    seen = rates_of(4, ckpt_path=path, **arguments)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx((1 + math.cos(math.pi * 4 / 12)) / 2)
    assert seen[-1] == pytest.approx((1 + math.cos(math.pi * 11 / 12)) / 2)


def test_one_cycle_that_is_resumed_for_longer_goes_on_as_that_of_the_longer_training(tmp_path):
    path = tmp_path / "first.ckpt"
    rates_of(2, save=path, scheduler="one_cycle")
    whole = rates_of(4, scheduler="one_cycle")
    # The first step has the rate that the checkpoint has.
    assert rates_of(4, ckpt_path=path, scheduler="one_cycle")[1:] == pytest.approx(whole[9:])


def test_a_resumed_training_that_is_as_long_has_the_same_rates(tmp_path):
    path = tmp_path / "first.ckpt"
    for arguments in (*SCHEDULES, {"scheduler": "one_cycle"}):
        stops = quiet_trainer(max_epochs=4, callbacks=[StopsAfter(2)])
        stops.fit(model(**arguments), LOADER)
        stops.save_checkpoint(path)
        whole = rates_of(4, **arguments)
        assert rates_of(4, ckpt_path=path, **arguments) == whole[2 * EPOCH :]


class StopsAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


@pytest.mark.parametrize("scheduler", ["cosine", "one_cycle"])
def test_a_second_fit_of_the_same_trainer_has_a_schedule_of_what_is_left(scheduler):
    rates, module = Rates(), model(scheduler=scheduler)
    trainer = quiet_trainer(max_epochs=2, callbacks=[rates])
    trainer.fit(module, LOADER)
    first = list(rates.seen)
    trainer.fit_loop.max_epochs = 4
    trainer.fit(module, LOADER)
    assert rates.seen[len(first) :] == pytest.approx(first)


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(X, Y, strict=True)


@pytest.mark.parametrize("arguments", [*SCHEDULES, {"scheduler": "one_cycle"}, {"warmup": 0.5}])
def test_a_length_that_nobody_can_count_is_asked_for(arguments):
    stream = DataLoader(Stream(), batch_size=8)
    with pytest.raises(ValueError, match=r"training run of known length .* `max_steps`"):
        quiet_trainer(max_epochs=2).fit(model(**arguments), stream)
    trainer = quiet_trainer(max_epochs=-1, max_steps=6)
    trainer.fit(model(**arguments), stream)
    assert trainer.global_step == 6


PLATEAU = {"scheduler": "plateau", "scheduler_options": {"patience": 0, "threshold": 0.999}}


@pytest.mark.parametrize(
    ("settings", "has_validation", "lowered"),
    [
        ({}, True, 3),
        ({}, False, 3),
        ({"check_val_every_n_epoch": 2}, True, 1),
        ({"val_check_interval": 0.5}, True, 3),
    ],
)
def test_plateau_goes_by_what_is_logged(settings, has_validation, lowered):
    trainer = quiet_trainer(max_epochs=4, **settings)
    trainer.fit(model(**PLATEAU), LOADER, LOADER if has_validation else None)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1**lowered)


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero")
def test_plateau_goes_by_the_training_loss_where_validation_has_no_batch():
    data = TabularDataModule((X.numpy(), Y.numpy()), val_fraction=0.0, batch_size=8)
    trainer = quiet_trainer(max_epochs=4)
    trainer.fit(model(**PLATEAU), datamodule=data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1**3)


def test_plateau_goes_by_the_metric_that_is_named():
    options = {**PLATEAU["scheduler_options"], "monitor": "val_accuracy", "mode": "max"}
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model(scheduler="plateau", scheduler_options=options), LOADER, LOADER)
    assert trainer.lr_scheduler_configs[0].monitor == "val_accuracy"


@pytest.mark.parametrize(
    ("optimizer", "cycles"),
    [("sgd", False), ("rmsprop", False), ("adagrad", False), ("momentum", True), ("adam", True)],
)
def test_one_cycle_cycles_momentum_where_there_is_any(optimizer, cycles):
    rates = Rates()
    module = Classifier(nn.Linear(4, 3), 3, optimizer=optimizer, scheduler="one_cycle", lr=0.01)
    quiet_trainer(max_epochs=2, callbacks=[rates]).fit(module, LOADER)
    assert (len(set(rates.momenta)) > 1) == cycles
    assert len(set(rates.seen)) > 1
