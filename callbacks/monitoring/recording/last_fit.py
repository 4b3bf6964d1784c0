"""Where a callback's last fit ended, and whether the next one continues from there."""

from lightning.pytorch import Trainer

from .loggers import logger_step


class LastFit:
    """Distinguish a fit that continues the last one from one that starts afresh.

    A Trainer that fits the same module again (with more epochs, or after Ctrl-C in a notebook)
    continues its step count, and so do its loggers: the record continues, too.
    """

    def __init__(self) -> None:
        self._end: tuple[int, int] | None = None

    def end(self, trainer: Trainer) -> None:
        """Record where a fit ends."""
        self._end = _place(trainer)

    def goes_on(self, trainer: Trainer) -> bool:
        """Whether the new fit trains the same module, from the step where the last one ended."""
        begins = trainer.global_step == 0 or trainer.ckpt_path is not None
        return not begins and self._end == _place(trainer)


def _place(trainer: Trainer) -> tuple[int, int]:
    return id(trainer.lightning_module), logger_step(trainer)
