"""Restore a network with BatchNorm on two ranks, and save whether both have what was validated."""

import sys

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping

LOSSES = [3.0, 2.0, 1.0, 2.0, 2.0]


class Normed(LightningModule):
    """Each rank has statistics of its own, until validation, in which DDP hands out the first's."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.validated = []

    def training_step(self, batch, batch_idx):
        """A loss that moves every parameter."""
        return (self.network(batch) ** 2).mean()

    def validation_step(self, batch, batch_idx):
        """Log the script's loss; remember what the first batch is validated with."""
        self.network(batch)
        self.log("val_loss", LOSSES[self.current_epoch])
        if batch_idx == 0:
            self.validated.append({k: v.clone() for k, v in self.state_dict().items()})

    def configure_optimizers(self):
        """Make every step move the weights."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Hooked(Normed):
    """Has a hook in which it might swap."""

    def on_validation_epoch_end(self):
        """Do nothing."""


def main(path: str) -> None:
    """With averages, without, and where averages may be for all that is known."""
    found = {}
    averaging = [EMAWeightAveraging(decay=0.8)]
    for name, kind, more in (
        ("plain", Normed, []),
        ("hook", Hooked, []),
        ("EMA", Normed, averaging),
    ):
        torch.manual_seed(0)
        model = kind()
        trainer = quiet_trainer(
            max_epochs=5, devices=2, strategy="ddp", num_sanity_val_steps=0,
            callbacks=[EarlyStopping("val_loss", patience=9), *more],
        )  # fmt: skip
        generator = torch.Generator().manual_seed(1)
        train, val = (DataLoader(torch.randn(16, 3, generator=generator), 4) for _ in range(2))
        trainer.fit(model, train, val)
        now, best, last = model.state_dict(), model.validated[2], model.validated[-1]
        found[name] = {
            "right": all(torch.equal(now[k], best[k]) for k in best),
            "other": not torch.equal(now["network.1.running_mean"], last["network.1.running_mean"]),
            "mean": now["network.1.running_mean"],
        }
    torch.save(found, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(sys.argv[1])
    leave_group()
