"""Log to Weights & Biases: offline by default, online with ``WANDB_MODE=online``."""

import netrc
import os
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from torchvitals.callbacks import DeadReLUMonitor, EarlyStopping, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def logged_in() -> bool:
    """Whether the user is logged in to W&B, without a prompt or the network."""
    import wandb

    host = urlsplit(wandb.setup().settings.base_url).hostname
    try:
        in_netrc = netrc.netrc().authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        in_netrc = False
    return in_netrc or bool(os.environ.get("WANDB_API_KEY"))


def wandb_logger(name: str, save_dir: str = "runs") -> WandbLogger:
    """Return a logger that never prompts, and that falls back to offline if it cannot connect."""
    import wandb

    os.makedirs(save_dir, exist_ok=True)
    os.environ.setdefault("WANDB_SILENT", "true")
    online = os.environ.get("WANDB_MODE") == "online"
    if online and not logged_in():
        print("Not logged in to W&B, logging offline instead: run `wandb login`.")
    elif online:
        try:
            return WandbLogger(experiment=_start(name, save_dir, mode="online", init_timeout=20))
        except wandb.Error as error:
            print(f"W&B cannot be reached, logging offline instead: {error}")
    return WandbLogger(experiment=_start(name, save_dir, mode="offline"))


def _start(name: str, save_dir: str, **settings: Any) -> Any:
    import wandb

    return wandb.init(
        project="torchvitals",
        name=name,
        dir=save_dir,
        settings=wandb.Settings(console="off", **settings),
        reinit="finish_previous",
    )


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
