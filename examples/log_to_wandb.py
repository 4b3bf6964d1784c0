"""Log to Weights & Biases: offline by default, online with ``WANDB_MODE=online``."""

import os

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from torchvitals.callbacks import DeadReLUMonitor, EarlyStopping, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def wandb_logger(name: str, save_dir: str = "runs") -> WandbLogger:
    """Return a logger that never asks, and that falls back to offline when it cannot connect."""
    import wandb

    save_dir = os.path.abspath(save_dir)
    os.makedirs(save_dir, exist_ok=True)
    os.environ.setdefault("WANDB_SILENT", "true")
    logged_in = bool(wandb.api.api_key)
    if os.environ.get("WANDB_MODE") == "online" and logged_in:
        try:
            settings = wandb.Settings(init_timeout=20, console="off")
            run = wandb.init(project="torchvitals", name=name, dir=save_dir, settings=settings)
            return WandbLogger(experiment=run)
        except wandb.Error as error:
            print(f"W&B cannot be reached ({error}); logging offline instead.")
    settings = wandb.Settings(mode="offline", console="off")
    run = wandb.init(
        project="torchvitals", name=name, dir=save_dir, settings=settings, reinit="finish_previous"
    )
    return WandbLogger(experiment=run)


def main() -> None:
    trainer = Trainer(
        max_epochs=3,
        logger=wandb_logger("first-run"),
        callbacks=[GradientNormMonitor(), DeadReLUMonitor(), EarlyStopping("val_loss")],
        log_every_n_steps=10,
        default_root_dir="runs",
    )
    trainer.fit(MLPClassifier(in_features=64, num_classes=10), datamodule=ImageDataModule())


if __name__ == "__main__":
    main()
