"""Where a callback's last fit ended, and whether the next one goes on from there."""

from lightning.pytorch import Trainer

from .loggers import logger_step


class LastFit:
    """Tell a fit that goes on from one that begins anew.

    A Trainer that fits the same module once more (with more epochs, or after Ctrl-C in a notebook)
    counts its steps on, and so do its loggers: what was recorded goes on, too.
    """

    def __init__(self) -> None:
        self._end: tuple[int, int] | None = None

    def end(self, trainer: Trainer) -> None:
        """Take down where a fit ends."""
        self._end = _place(trainer)

    def goes_on(self, trainer: Trainer) -> bool:
        """Whether the fit that begins is of the same module, from the step where the last ended."""
        begins = trainer.global_step == 0 or trainer.ckpt_path is not None
        return not begins and self._end == _place(trainer)


def _place(trainer: Trainer) -> tuple[int, int]:
    return id(trainer.lightning_module), logger_step(trainer)
