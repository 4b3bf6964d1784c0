"""On two ranks that log apart, resume between a value and its check, and within an epoch."""

import sys
from pathlib import Path

import torch
from helpers.epoch_means import save_whole_and_resumed
from helpers.scripted import batches
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn

from torchvitals.callbacks import EarlyStopping

SETTINGS = dict(devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=5,
                num_sanity_val_steps=0)  # fmt: skip
# How it stops, and where it is interrupted after which step.
CASES = {
    "patience": ({"patience": 1}, "on_validation_end", 9),
    "training loss": ({"criterion": "PQ", "alpha": 1e9}, "on_train_batch_end", 5),
}


class LogsApart(LightningModule):
    """The mean over the ranks is another than the first one's value."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return (self.weight * 0).sum() + 1.0 + self.current_epoch + 10 * self.global_rank

    def validation_step(self, batch, batch_idx):
        others = [0, 0, 8, 0, 9][self.current_epoch]
        self.log("x", [5.0, 4.0, 3.0, 2.0, 1.0][self.current_epoch] + self.global_rank * others)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(arguments, saves=None, ckpt=None):
    stopping = EarlyStopping("x", **arguments)
    trainer = quiet_trainer(callbacks=[*([saves] if saves else []), stopping], **SETTINGS)
    try:
        trainer.fit(LogsApart(), batches(3), batches(1), ckpt_path=ckpt)
    except InterruptedError:
        torch.distributed.barrier()
    curve = stopping.judge.first
    losses = [loss for loss in curve.training_losses if loss == loss]
    return {"step": trainer.global_step, "values": curve.values, "losses": losses}


if __name__ == "__main__":
    save_whole_and_resumed(Path(sys.argv[1]), CASES, fit)
    leave_group()
