"""Train without and with an interruption on a number of ranks; save both runs' weights."""

import sys
from pathlib import Path

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from torchvitals.callbacks import DeadReLUMonitor, EarlyStopping, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def fit(ranks, folder, epochs, ckpt_path=None, seed=0):
    """Fit with everything that draws or keeps state; give the weights and the monitors' records."""
    torch.manual_seed(seed)
    model = MLPClassifier(
        64, 10, hidden=(16, 16), norm="batch", dropout=0.3, optimizer="momentum", lr=0.05,
        l1=1e-4, l2=1e-3, scheduler="exponential", warmup=7,
    )  # fmt: skip
    gradients, dead = GradientNormMonitor(every_n_steps=5), DeadReLUMonitor()
    trainer = quiet_trainer(
        max_epochs=epochs,
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        callbacks=[
            gradients,
            dead,
            EarlyStopping("val_loss", patience=20),
            ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1),
        ],
        enable_checkpointing=True,
    )
    data = ImageDataModule(batch_size=64 // ranks, augment="standard")
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    masks = {site: mask.tolist() for site, mask in dead.dead_units.items()}
    return {"weights": model.state_dict(), "norms": gradients.history, "dead": masks}


def main(ranks: int, epochs: int, folder: Path) -> None:
    """Run through, then once for every epoch that an interruption can come after."""
    whole = fit(ranks, folder / "whole", epochs)
    resumed = {}
    for epoch in range(1, epochs):
        part = folder / f"part{epoch}"
        fit(ranks, part, epoch)
        ckpt_path = part / f"epoch={epoch - 1}.ckpt"
        resumed[epoch] = fit(ranks, part, epochs, ckpt_path, seed=99)
    torch.save({"whole": whole, "resumed": resumed}, folder / "runs.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    leave_group()
