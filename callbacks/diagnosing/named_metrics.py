"""Metrics that the user has named, and whether they are logged."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn

from ..monitoring.recording.loggers import unavailable

_MIN_SCORE_OF_CLOSE_NAMES = 0.75
_INSTEAD = "leave the argument out to have one found"


class NamedMetrics:
    """Find metrics by the names that the user gave, and complain about missing ones.

    With several validation loaders, Lightning appends the loader to the name: the first one counts.

    Args:
        **given: Name of the metric by argument; None for no name.

    Attributes:
        is_given: Whether any name was given.
    """

    def __init__(self, **given: str | None) -> None:
        self._given = {argument: name for argument, name in given.items() if name is not None}
        self.is_given = bool(self._given)
        self._warned: set[str] = set()

    def find(self, argument: str, logged: Iterable[str]) -> str | None:
        """Return the name under which a metric is logged; empty if it is not, None if not named."""
        name, names = self._given.get(argument), list(logged)
        if name is None or name in names:
            return name
        return next((other for other in names if other.startswith(f"{name}/dataloader_idx_")), "")

    def read(self, trainer: Trainer) -> tuple[str, ...]:
        """Return the names of all logged metrics; none if the user has named none."""
        return tuple(trainer.callback_metrics) if self.is_given else ()

    def demand(self, ranks: Sequence[tuple[str, ...]]) -> None:
        """Refuse a name in the sanity check that looks like a misspelling of a logged one.

        Any other missing name only brings a warning: a module may log more later.

        Args:
            ranks: What each rank has read.

        Raises:
            ValueError: If a name looks like a misspelling.
        """
        names = _join(ranks)
        for argument, complaint in self._complaints(names).items() if names else ():
            if not get_close_matches(self._given[argument], names, 1, _MIN_SCORE_OF_CLOSE_NAMES):
                self._warn(argument, complaint)
                continue
            raise ValueError(
                f"{complaint} If only the sanity check does not log it, set "
                "`Trainer(num_sanity_val_steps=0)`."
            )

    def warn(self, ranks: Sequence[tuple[str, ...]]) -> None:
        """Warn once about each name that no rank has logged.

        Args:
            ranks: What each rank has read.
        """
        for argument, complaint in self._complaints(_join(ranks)).items():
            self._warn(argument, complaint)

    def _warn(self, argument: str, complaint: str) -> None:
        if argument not in self._warned:
            self._warned.add(argument)
            rank_zero_warn(complaint)

    def _complaints(self, names: Sequence[str]) -> dict[str, str]:
        """Return a sentence, by argument, for each named metric that is not logged."""
        return {
            argument: unavailable(argument, name, names, instead=_INSTEAD)
            for argument, name in self._given.items()
            if not self.find(argument, names)
        }


def _join(ranks: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the names on any rank."""
    return list(dict.fromkeys(chain(*ranks)))
