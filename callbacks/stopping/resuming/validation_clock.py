"""The time since the last validation, where ``val_check_interval`` is a time."""

import time

from lightning.pytorch import Trainer


def read_clock(trainer: Trainer) -> float | None:
    """Seconds since the last validation; None where they do not matter."""
    if _interval(trainer) is None:
        return None
    last: float = trainer._last_val_time  # type: ignore[attr-defined]
    return time.monotonic() - last


def put_back_clock(trainer: Trainer, seconds: float | None) -> bool:
    """Have as many seconds gone by, and say whether a validation was due with them.

    What tells is what was saved, the same on all ranks.

    Args:
        trainer: The Trainer, when training starts: Lightning counts from there.
        seconds: As saved; None where they were not.
    """
    interval = _interval(trainer)
    if interval is None or seconds is None:
        return False
    trainer._last_val_time = time.monotonic() - seconds  # type: ignore[attr-defined]
    return seconds >= interval


def _interval(trainer: Trainer) -> float | None:
    return getattr(trainer, "_val_check_time_interval", None)
