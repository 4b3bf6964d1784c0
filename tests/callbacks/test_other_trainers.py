"""Lightning's Trainer in barebones mode, and the Trainer of its other name."""

import csv
from pathlib import Path

import pytest
import pytorch_lightning
import torch
from lightning.pytorch import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals import callbacks
from torchvitals.callbacks import EarlyStopping
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

# Each monitor, the attribute that holds its last report, and a scalar that it logs.
MONITORS = [
    ("GradientNormMonitor", "norms", "grad_norm/total"),
    ("DeadReLUMonitor", "dead_fraction", "dead_relu/total"),
    ("ActivationMonitor", "dormant_fraction", "dormant/total"),
    ("UpdateRatioMonitor", "ratios", "update_ratio/total"),
]


class Plain(pytorch_lightning.LightningModule):
    """A plain module, as code that imports ``pytorch_lightning`` has it."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        with torch.no_grad():
            self.network[0].bias[2] = -100.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.network(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Scripted(Plain):
    """Logs a given series; its weight is the epoch in which it was validated."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.weight = losses, nn.Parameter(torch.zeros(1))

    def on_train_batch_start(self, batch, batch_idx):
        self.weight.data.fill_(self.current_epoch)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", float(self.losses[self.current_epoch]))


def data():
    generator = torch.Generator().manual_seed(0)
    pairs = TensorDataset(torch.randn(16, 5, generator=generator), torch.arange(16) % 3)
    return DataLoader(pairs, batch_size=4)


def fit(model, monitors, path=None, validation=None, **arguments):
    settings = {
        "max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
    }  # fmt: skip
    trainer = pytorch_lightning.Trainer(**{**settings, **arguments}, callbacks=monitors)
    trainer.fit(model, data(), validation, ckpt_path=path)
    return trainer


@pytest.mark.parametrize(("name", "attribute", "scalar"), MONITORS)
def test_a_barebones_trainer_is_said_to_log_nothing_and_the_record_is_kept(name, attribute, scalar):
    monitor = getattr(callbacks, name)(every_n_steps=1)
    trainer = Trainer(barebones=True, max_epochs=2, accelerator="cpu", callbacks=[monitor])
    with pytest.warns(UserWarning, match="barebones") as caught:
        trainer.fit(MLPClassifier(64, 10, hidden=(8,)), ImageDataModule())
    said = [str(w.message) for w in caught if f"{name} logs nothing" in str(w.message)]
    assert len(said) == 1
    assert not monitor.failed
    assert getattr(monitor, attribute)
    assert scalar not in trainer.callback_metrics


def test_of_a_doctor_and_what_he_brings_a_barebones_trainer_is_told_once():
    doctor = callbacks.TrainingDoctor()
    trainer = Trainer(barebones=True, max_epochs=1, accelerator="cpu", callbacks=[doctor])
    with pytest.warns(UserWarning, match="barebones") as caught:
        trainer.fit(MLPClassifier(64, 10, hidden=(8,)), ImageDataModule())
    said = [str(w.message) for w in caught if "logs nothing" in str(w.message)]
    assert len(said) == 1
    assert said[0].startswith("TrainingDoctor logs nothing under Trainer(barebones=True)")
    assert not doctor.failed
    assert doctor.gradients.norms


@pytest.mark.parametrize(("name", "attribute", "scalar"), MONITORS)
def test_a_monitor_reports_to_the_trainer_of_pytorch_lightning(name, attribute, scalar, tmp_path):
    monitor, logger = getattr(callbacks, name)(every_n_steps=2), CSVLogger(tmp_path)
    trainer = fit(Plain(), [monitor], logger=logger)
    assert not monitor.failed
    assert getattr(monitor, attribute)
    lines = Path(logger.log_dir, "metrics.csv").read_text().splitlines()
    logged = [(row["step"], float(row[scalar])) for row in csv.DictReader(lines) if row[scalar]]
    assert [step for step, _ in logged] == ["1", "3"]
    assert logged[-1][1] == pytest.approx(trainer.callback_metrics[scalar].item())


def test_a_dead_unit_is_found_under_the_trainer_of_pytorch_lightning():
    monitor = callbacks.DeadReLUMonitor()
    fit(Plain(), [monitor])
    assert monitor.dead_units["network.1"][2]


def test_a_record_goes_on_from_a_checkpoint_of_pytorch_lightning(tmp_path):
    def run(epochs, path=None):
        torch.manual_seed(0)
        monitor = callbacks.GradientNormMonitor(every_n_steps=1)
        saving = ModelCheckpoint(tmp_path, filename=f"{epochs}")
        fit(Plain(), [monitor, saving], path, max_epochs=epochs, enable_checkpointing=True)
        return monitor.history

    whole = run(3)
    run(2)
    resumed = run(3, tmp_path / "2.ckpt")
    assert resumed.keys() == whole.keys()
    for layer, norms in whole.items():
        assert len(norms) == 12
        assert resumed[layer] == pytest.approx(norms)


def test_early_stopping_stops_and_restores_under_the_trainer_of_pytorch_lightning():
    stopping, model = EarlyStopping("val_loss", patience=2), Scripted([3.0, 2, 1, 2, 3, 4])
    trainer = fit(model, [stopping], validation=data(), max_epochs=6)
    assert (trainer.current_epoch, stopping.best_epoch) == (5, 2)
    assert model.weight.item() == 2


def test_modules_of_one_name_are_refused_by_the_trainer_of_the_other():
    with pytest.raises(TypeError, match="LightningModule"):
        fit(MLPClassifier(5, 3, hidden=(4,)), [])
