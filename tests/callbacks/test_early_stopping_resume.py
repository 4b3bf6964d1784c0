"""A resumed run stops at the step of an uninterrupted one, with its reason and its weights."""

import pytest
import torch
from helpers.scripted import Scripted, batches
from helpers.training import quiet_trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint

from torchvitals.callbacks import EarlyStopping, StoppingReason

LOSSES = [3.0, 2.0, 1.0, 2.0, 0.9, 3.0, 4.0, 3.0, 5.0, 6.0, 7.0, 8.0] + [9.0] * 20
TRAINING = [5.0, 3.0, 2.0, 1.5, 1.2, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] + [1.0] * 20
EVERYTHING = {
    "patience in checks": {"patience": 3},
    "patience in epochs": {"patience": 0.75, "patience_unit": "epochs"},
    "patience in steps": {"patience": 5, "patience_unit": "steps"},
    "moving average": {"patience": 3, "smoothing": "ema", "smoothing_window": 3},
    "median": {"patience": 3, "smoothing": "median", "smoothing_window": 3},
    "warm-up": {"patience": 3, "start_from_step": 7},
    "several monitors": {"monitor": ["val_loss", "other"], "patience": 2},
    "baseline": {"patience": 9, "baseline": 0.5, "baseline_by_epoch": 2},
    "divergence": {"patience": 99, "max_loss_ratio": 5.0},
    "GL": {"criterion": "GL", "alpha": 250.0},
    "PQ": {"criterion": "PQ", "alpha": 2.0, "strip_length": 3},
    "UP": {"criterion": "UP", "patience": 2, "strip_length": 2},
    "file": {"patience": 3, "best_weights": "file"},
}


class Saves(Callback):
    """Saves a checkpoint in a given hook of a given step, then interrupts the run."""

    def __init__(self, path, hook, step):
        self.path, self.step = path, step
        setattr(self, hook, self.save)

    def save(self, trainer, *_):
        if trainer.global_step == self.step and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)
            raise InterruptedError


def run(arguments, saves=None, ckpt=None, more=(), checks=4, **settings):
    """Four batches an epoch, two steps a check or more."""
    stopping = EarlyStopping(**{"monitor": "val_loss", **arguments})
    other = [1, 2, 0.5] + [2.0] * 50
    model = Scripted({"val_loss": LOSSES, "other": other}, 4 // checks, training=TRAINING)
    interval = {"val_check_interval": 1 / checks} if checks > 1 else {}
    trainer = quiet_trainer(
        max_epochs=len(LOSSES) // checks,
        callbacks=[stopping, *more, *([saves] if saves else [])],
        num_sanity_val_steps=0,
        **{**interval, **settings},
    )
    if saves:
        with pytest.raises(InterruptedError):
            trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
    else:
        trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
    return {
        "step": trainer.global_step,
        "reason": stopping.stopping_reason,
        "sentence": stopping.stopping_reason_message,
        "epoch": stopping.stopped_epoch,
        "best": (stopping.best_epoch, float(stopping.best_score)),
        "restored": model.restored,
        "values": stopping._judge.first.values,
    }


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize(
    ("checks", "hook", "steps"),
    [
        # Not where a validation is due: after a checkpoint of that batch Lightning leaves it out.
        (2, "on_train_batch_end", (1, 5, 7, 11)),
        (2, "on_validation_end", (2, 4, 10, 12)),
        (2, "on_train_epoch_end", (4, 8, 12)),
        (1, "on_train_batch_end", (1, 7, 18)),
        (1, "on_validation_end", (4, 12, 20)),
        (1, "on_train_epoch_end", (4, 12, 20)),
    ],
)
@pytest.mark.parametrize("arguments", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_resume_is_exact(arguments, checks, hook, steps, tmp_path):
    whole = run(arguments, checks=checks)
    assert whole["reason"] is not StoppingReason.NOT_STOPPED
    for step in steps:
        if step >= whole["step"]:
            continue
        path = tmp_path / f"{step}.ckpt"
        run(arguments, Saves(path, hook, step), checks=checks)
        assert run(arguments, ckpt=path, checks=checks) == whole, step
