"""A checkpoint that a test or a tuner loads changes nothing in the record of a fit."""

import pytest
import torch
from helpers.research import Research, loader
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.tuner import Tuner
from torch import nn

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    EarlyStopping,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)


class Evaluated(Research):
    def __init__(self):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        super().__init__(network)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", nn.functional.cross_entropy(self.network(x), y))

    test_step = validation_step


def reports(callback):
    if isinstance(callback, EarlyStopping):
        return callback.judge.first.values
    return (callback.gradients if isinstance(callback, TrainingDoctor) else callback).steps


CALLBACKS = [
    lambda: GradientNormMonitor(1),
    lambda: UpdateRatioMonitor(1),
    lambda: ActivationMonitor(1),
    DeadReLUMonitor,
    lambda: TrainingDoctor(1),
    lambda: EarlyStopping("val_loss", patience=9),
]


@pytest.mark.parametrize("make", CALLBACKS)
@pytest.mark.parametrize("evaluate", ["test", "validate"])
def test_the_record_of_the_fit_stays(make, evaluate, tmp_path):
    data = loader(torch.randn(12, 6))
    callback = make()
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    trainer = quiet_trainer(max_epochs=3, callbacks=[callback, saver], enable_checkpointing=True)
    trainer.fit(Evaluated(), data, data)
    whole = list(reports(callback))
    getattr(trainer, evaluate)(dataloaders=data, ckpt_path=tmp_path / "epoch=0.ckpt", verbose=False)
    assert reports(callback) == whole
    # Nor does the next fit go on with the checkpoint's.
    again = quiet_trainer(max_epochs=1, callbacks=callback)
    again.fit(Evaluated(), data, data)
    assert 0 < len(reports(callback)) < len(whole)
    assert reports(callback) == whole[: len(reports(callback))]


@pytest.mark.parametrize("make", CALLBACKS)
def test_a_fit_after_a_search_for_a_rate_does_not_go_on_with_an_earlier_fits_record(make, tmp_path):
    data = loader(torch.randn(12, 6))
    callback, settings = make(), {"default_root_dir": tmp_path}
    quiet_trainer(max_epochs=3, callbacks=callback, **settings).fit(Evaluated(), data, data)
    whole = list(reports(callback))
    again, module = quiet_trainer(max_epochs=1, callbacks=callback, **settings), Evaluated()
    Tuner(again).lr_find(module, data, data, num_training=2, update_attr=False)
    again.fit(module, data, data)
    assert reports(callback) == whole[: len(whole) // 3]
