"""What may leave a checkpoint when an exception comes, and what is known not to."""

import pytest
from helpers.training import quiet_trainer
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    OnExceptionCheckpoint,
    RichProgressBar,
    TQDMProgressBar,
)

from torchvitals.callbacks import EarlyStopping, TrainingDoctor
from torchvitals.callbacks.stopping.resuming.exceptions import saves_on_exception


class Notifies(Callback):
    def on_exception(self, trainer, pl_module, exception):
        """Not known to save nothing."""


class Checkpoints(ModelCheckpoint):
    """Only its constructor differs."""


class Data(LightningDataModule):
    def on_exception(self, exception):
        """Likewise."""


@pytest.mark.parametrize(
    ("callback", "saves"),
    [
        (Callback(), False),
        (LearningRateMonitor(), False),
        (TQDMProgressBar(), False),
        (RichProgressBar(), False),
        (EarlyStopping("x"), False),
        (TrainingDoctor(), False),
        (ModelCheckpoint(), False),
        (Checkpoints(), False),
        (ModelCheckpoint(save_on_exception=True), True),
        (Checkpoints(save_on_exception=True), True),
        (OnExceptionCheckpoint("folder"), True),
        (Notifies(), True),
    ],
)
def test_callbacks(callback, saves):
    trainer = quiet_trainer()
    trainer.callbacks = [callback]
    assert saves_on_exception(trainer) is saves


@pytest.mark.parametrize(("data", "saves"), [(LightningDataModule, False), (Data, True)])
def test_data_modules(data, saves):
    trainer = quiet_trainer()
    trainer.callbacks, trainer.datamodule = [], data()
    assert saves_on_exception(trainer) is saves


def test_the_other_package_of_the_name():
    other = pytest.importorskip("pytorch_lightning")
    trainer = quiet_trainer()
    for arguments, saves in (({}, False), ({"save_on_exception": True}, True)):
        trainer.callbacks = [other.Callback(), other.callbacks.ModelCheckpoint(**arguments)]
        assert saves_on_exception(trainer) is saves
