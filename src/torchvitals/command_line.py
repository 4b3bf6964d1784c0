"""Lightning's command line, with errors that fit in a terminal."""

from pathlib import Path
from typing import Any, NoReturn

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

# The parser knows a class by its bare name once its module has been imported.
import torchvitals.callbacks
import torchvitals.lightning_modules  # noqa: F401
from torchvitals.datamodules import TabularDataModule

from .argument_errors import explain


class Parser(LightningArgumentParser):
    """Says in a few lines what is wrong; ``--help`` lists the possible arguments."""

    _file: str | None = None

    def parse_path(self, path: Any, *arguments: Any, **options: Any) -> Any:
        """Remember the file's name while it is read: the parser's errors lack it."""
        self._file = str(path)
        try:
            return super().parse_path(path, *arguments, **options)
        finally:
            self._file = None

    def print_usage(self, file: Any = None) -> None:
        """Print nothing: the usage is printed only before errors, and would scroll them away."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Give the reason, and exit with status 2."""
        super().error(explain(message, self._file), ex)


class CommandLine(LightningCLI):
    """Takes modules and data by ``class_path``, and writes predictions to the run's folder.

    Classes of this package and of Lightning can be given by their bare name, if it is unique. An
    error that a module or a data module raises for a wrong argument is shown without a traceback;
    ``JSONARGPARSE_DEBUG=1`` shows that, too.

    Args:
        **arguments: Arguments of ``LightningCLI``.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(parser_class=Parser, **arguments)

    def instantiate_classes(self) -> None:
        """Create the configured objects."""
        try:
            super().instantiate_classes()
        except (TypeError, ValueError) as error:
            self.parser.error(_reasons(error), error)

    def predict(self, **arguments: Any) -> None:
        """Predict, and write the predictions to a file, in the units of the data."""
        batches = self.trainer.predict(**arguments)
        if batches:  # none with `return_predictions: false`, where a callback writes them
            _write_predictions(self.trainer, batches, self.datamodule)


def _write_predictions(trainer: Trainer, batches: list[Any], data: Any = None) -> None:
    """Write one file per rank: a tensor of all samples if they fit into one, else the batches."""
    found: Any = batches
    are_samples = all(isinstance(batch, torch.Tensor) and batch.ndim for batch in batches)
    if are_samples and len({batch.shape[1:] for batch in batches}) == 1:
        found = _in_units(torch.cat(batches), data)
    folder = Path(trainer.log_dir or trainer.default_root_dir)
    folder.mkdir(parents=True, exist_ok=True)
    rank = f".{trainer.global_rank}" if trainer.world_size > 1 else ""
    path = folder / f"predictions{rank}.pt"
    torch.save(found, path)
    one = isinstance(found, torch.Tensor)
    print(
        f"Predictions: {path}, {f'shape {tuple(found.shape)}' if one else f'{len(found)} batches'}"
    )


def _in_units(predictions: torch.Tensor, data: Any) -> torch.Tensor:
    """Convert predictions of standardised targets into the units of the data."""
    if not (isinstance(data, TabularDataModule) and data.hparams.get("standardize_target")):
        return predictions
    try:
        return data.unscale_targets(predictions)
    except ValueError:
        # A network of the user's may predict a deviation, too: nothing is lost.
        print("The predictions are not one number for each target, and remain standardised.")
        return predictions


def _reasons(error: Exception) -> str:
    """Extract the classes' own messages, where the parser has wrapped them in its account."""
    lines = str(error).split("\n")
    reasons = [line[4:] for line in lines if line.startswith("  - ")]
    said = [reason for reason in reasons if "<class 'NoneType'>" not in reason]
    return "\n".join(said or lines)
