"""The outcome in W&B's summary, and that no failing logger takes training down."""

from types import SimpleNamespace

import pytest
from helpers.scripted import Scripted, batches
from helpers.training import quiet_trainer
from helpers.wandb_file import finished_file, summary
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.loggers import Logger, WandbLogger

from torchvitals.callbacks import EarlyStopping


def fit(logger, **arguments):
    stopping = EarlyStopping("val_loss", patience=2)
    trainer = quiet_trainer(max_epochs=6, callbacks=stopping, logger=logger, **arguments)
    trainer.fit(Scripted({"val_loss": [3, 2, 1, 2, 2, 2]}), batches(2), batches(2))
    return stopping


@pytest.mark.filterwarnings("ignore")
def test_the_summary_of_wandb_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    stopping = fit(logger)
    logger.experiment.finish()
    found = summary(finished_file(tmp_path, "wandb/offline-run-*/*.wandb"))
    prefix = "early_stopping/val_loss/"
    assert {k: v for k, v in found.items() if k.startswith(prefix)} == {
        f"{prefix}reason": "patience_exhausted",
        f"{prefix}message": stopping.stopping_reason_message,
        f"{prefix}best_epoch": 2,
        f"{prefix}best_score": 1.0,
    }


class Breaks(Callback):
    """An error after four steps."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == 4:
            raise ValueError("broken")


@pytest.mark.filterwarnings("ignore")
def test_an_exception_leaves_the_best_in_the_summary(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    callbacks = [EarlyStopping("val_loss"), Breaks()]
    trainer = quiet_trainer(max_epochs=4, callbacks=callbacks, logger=logger)
    with pytest.raises(ValueError, match="broken"):
        trainer.fit(Scripted({"val_loss": [3, 2, 1]}), batches(2), batches(2))
    logger.experiment.finish()
    found = summary(finished_file(tmp_path, "wandb/offline-run-*/*.wandb"))
    assert found["early_stopping/val_loss/message"] == "not stopped"
    assert found["early_stopping/val_loss/best_epoch"] == 1
    assert found["early_stopping/val_loss/best_score"] == 2.0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("last", [True, False])
def test_of_two_on_one_metric_the_summary_is_of_the_one_that_stopped(last, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    waits = EarlyStopping("val_loss", patience=2)
    callbacks = [waits, EarlyStopping("val_loss", criterion="UP", patience=9)]
    trainer = quiet_trainer(max_epochs=6, callbacks=callbacks[:: 1 if last else -1], logger=logger)
    trainer.fit(Scripted({"val_loss": [3, 2, 1, 2, 2, 2]}), batches(2), batches(2))
    logger.experiment.finish()
    found = summary(finished_file(tmp_path, "wandb/offline-run-*/*.wandb"))
    assert found["early_stopping/val_loss/message"] == waits.stopping_reason_message


@pytest.mark.filterwarnings("ignore")
def test_lightnings_own_that_stops_leaves_the_summary_to_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    callbacks = [
        LightningEarlyStopping("val_loss", patience=2),
        EarlyStopping("val_loss", criterion="UP", patience=9),
    ]
    trainer = quiet_trainer(max_epochs=6, callbacks=callbacks, logger=logger)
    trainer.fit(Scripted({"val_loss": [3, 2, 1, 2, 2, 2]}), batches(2), batches(2))
    logger.experiment.finish()
    found = summary(finished_file(tmp_path, "wandb/offline-run-*/*.wandb"))
    assert trainer.current_epoch < 6
    assert found["early_stopping/val_loss/best_score"] == 1.0


def fail(values):
    raise ConnectionError("no route")


class Unreachable(Logger):
    """Takes everything but the summary."""

    name, version = "unreachable", 0
    experiment = SimpleNamespace(summary=SimpleNamespace(update=fail))

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass


def test_a_logger_that_fails_is_a_warning():
    # Loggers are told by their class's name.
    logger = type("WandbLogger", (Unreachable,), {})()
    with pytest.warns(UserWarning, match="EarlyStopping gave up on its logger.*no route"):
        stopping = fit(logger)
    assert stopping.stopped_epoch == 4
