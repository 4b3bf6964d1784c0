"""On two ranks, a rate follows a metric; then resume from before it is stepped, and behind."""

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from helpers.epoch_means import Saves, save_whole_and_resumed
from helpers.scripted import batches
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from torchvitals.callbacks import EarlyStopping

BATCHES = 4
# What the rate follows, and in which hook of which step the run is interrupted.
CASES = {
    "by the epoch": ({"monitor": "x"}, "on_train_batch_end", 8),
    "by the epoch, validated": ({"monitor": "x"}, "on_validation_end", 8),
    "by the step": ({"monitor": "loss", "interval": "step", "frequency": 2},
                    "on_train_batch_end", 6),
}  # fmt: skip


class FollowsOnRanks(LightningModule):
    """Learns noise, of which each rank has its own."""

    def __init__(self, schedule: dict[str, Any]) -> None:
        super().__init__()
        self.schedule, self.network = schedule, nn.Linear(8, 1, bias=False)
        nn.init.zeros_(self.network.weight)

    def loss(self, key: int) -> torch.Tensor:
        """Of four samples that none other of the batches has."""
        generator = torch.Generator().manual_seed(2 * key + self.global_rank)
        inputs = torch.randn(4, 8, generator=generator)
        targets = inputs[:, 0] + 2 * torch.randn(4, generator=generator)
        return nn.functional.mse_loss(self.network(inputs).squeeze(1), targets)

    def training_step(self, batch, batch_idx):
        """Log the loss of both ranks."""
        loss = self.loss(self.current_epoch * BATCHES + batch_idx)
        self.log("loss", loss, sync_dist=True)
        return loss

    def validation_step(self, batch, batch_idx):
        """Likewise."""
        self.log("x", self.loss(1000 + batch_idx), sync_dist=True)

    def configure_optimizers(self):
        """A rate that comes down with each check that is no better."""
        optimizer = torch.optim.SGD(self.parameters(), lr=0.2)
        scheduler = ReduceLROnPlateau(optimizer, patience=0, factor=0.7)
        return [optimizer], [{"scheduler": scheduler, **self.schedule}]


def fit(schedule: dict[str, Any], saves: Saves | None = None, ckpt: Path | None = None):
    """Where training stopped, its curve, and its rate."""
    stopping = EarlyStopping("x", patience=3)
    trainer = quiet_trainer(
        callbacks=[*([saves] if saves else []), stopping], num_sanity_val_steps=0,
        devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=9,
    )  # fmt: skip
    model = FollowsOnRanks(schedule)
    try:
        trainer.fit(model, batches(BATCHES), batches(2), ckpt_path=ckpt)
    except InterruptedError:
        torch.distributed.barrier()
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    return {"step": trainer.global_step, "curve": stopping.judge.first.values, "rate": rate}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    save_whole_and_resumed(Path(sys.argv[1]), CASES, fit)
    leave_group()
