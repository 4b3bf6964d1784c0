"""Train on a number of processes and save what the ActivationMonitor showed."""

import sys
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import ActivationMonitor

STEPS, BATCH = 4, 32


class Network(LightningModule):
    """Does not learn, so that each rank's share of the batch may be of its own size."""

    def __init__(self, extra: bool) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(3, 1)
        self.extra = extra

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x = torch.tanh(self.first(batch[0]))
        if self.extra and self.global_rank == 1:
            x = torch.sigmoid(x)
        return self.last(torch.nn.functional.gelu(self.second(x))).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class BreakOneRank(Callback):
    """Make the monitor fail in the second step of one rank."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        monitor = next(c for c in trainer.callbacks if isinstance(c, ActivationMonitor))
        if trainer.global_rank == 1 and trainer.global_step == 1:
            monitor.failed = True


def batches(ranks: int, rank: int) -> DataLoader:
    """20 of 32 samples for the first of two ranks and 12 for the second."""
    generator = torch.Generator().manual_seed(1)
    shift = torch.arange(STEPS) % 2
    x = torch.randn(STEPS, BATCH, 6, generator=generator) + shift[:, None, None]
    own = x if ranks == 1 else (x[:, :20], x[:, 20:])[rank]
    return DataLoader(TensorDataset(own.flatten(0, 1)), batch_size=own.shape[1])


def main(ranks: int, path: str) -> None:
    """Fit as it is, with a site on one rank only, and with a monitor that fails on one rank."""
    found = {}
    for case in ("plain", "extra", "broken"):
        torch.manual_seed(0)
        monitor = ActivationMonitor(every_n_steps=1)
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=ranks,
            strategy="ddp" if ranks > 1 else "auto",
            callbacks=[monitor, *([BreakOneRank()] if case == "broken" else [])],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            use_distributed_sampler=False,
        )
        model = Network(extra=case == "extra")
        trainer.fit(model, batches(ranks, trainer.global_rank))
        found[case] = {
            "statistics": {site: torch.stack(u) for site, u in monitor._statistics.items()},
            "drift": monitor.drift,
            "failed": monitor.failed,
            "steps": trainer.global_step,
        }
    torch.save(found, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
