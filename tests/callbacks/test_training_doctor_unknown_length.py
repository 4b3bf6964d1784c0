"""The doctor of a training whose batches nobody can count."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor


class Stream(IterableDataset):
    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(self.data)


class Module(LightningModule):
    def __init__(self, lr):
        super().__init__()
        torch.manual_seed(0)
        self.network, self.lr = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), lr

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def loader(*, counted, samples=320):
    torch.manual_seed(1)
    x = torch.randn(samples, 8)
    data = TensorDataset(x, (x[:, 0] > 0).long())
    return DataLoader(data if counted else Stream(data), 16)


def examined(lr, *, counted=False, callbacks=(), ckpt_path=None, **settings):
    doctor = TrainingDoctor()
    trainer = quiet_trainer(callbacks=[doctor, *callbacks], **settings)
    trainer.fit(Module(lr), loader(counted=counted), ckpt_path=ckpt_path)
    assert not doctor.failed
    return doctor


@pytest.mark.parametrize("epochs", [2, 4])
def test_what_diverges_is_told_as_early_as_of_a_known_length(epochs):
    known, unknown = (examined(30.0, counted=c, max_epochs=epochs) for c in (True, False))
    (diagnosis,) = unknown.diagnoses
    assert diagnosis.problem is Problem.LEARNING_RATE_TOO_HIGH
    assert diagnosis.step == known.diagnoses[0].step == 15


def test_the_first_epoch_tells_how_long_training_is_to_be():
    doctor = examined(0.1, max_epochs=5)
    assert doctor._observation.vitals.planned_steps == 100
    assert doctor.diagnoses == []
    assert doctor.verdict == "Healthy: nothing stands out."


def test_without_an_end_nobody_knows():
    doctor = examined(0.1, max_epochs=-1, max_time={"seconds": 2})
    assert math.isinf(doctor._observation.vitals.planned_steps)
    assert examined(0.1, max_epochs=3, max_steps=40)._observation.vitals.planned_steps == 40


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_a_resumed_run_knows_it_from_its_start(tmp_path):
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    examined(0.1, max_epochs=2, callbacks=[saver], enable_checkpointing=True)
    planned = []

    class Saver(ModelCheckpoint):
        def on_train_batch_start(self, trainer, *_):
            planned.append(trainer.callbacks[0]._observation.vitals.planned_steps)

    again = Saver(tmp_path, "{epoch}", save_top_k=-1)
    examined(
        0.1, max_epochs=5, callbacks=[again], enable_checkpointing=True,
        ckpt_path=str(tmp_path / "epoch=1.ckpt"),
    )  # fmt: skip
    assert planned[0] == planned[-1] == 100
