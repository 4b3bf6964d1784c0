"""The time since the last validation, if ``val_check_interval`` is a time."""

import time

from lightning.pytorch import Trainer


def read_clock(trainer: Trainer) -> float | None:
    """Return the seconds since the last validation; None if validation is not time-based."""
    if _interval(trainer) is None:
        return None
    last: float = trainer._last_val_time  # type: ignore[attr-defined]
    return time.monotonic() - last


def put_back_clock(trainer: Trainer, seconds: float | None) -> bool:
    """Set the clock back by the saved time, and return whether a validation was due by then.

    Only the saved time decides, because it is the same on all ranks.

    Args:
        trainer: The Trainer, when training starts, from which Lightning counts.
        seconds: The saved time; None if it was not saved.
    """
    interval = _interval(trainer)
    if interval is None or seconds is None:
        return False
    trainer._last_val_time = time.monotonic() - seconds  # type: ignore[attr-defined]
    return seconds >= interval


def _interval(trainer: Trainer) -> float | None:
    return getattr(trainer, "_val_check_time_interval", None)
