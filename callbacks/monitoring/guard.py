"""Keep a monitor's own errors from stopping a training run."""

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from lightning.pytorch.utilities import rank_zero_only

P = ParamSpec("P")
T = TypeVar("T")
Monitor = TypeVar("Monitor", bound=Any)


_log = logging.getLogger(__name__)


def warn(text: str) -> None:
    """Warn without raising: if warnings are errors, log the text instead."""
    try:
        warnings.warn(text, stacklevel=4)
    except Warning:
        _log.warning(text)


def warn_on_rank_zero(text: str) -> None:
    """Warn on rank 0 only, without raising: what is worth a warning must not stop a monitor."""
    if not _rank():
        warn(text)


def text_of(error: BaseException) -> str:
    """Message of an error; empty for a custom one whose ``__str__`` fails."""
    try:
        return str(error)
    except Exception:
        return ""


def _rank() -> int:
    return getattr(rank_zero_only, "rank", None) or 0


def switch_off(monitor: Any, error: Exception) -> None:
    """Mark a monitor as failed and warn once, on the rank where it failed."""
    if not monitor.failed:
        monitor.failed = True
        rank = _rank()
        warn(
            f"{type(monitor).__name__} switched itself off{f' on rank {rank}' * bool(rank)}; "
            f"training continues: {type(error).__name__}: {text_of(error)}"
        )


def switch_off_with_others(monitor: Any) -> None:
    """Mark a monitor as failed because the one on another rank has; rank 0 warns."""
    if not monitor.failed:
        monitor.failed = True
        warn_on_rank_zero(
            f"{type(monitor).__name__} switched itself off; training continues: the one on "
            "another rank did."
        )


def attempt(monitor: Any, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Run ``work`` unless the monitor has failed; return None if it has, or if ``work`` fails."""
    if monitor.failed:
        return None
    try:
        return work(*args, **kwargs)
    except Exception as error:
        switch_off(monitor, error)
        return None


def clean_up(monitor: Any, work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Run ``work`` even after a failure; an error in it switches the monitor off, too."""
    try:
        work(*args, **kwargs)
    except Exception as error:
        switch_off(monitor, error)


def switch_off_on_error(
    method: Callable[Concatenate[Monitor, P], None],
) -> Callable[Concatenate[Monitor, P], None]:
    """Make a monitor's method warn when it fails, and do nothing while the monitor has failed.

    The monitor's ``failed`` holds that state; it is reset to False when a fit starts.
    """

    @wraps(method)
    def guarded(self: Monitor, *args: P.args, **kwargs: P.kwargs) -> None:
        attempt(self, method, self, *args, **kwargs)

    return guarded  # type: ignore[return-value]


class SideWork:
    """Work that a monitor does besides its record; each kind ends with its first failure.

    Args:
        monitor: Name of the monitor, for the warning.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._given_up: set[str] = set()

    def attempt(
        self, kind: str, work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run work whose failure does not affect the record.

        Args:
            kind: Kind of work, in a word: file, logger, picture.
            work: Function that does the work.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.
        """
        if kind in self._given_up:
            return
        try:
            work(*args, **kwargs)
        except Exception as error:
            self._given_up.add(kind)
            warn(
                f"{self._monitor} gave up on its {kind} and continues: {type(error).__name__}: "
                f"{text_of(error)}"
            )

    def attempt_with_each(
        self,
        loggers: Sequence[object],
        work: Callable[Concatenate[Any, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Run work for each of a Trainer's loggers; only a logger that fails is dropped.

        Args:
            loggers: The loggers.
            work: Function whose first argument is the logger.
            *args: Its other positional arguments.
            **kwargs: Its keyword arguments.
        """
        for number, logger in enumerate(loggers, start=1):
            which = "" if len(loggers) == 1 else f" {number} ({type(logger).__name__})"
            self.attempt(f"logger{which}", work, logger, *args, **kwargs)

    def resume(self) -> None:
        """Try every kind of work again, in a new fit."""
        self._given_up.clear()
