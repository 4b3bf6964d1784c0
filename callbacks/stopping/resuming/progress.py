"""Training progress: epochs, minutes, and the training loss since the last check."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor


def batch_progress(trainer: Trainer) -> Any:
    """Return the loop's own counts of training batches: ready to completed, current and total."""
    return trainer.fit_loop.epoch_loop.batch_progress


def epoch_progress(trainer: Trainer) -> Any:
    """Return the loop's own counts of training epochs, likewise."""
    return trainer.fit_loop.epoch_progress


def align_progress(trainer: Trainer) -> None:
    """Make Lightning's total count of batches agree with its count in this epoch.

    The total runs ahead by each batch that was interrupted, or skipped by `on_train_batch_start`,
    and Lightning then mistakes the moment at which the next checkpoint was saved.
    """
    loop = trainer.fit_loop.epoch_loop
    total, current = batch_progress(trainer).total, batch_progress(trainer).current
    counts = ("ready", "started", "completed")
    found = {name: total.processed + getattr(current, name) - current.processed for name in counts}
    if any(getattr(total, name) != count for name, count in found.items()):
        vars(total).update(found)
        loop.update_restart_stage()
    # A batch that has not been processed is begun again.
    total.ready = total.started = total.processed


@contextmanager
def left_to_lightning(what: str) -> Iterator[None]:
    """Leave something as Lightning leaves it, with a warning, in a release with other loops."""
    try:
        yield
    except AttributeError as error:
        rank_zero_warn(
            "This release of Lightning tracks its progress differently from those that "
            f"EarlyStopping supports. {what} is left as Lightning leaves it: {error}"
        )


def counts(trainer: Trainer) -> bool:
    """Whether this is training or validation in fit, outside sanity checks and `fast_dev_run`."""
    fast_dev_run: bool = trainer.fast_dev_run  # type: ignore[attr-defined]
    trial = trainer.sanity_checking or fast_dev_run
    return trainer.state.fn == TrainerFn.FITTING and not trial


def validates(trainer: Trainer) -> bool:
    """Whether there are batches to validate; assumed until validation is due for the first time."""
    if not trainer.enable_validation:
        return False
    return trainer.val_dataloaders is None or sum(trainer.num_val_batches) > 0


def epochs_trained(trainer: Trainer) -> float:
    """Return epochs so far, including the fraction of this one: a half if its length is unknown."""
    batches = trainer.num_training_batches
    if not 0 < batches < math.inf:
        return trainer.current_epoch + (1.0 if batch_progress(trainer).is_last_batch else 0.5)
    return trainer.current_epoch + (trainer.fit_loop.batch_idx + 1) / batches


class Stopwatch:
    """Minutes of training, including earlier runs that this one resumes."""

    def __init__(self) -> None:
        self.before = 0.0
        self._since: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes so far."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self.before + running / 60

    def stop(self, before: float | None = None) -> None:
        """Stop the clock; ``before`` sets its reading, in minutes."""
        self.before, self._since = self.minutes if before is None else before, None


class TrainingLoss:
    """Mean loss of the training batches since the last check, summed on the device."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start a new mean."""
        self._sum: Tensor | float = 0.0
        self._batches = 0

    def add(self, outputs: Any, factor: int = 1) -> None:
        """Add a training step's loss; ``factor`` undoes the division for gradient accumulation."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            self._sum = self._sum + loss.detach() * factor
            self._batches += 1

    @property
    def mean(self) -> float:
        """Mean loss; NaN without batches."""
        return float(self._sum) / self._batches if self._batches else math.nan

    def state_dict(self) -> dict[str, float]:
        """Return the sum and the number of batches."""
        return {"sum": float(self._sum), "batches": self._batches}

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        """Load a checkpoint's sum."""
        self._sum, self._batches = state_dict["sum"], int(state_dict["batches"])
