"""``torchvitals checkup --config FILE``."""

import sys
import traceback
from typing import Any, NoReturn

from jsonargparse.typing import PositiveInt
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from .callbacks import checkup
from .callbacks.diagnosing.telling.terminal import Terminal
from .callbacks.reporting.page import page_path
from .command_line import CommandLine

_USAGE = (
    "torchvitals checkup --config FILE [--steps N] [--report FILE] [arguments of torchvitals fit]"
)
HEALTHY, SICK, NO_VERDICT = 0, 1, 2


class CheckupCommandLine(CommandLine):
    """Takes the arguments of ``torchvitals fit``; creates the module and the data, but no Trainer.

    Attributes:
        trainer_arguments: Arguments that the Trainer would get.
    """

    trainer_arguments: dict[str, Any]

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the arguments of the checkup and of `Trainer.fit`."""
        parser.add_argument(
            "--steps", type=PositiveInt, default=300, help="Optimiser steps of the checkup."
        )
        parser.add_argument("--report", type=str | None, help="HTML file for the doctor's page.")
        parser.add_argument("--ckpt_path", type=str | None, help="Checkpoint to resume from.")
        parser.add_argument(
            "--weights_only", type=bool | None, help="How `--ckpt_path` is loaded, as in `fit`."
        )

    def before_instantiate_classes(self) -> None:
        """Disable the logger, show progress on terminals only, and default to the plan of `fit`."""
        if self.config.report is not None:
            try:
                page_path("--report", self.config.report)
            except IsADirectoryError as error:
                self.parser.error(str(error))
        trainer = self.config.trainer
        trainer.logger = False
        if trainer.enable_progress_bar is None:
            trainer.enable_progress_bar = sys.stdout.isatty()
        if trainer.max_epochs is None and trainer.max_steps == -1 and trainer.max_time is None:
            trainer.max_epochs = 1_000

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Keep the arguments: the checkup creates its own Trainer."""
        self.trainer_arguments = {**self.config_init.trainer.as_dict(), **kwargs}
        return None  # type: ignore[return-value]


def checkup_command() -> NoReturn:
    """Read ``sys.argv``, train a copy for a few hundred steps, print the verdict, and exit.

    The exit status is 0 if it is healthy, 1 if there is a warning or worse, and 2 if there is no
    verdict: after too few steps or, with the reason on standard error, because it could not run.
    The traceback is printed, too, unless this package raised the error on purpose.
    """
    try:
        found = _check()
        Terminal().tell(found)
    except KeyboardInterrupt:
        print("torchvitals checkup: interrupted", file=sys.stderr)
        sys.exit(NO_VERDICT)
    except Exception as error:
        if not _is_told(error):
            traceback.print_exc()
        print(
            f"torchvitals checkup: could not run: {type(error).__name__}: {error}", file=sys.stderr
        )
        sys.exit(NO_VERDICT)
    sys.exit(HEALTHY if found.healthy else SICK if found.sick else NO_VERDICT)


def _is_told(error: Exception) -> bool:
    """Whether this package raised it on purpose: then its message says what to do."""
    frame = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    ours = frame.f_globals["__name__"].startswith("torchvitals.")
    told = isinstance(error, (OSError, TypeError, ValueError))
    return ours and told and str(error).startswith("Expected ")


def _check() -> Any:
    description = (
        "Train for a few hundred steps as `torchvitals fit` would with these arguments, on one "
        "device, without logger, checkpoints or early stopping; print what the doctor finds. Exit "
        "status: 0 healthy, 1 sick (a warning or worse), 2 no verdict: it could not run, or made "
        "fewer steps than a tenth of the plan (at least 30, at most 200)."
    )
    line = CheckupCommandLine(
        run=False,
        save_config_callback=None,
        # The parser's tip to run `--help` names this program.
        parser_kwargs={
            "prog": "torchvitals checkup",
            "usage": _USAGE,
            "description": description,
        },
    )
    config = line.config
    return checkup(
        line.model,
        line.datamodule,
        steps=config.steps,
        ckpt_path=config.ckpt_path,
        weights_only=config.weights_only,
        report=config.report,
        **line.trainer_arguments,
    )
