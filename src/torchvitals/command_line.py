"""Lightning's command line, with errors that fit in a terminal."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI

# The parser knows a class by its bare name once its module was imported.
import torchvitals.callbacks
import torchvitals.datamodules
import torchvitals.lightning_modules  # noqa: F401


class CommandLine(LightningCLI):
    """Modules and data are named by ``class_path``; predictions are written to the run's folder.

    Classes of this package and of Lightning need only their name, where it is one of a kind.
    What a module or a data module says about a wrong argument is shown as one error, without a
    traceback; ``JSONARGPARSE_DEBUG=1`` shows that, too.
    """

    def instantiate_classes(self) -> None:
        """Make the objects that are named."""
        try:
            super().instantiate_classes()
        except (TypeError, ValueError) as error:
            self.parser.error(_reasons(error), error)

    def predict(self, **arguments: Any) -> None:
        """Predict, and keep it."""
        batches = self.trainer.predict(**arguments)
        if batches:  # none with `return_predictions: false`, where a callback writes them
            _write_predictions(self.trainer, batches)


def _write_predictions(trainer: Trainer, batches: list[Any]) -> None:
    """One file for each rank: a tensor of all samples, or the list of batches of something else."""
    found: Any = batches
    if all(isinstance(batch, torch.Tensor) and batch.ndim for batch in batches):
        found = torch.cat(batches)
    folder = Path(trainer.log_dir or trainer.default_root_dir)
    folder.mkdir(parents=True, exist_ok=True)
    rank = f".{trainer.global_rank}" if trainer.world_size > 1 else ""
    path = folder / f"predictions{rank}.pt"
    torch.save(found, path)
    one = isinstance(found, torch.Tensor)
    print(
        f"Predictions: {path}, {f'shape {tuple(found.shape)}' if one else f'{len(found)} batches'}"
    )


def _reasons(error: Exception) -> str:
    """Only what the classes said, where the parser has wrapped it in its own account."""
    lines = str(error).split("\n")
    reasons = [line[4:] for line in lines if line.startswith("  - ")]
    said = [reason for reason in reasons if "<class 'NoneType'>" not in reason]
    return "\n".join(said or lines)
