"""Train on two ranks with different inputs, the monitor of one of which fails in the end."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import DeadReLUMonitor


class Split(LightningModule):
    """Each rank's inputs make other units active."""

    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.Linear(4, 4, bias=False), nn.Linear(4, 3)
        self.layer.weight.data = torch.eye(4)

    def training_step(self, batch, batch_idx):
        x = torch.full((len(batch[0]), 4), -1.0)
        x[-1, [self.global_rank, 2]] = 1.0
        hidden = F.relu(self.layer(x))
        # The last rank's grows: its columns are no units, on no rank.
        F.relu(x[:, :2].repeat(1, 1 + self.global_rank * self.current_epoch))
        logits = self.out(hidden)
        # A hinge behind the last layer is of the loss.
        return F.cross_entropy(logits, batch[0]) + F.relu(logits - 9).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Inspect(Callback):
    """Save in mid-epoch, keep the first report, and break one rank's monitor in the last epoch."""

    def __init__(self, monitor, folder):
        self.monitor, self.folder, self.dead, self.sites = monitor, folder, None, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 0 and batch_idx == 1:
            trainer.save_checkpoint(self.folder / "open.ckpt")

    def on_train_epoch_end(self, trainer, pl_module):
        if self.dead is None:
            self.dead = self.monitor.dead_units["relu"].tolist()
        self.sites.append(list(self.monitor.dead_units))
        if trainer.current_epoch == 1 and trainer.global_rank == 1:
            self.monitor._watch._observer._measure = None


def main(folder):
    monitor = DeadReLUMonitor()
    inspect = Inspect(monitor, folder)
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        callbacks=[monitor, inspect],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # 10 samples: the last batch of each rank has 1, the others 2.
    trainer.fit(Split(), DataLoader(TensorDataset(torch.zeros(10, dtype=torch.long)), batch_size=2))
    callbacks = torch.load(folder / "open.ckpt", weights_only=True)["callbacks"]
    saved = callbacks[monitor.state_key]
    result = {
        "dead": inspect.dead,
        "sites": inspect.sites,
        "window": saved["window"]["relu"].tolist(),
        "failed": monitor.failed,
        "steps": trainer.global_step,
    }
    torch.save(result, folder / f"{trainer.global_rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
