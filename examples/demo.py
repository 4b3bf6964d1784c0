"""A sick network beside the treated one, on handwritten digits."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from log_to_wandb import wandb_logger
from rich.console import Console
from rich.table import Table

from torchvitals.callbacks import DeadReLUMonitor, EarlyStopping, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

OUTPUT = Path("runs/demo")
HIDDEN = (128,) * 8
NETWORKS: dict[str, dict[str, Any]] = {
    "sick": {"activation": "sigmoid", "norm": "none", "init": "default"},
    "treated": {"activation": "relu", "norm": "batch", "init": "auto"},
}
AUGMENT = {"sick": "none", "treated": "standard"}


@dataclass(frozen=True)
class Result:
    """What one run showed."""

    accuracy: float
    epochs: int
    gradients: GradientNormMonitor
    dead_share: float
    reason: str


def train(name: str) -> Result:
    seed_everything(1, verbose=False)
    gradients, dead = GradientNormMonitor(), DeadReLUMonitor()
    stopping = EarlyStopping("val_loss", patience=15)
    folder = OUTPUT / name
    csv = CSVLogger(folder, name="csv")
    trainer = Trainer(
        max_epochs=80,
        accelerator="cpu",
        logger=[wandb_logger(name, str(folder)), csv],
        callbacks=[gradients, dead, stopping, ModelCheckpoint(csv.log_dir, save_last=True)],
        log_every_n_steps=5,
        enable_model_summary=False,
    )
    model = MLPClassifier(64, 10, hidden=HIDDEN, optimizer="momentum", lr=0.02, **NETWORKS[name])
    data = ImageDataModule("digits", batch_size=32, augment=AUGMENT[name])
    trainer.fit(model, datamodule=data)
    (metrics,) = trainer.test(model, datamodule=data, verbose=False)
    return Result(
        accuracy=metrics["test_accuracy"],
        epochs=trainer.current_epoch,
        gradients=gradients,
        dead_share=dead.total_dead_fraction,
        reason=stopping.stopping_reason_message or "Reached the last epoch.",
    )


def table(results: dict[str, Result]) -> Table:
    sheet = Table(title="Eight hidden layers of 128, handwritten digits")
    sheet.add_column("")
    rows = ["test accuracy", "epochs", "gradient norm, first / last layer", "dead ReLUs", "stopped"]
    columns = []
    for name, result in results.items():
        sheet.add_column(name, max_width=40)
        dead = "no ReLU" if math.isnan(result.dead_share) else f"{result.dead_share:.1%}"
        ratio = f"{result.gradients.first_to_last_ratio:.1e}"
        columns.append([f"{result.accuracy:.1%}", str(result.epochs), ratio, dead, result.reason])
    for row in zip(rows, *columns, strict=True):
        sheet.add_row(*row)
    return sheet


def picture(results: dict[str, Result], path: Path) -> None:
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for ax, (name, result) in zip(axes, results.items(), strict=True):
        result.gradients.plot(ax)
        ax.set(title=f"{name}: {result.accuracy:.0%} of the test digits right", ylabel="layer")
    figure.suptitle("How strongly each layer is told to change (bright: strongly, black: not)")
    figure.savefig(path, dpi=120)


def main() -> None:
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    results = {name: train(name) for name in NETWORKS}
    path = OUTPUT / "gradient_norms.png"
    picture(results, path)
    console = Console()
    console.print(table(results))
    console.print(f"Gradient norms by layer over time: {path}")
    console.print(f"Logs (CSV and W&B): {OUTPUT}")


if __name__ == "__main__":
    main()
