import pytest
import torch
from helpers.training import quiet_trainer
from helpers.wandb_file import finished_file, history, series
from lightning.pytorch.loggers import WandbLogger

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


# W&B's own dependencies warn in their oldest releases.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("every_n_steps", [None, 3])
def test_the_offline_file_holds_the_logged_series(every_n_steps, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    torch.manual_seed(0)
    monitor = GradientNormMonitor(every_n_steps)
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    trainer = quiet_trainer(
        max_epochs=2, logger=logger, log_every_n_steps=4, callbacks=[monitor, DeadReLUMonitor()]
    )
    trainer.fit(MLPClassifier(64, 10, hidden=(8,)), datamodule=ImageDataModule())
    logger.experiment.finish()
    path = finished_file(tmp_path, "wandb/offline-run-*/*.wandb")
    logged = series(path, "grad_norm/network.1")
    assert list(logged) == monitor.steps
    assert monitor.steps[:3] == ([2, 5, 8] if every_n_steps else [3, 7, 11])
    assert list(logged.values()) == pytest.approx(monitor.history["network.1"], rel=1e-6)
    assert sum("dead_relu/total" in row for row in history(path)) == 2
