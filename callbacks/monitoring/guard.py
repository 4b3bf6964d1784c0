"""What keeps a monitor's own error from taking a training run down."""

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
    """Warn, and go on: where warnings are errors, the log has it."""
    try:
        warnings.warn(text, stacklevel=4)
    except Warning:
        _log.warning(text)


def text_of(error: BaseException) -> str:
    """What an error says; nothing where it is of somebody's own making and cannot even say it."""
    try:
        return str(error)
    except Exception:
        return ""


def _rank() -> int:
    return getattr(rank_zero_only, "rank", None) or 0


def switch_off(monitor: Any, error: Exception) -> None:
    """Mark a monitor as failed and say so once, on the rank where it did."""
    if not monitor.failed:
        monitor.failed = True
        rank = _rank()
        warn(
            f"{type(monitor).__name__} switched itself off{f' on rank {rank}' * bool(rank)}, "
            f"training goes on: {type(error).__name__}: {text_of(error)}"
        )


def switch_off_with_others(monitor: Any) -> None:
    """Mark a monitor as failed because that of another rank has; rank 0 says so."""
    if not monitor.failed:
        monitor.failed = True
        if not _rank():
            warn(
                f"{type(monitor).__name__} switched itself off, training goes on: that of another "
                "rank did."
            )


def attempt(monitor: Any, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Do a piece of work unless the monitor has failed; None if it has, or does now."""
    if monitor.failed:
        return None
    try:
        return work(*args, **kwargs)
    except Exception as error:
        switch_off(monitor, error)
        return None


def clean_up(monitor: Any, work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Do what has to be done after a failure as well; one that it brings is the monitor's, too."""
    try:
        work(*args, **kwargs)
    except Exception as error:
        switch_off(monitor, error)


def switch_off_on_error(
    method: Callable[Concatenate[Monitor, P], None],
) -> Callable[Concatenate[Monitor, P], None]:
    """Let a method of a monitor run until it fails once: then warn, and do nothing from there on.

    The monitor's ``failed`` says which; it is set to False when training starts.
    """

    @wraps(method)
    def guarded(self: Monitor, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.failed:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            switch_off(self, error)

    return guarded  # type: ignore[return-value]


class SideWork:
    """What a monitor does beside its record; each kind of it ends with its first failure.

    Args:
        monitor: Name of the monitor, for the warning.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._given_up: set[str] = set()

    def attempt(
        self, kind: str, work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do something that may fail without the record being any worse for it.

        Args:
            kind: What it is of, in a word: file, logger, picture.
            work: The work.
            *args: Its arguments.
            **kwargs: Its arguments by name.
        """
        if kind in self._given_up:
            return
        try:
            work(*args, **kwargs)
        except Exception as error:
            self._given_up.add(kind)
            warn(
                f"{self._monitor} gave up its {kind}, and goes on: {type(error).__name__}: "
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
        """Do something with each of a Trainer's loggers: one that fails is given up alone.

        Args:
            loggers: The loggers.
            work: The work, whose first argument is the logger.
            *args: Its other arguments.
            **kwargs: Its arguments by name.
        """
        for number, logger in enumerate(loggers, start=1):
            which = "" if len(loggers) == 1 else f" {number} ({type(logger).__name__})"
            self.attempt(f"logger{which}", work, logger, *args, **kwargs)

    def resume(self) -> None:
        """Try everything again, in a new fit."""
        self._given_up.clear()
