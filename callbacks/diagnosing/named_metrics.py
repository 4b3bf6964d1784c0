"""Metrics that the user has named, and whether they are logged."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn

from ..monitoring.recording.loggers import unavailable

_MIN_SCORE_OF_CLOSE_NAMES = 0.75
_INSTEAD = "leave it out, to have it found"


class NamedMetrics:
    """Find metrics by the names that were given, and say where there are none.

    With several validation loaders Lightning adds the loader to the name: it is that of the first.

    Args:
        **given: Name by argument; None names nothing.

    Attributes:
        is_given: Whether there is a name.
    """

    def __init__(self, **given: str | None) -> None:
        self._given = {argument: name for argument, name in given.items() if name is not None}
        self.is_given = bool(self._given)
        self._warned: set[str] = set()

    def find(self, argument: str, logged: Iterable[str]) -> str | None:
        """Name under which the metric is logged: empty if it is not, None if none was named."""
        name, names = self._given.get(argument), list(logged)
        if name is None or name in names:
            return name
        return next((other for other in names if other.startswith(f"{name}/dataloader_idx_")), "")

    def read(self, trainer: Trainer) -> tuple[str, ...] | None:
        """Names of all metrics that are logged; None where the user has named none."""
        return tuple(trainer.callback_metrics) if self.is_given else None

    def demand(self, ranks: Sequence[tuple[str, ...] | None]) -> None:
        """Refuse a name in the sanity check that looks like a slip for one that a rank has logged.

        Of another one it warns: a module may log more later.

        Args:
            ranks: What each rank has read.

        Raises:
            ValueError: If there is one.
        """
        names = _join(ranks) or []
        for argument, complaint in self._complaints(names).items() if names else ():
            if not get_close_matches(self._given[argument], names, 1, _MIN_SCORE_OF_CLOSE_NAMES):
                self._warn(argument, complaint)
                continue
            raise ValueError(
                f"{complaint} If it is only the sanity check that does not log it, set "
                "`Trainer(num_sanity_val_steps=0)`."
            )

    def warn(self, ranks: Sequence[tuple[str, ...] | None]) -> None:
        """Say once of each name that no rank has logged it.

        Args:
            ranks: What each rank has read.
        """
        names = _join(ranks)
        for argument, complaint in self._complaints(names).items() if names is not None else ():
            self._warn(argument, complaint)

    def _warn(self, argument: str, complaint: str) -> None:
        if argument not in self._warned:
            self._warned.add(argument)
            rank_zero_warn(complaint)

    def _complaints(self, names: Sequence[str]) -> dict[str, str]:
        """A sentence by argument for each metric that was named and is not logged."""
        return {
            argument: unavailable(argument, name, names, instead=_INSTEAD)
            for argument, name in self._given.items()
            if not self.find(argument, names)
        }


def _join(ranks: Sequence[tuple[str, ...] | None]) -> list[str] | None:
    """Names on any rank; None where the user has named none."""
    known = [names for names in ranks if names is not None]
    return list(dict.fromkeys(chain(*known))) if known else None
