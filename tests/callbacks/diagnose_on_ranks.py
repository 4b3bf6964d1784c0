"""Train on a number of ranks with a doctor, well and not, and save what was found."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn

from torchvitals.callbacks import TrainingDoctor

STEPS = 20


class Divided(LightningModule):
    """The same batches of 32 for any number of ranks, each of which takes its part."""

    def __init__(self, lr=1e-3, *, dead=False, rare=False, alone=False):
        super().__init__()
        self.alone = alone
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
        )
        if dead:
            nn.init.constant_(self.network[2].bias, -100.0)
        self.lr, self.said = lr, []
        pixels, labels = load_digits(return_X_y=True)
        self.x, self.y = torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels)
        if rare:
            # All but every eighth sample are zeros; those come to the last rank alone.
            keep = torch.arange(len(self.y)) % 8 == 7
            order = torch.cat([(self.y == 0).nonzero().flatten()] * 12)[: len(self.y)]
            order = torch.where(keep, torch.arange(len(self.y)), order)
            self.x, self.y = self.x[order], self.y[order]

    def _mine(self, start, size):
        ranks, rank = self.trainer.world_size, self.trainer.global_rank
        part = torch.arange(start, start + size)[rank::ranks]
        return self.x[part], self.y[part]

    def training_step(self, batch, batch_idx):
        x, y = self._mine(batch_idx * 32, 32)
        return F.cross_entropy(self.network(x), y)

    def validation_step(self, batch, batch_idx):
        if self.alone:
            x, y = self.x[1200:1700], self.y[1200:1700]
            loss = F.cross_entropy(self.network(x), y)
            self.log("val_ce", loss, batch_size=1, rank_zero_only=True)
            return
        x, y = self._mine(1200, 500)
        self.log("val_loss", F.cross_entropy(self.network(x), y), batch_size=1)

    def train_dataloader(self):
        return range(STEPS)

    def val_dataloader(self):
        return range(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.network.parameters(), lr=self.lr)


class Break(Callback):
    """Lets the last rank's doctor fail in one way or another in mid-training."""

    def __init__(self, doctor, part):
        self.doctor, self.part = doctor, part

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank == trainer.world_size - 1 and trainer.global_step == 12:
            owner = self.doctor if self.part == "_fill" else self.doctor._observation
            setattr(owner, self.part, lambda *arguments, **named: 1 / 0)


def fit(ranks, model, start=None, breaks="", named=None, **settings):
    doctor = TrainingDoctor(validation_loss=named)
    callbacks = [doctor, *([Break(doctor, breaks)] if breaks else [])]
    if "enable_checkpointing" in settings:
        callbacks.append(
            ModelCheckpoint(
                settings.pop("enable_checkpointing"),
                "{step}",
                every_n_train_steps=13,
                save_top_k=-1,
            )
        )
        settings["enable_checkpointing"] = True
    trainer = quiet_trainer(
        max_epochs=2,
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        callbacks=callbacks,
        use_distributed_sampler=False,
        **settings,
    )
    trainer.fit(model, ckpt_path=start)
    vitals = doctor._observation.vitals
    return {
        "found": [(d.problem.value, d.severity, d.layer, d.step) for d in doctor.announced],
        "all": repr([doctor.announced, doctor.diagnoses, vitals.losses, vitals.data_losses]),
        "losses": vitals.losses,
        "data_losses": vitals.data_losses,
        "accuracies": vitals.accuracies,
        "validation": doctor._validation.losses,
        "targets": list(vitals.objective.target_counts),
        "predicted": list(vitals.objective.predicted_counts),
        "constant": vitals.objective.constant_loss,
        "ranges": [vitals.objective.target_range],
        "inputs": repr(vitals.inputs),
        "failed": doctor.failed,
        "steps": trainer.global_step,
    }


def main(ranks: int, folder: Path) -> None:
    """Fit the healthy and the sick."""
    found = {
        "healthy": fit(ranks, Divided()),
        "steps too large": fit(ranks, Divided(3.0)),
        "dead": fit(ranks, Divided(dead=True), enable_checkpointing=folder),
        "rare": fit(ranks, Divided(rare=True)),
        "validated by one rank": fit(ranks, Divided(alone=True), named="val_ce"),
    }
    if ranks > 1:
        path = folder / "step=13.ckpt"
        found["resumed"] = fit(ranks, Divided(dead=True), path)
        for breaks in ("add", "_fill", "news"):
            found[f"broken {breaks}"] = fit(ranks, Divided(), breaks=breaks)
    try:
        fit(ranks, Divided(alone=True), named="val_cee")
    except ValueError as error:
        found["mistyped"] = str(error)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    torch.save(found, folder / f"{ranks}.{rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    leave_group()
