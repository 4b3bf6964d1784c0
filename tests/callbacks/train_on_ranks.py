"""Train on a number of processes and save what the monitors recorded."""

import sys

import torch
from lightning.pytorch import Trainer

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def main(ranks: int, path: str, nodes: int = 1) -> None:
    """Fit with a global batch of 32, however many ranks there are, on however many nodes."""
    torch.manual_seed(0)
    gradients, dead = GradientNormMonitor(every_n_steps=1), DeadReLUMonitor()
    trainer = Trainer(
        max_epochs=1,
        limit_train_batches=6,
        accelerator="cpu",
        devices=ranks // nodes,
        num_nodes=nodes,
        strategy="ddp" if ranks > 1 else "auto",
        callbacks=[gradients, dead],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    model = MLPClassifier(64, 10, hidden=(16, 16), optimizer="sgd", lr=0.1)
    with torch.no_grad():
        model.network[1].bias[3] = -100.0
    trainer.fit(model, datamodule=ImageDataModule(batch_size=32 // ranks))
    masks = {site: mask.tolist() for site, mask in dead.dead_units.items()}
    torch.save([gradients.history, masks], f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
