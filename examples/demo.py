"""Train a sick network and a treated one on handwritten digits."""

import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch
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
TRAINING: dict[str, Any] = {
    "optimizer": "momentum",
    "lr": 0.1,
    "scheduler": "one_cycle",
    "l2": 5e-4,
    "label_smoothing": 0.1,
}
AUGMENT = {"sick": "none", "treated": "standard"}
ROWS = [
    "test digits right",
    "epochs",
    "gradient per weight, first / last layer",
    "dead ReLUs",
    "why it stopped",
]


@dataclass(frozen=True)
class Result:
    """The results of one run."""

    accuracy: float
    epochs: int
    gradients: GradientNormMonitor
    dead_share: float
    reason: str

    def cells(self) -> list[str]:
        ratio = self.gradients.first_to_last_ratio
        return [
            f"{self.accuracy:.1%}",
            str(self.epochs),
            f"{ratio:.1e}" if ratio < 0.01 else f"{ratio:.1f}",
            "no ReLU in it" if math.isnan(self.dead_share) else f"{self.dead_share:.1%}",
            self.reason,
        ]


def train(name: str) -> Result:
    seed_everything(1, verbose=False)
    gradients, dead = GradientNormMonitor(), DeadReLUMonitor()
    stopping = EarlyStopping("val_loss", min_delta=1e-3, patience=20)
    folder = OUTPUT / name
    csv = CSVLogger(folder, name="csv")
    trainer = Trainer(
        max_epochs=60,
        accelerator="cpu",
        logger=[wandb_logger(name, str(folder)), csv],
        callbacks=[gradients, dead, stopping, ModelCheckpoint(csv.log_dir, save_last=True)],
        log_every_n_steps=5,
        enable_model_summary=False,
    )
    model = MLPClassifier(64, 10, hidden=HIDDEN, **NETWORKS[name], **TRAINING)
    data = ImageDataModule("digits", batch_size=32, augment=AUGMENT[name])
    trainer.fit(model, datamodule=data)
    (metrics,) = trainer.test(model, datamodule=data, verbose=False)
    return Result(
        accuracy=metrics["test_accuracy"],
        epochs=trainer.current_epoch,
        gradients=gradients,
        dead_share=dead.total_dead_fraction,
        reason=stopping.stopping_reason_message or "It reached the last epoch.",
    )


def table(results: dict[str, Result]) -> Table:
    sheet = Table(title="Eight hidden layers of 128 on handwritten digits", show_lines=True)
    sheet.add_column("")
    for name in results:
        sheet.add_column(name, max_width=34)
    for row in zip(ROWS, *(result.cells() for result in results.values()), strict=True):
        sheet.add_row(*row)
    return sheet


NAMES = {1: "1 (input)", 9: "9 (output)"}


def picture(results: dict[str, Result], path: Path) -> None:
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained", sharey=True)
    for ax, (name, result) in zip(axes, results.items(), strict=True):
        result.gradients.plot(ax, colorbar=ax is axes[-1])
        # The layers of both have different names, but share an axis.
        rows = range(1, len(ax.get_yticks()) + 1)
        ax.set_yticks(ax.get_yticks(), [NAMES.get(row, str(row)) for row in rows])
        ax.set_title(f"{name}: {result.accuracy:.0%} of the test digits right", fontsize=13)
    axes[1].set_ylabel("")
    figure.suptitle(
        "How strongly training tells each layer to change (gradient norm; black: not at all)",
        fontsize=13,
    )
    figure.savefig(path, dpi=120)


def main() -> None:
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # layers this small are faster with one
    console = Console()
    results = {}
    for name, arguments in NETWORKS.items():
        settings = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        console.print(f"Training the {name} network ({settings}, augment={AUGMENT[name]!r})")
        results[name] = train(name)
    path = OUTPUT / "gradient_norms.png"
    picture(results, path)
    sheet = table(results)
    with (OUTPUT / "table.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=96).print(sheet)
    console.print(sheet)
    console.print(f"Plot of the gradient norms by layer over time: {path}")
    for name in NETWORKS:
        console.print(f"Logs and checkpoints of the {name} network: {OUTPUT / name} (csv, wandb)")


if __name__ == "__main__":
    main()
