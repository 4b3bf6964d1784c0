"""How far training is: epochs, minutes, and the training loss since the last check."""

import math
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor


def batch_progress(trainer: Trainer) -> Any:
    """The loop's own count of training batches, ready to completed, current and total."""
    return trainer.fit_loop.epoch_loop.batch_progress


def epoch_progress(trainer: Trainer) -> Any:
    """The loop's own count of training epochs, likewise."""
    return trainer.fit_loop.epoch_progress


def align_progress(trainer: Trainer) -> None:
    """Have Lightning's count of all batches say of this epoch what that of the epoch says.

    It goes ahead by each batch that an interruption broke or `on_train_batch_start` left out, and
    then takes the next checkpoint for one of another moment.
    """
    loop = trainer.fit_loop.epoch_loop
    total, current = batch_progress(trainer).total, batch_progress(trainer).current
    counts = ("ready", "started", "completed")
    found = {name: total.processed + getattr(current, name) - current.processed for name in counts}
    if any(getattr(total, name) != count for name, count in found.items()):
        vars(total).update(found)
        loop.update_restart_stage()
    # A batch that is not processed is begun again.
    total.ready = total.started = total.processed


def warn_of_release(what: str, error: Exception) -> None:
    """Say that something is left as Lightning leaves it."""
    rank_zero_warn(
        "This release of Lightning keeps its progress in another way than the ones that "
        f"EarlyStopping knows. {what} is left as Lightning leaves it: {error}"
    )


def counts(trainer: Trainer) -> bool:
    """Whether this is training, or the validation in it, and not a trial of either."""
    fast_dev_run: bool = trainer.fast_dev_run  # type: ignore[attr-defined]
    trial = trainer.sanity_checking or fast_dev_run
    return trainer.state.fn == TrainerFn.FITTING and not trial


def epochs_trained(trainer: Trainer) -> float:
    """Epochs so far, with the fraction of this one: a half of one whose length is not known yet."""
    batches = trainer.num_training_batches
    if not 0 < batches < math.inf:
        return trainer.current_epoch + (1.0 if batch_progress(trainer).is_last_batch else 0.5)
    return trainer.current_epoch + (trainer.fit_loop.batch_idx + 1) / batches


class Stopwatch:
    """Minutes of training, those of earlier runs that this one resumes included."""

    def __init__(self) -> None:
        self.before = 0.0
        self._since: float | None = None

    def start(self) -> None:
        """Run from now on."""
        self._since = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes so far."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self.before + running / 60

    def stop(self, before: float | None = None) -> None:
        """Stand still, at a given reading if one is given."""
        self.before, self._since = self.minutes if before is None else before, None


class TrainingLoss:
    """Mean loss of the training batches since the last check, summed on the device."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin a new mean."""
        self._sum: Tensor | float = 0.0
        self._batches = 0

    def add(self, outputs: Any, factor: int = 1) -> None:
        """Take up what a training step has; ``factor`` undoes what accumulation divided it by."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            self._sum = self._sum + loss.detach() * factor
            self._batches += 1

    @property
    def mean(self) -> float:
        """NaN without batches."""
        return float(self._sum) / self._batches if self._batches else math.nan

    def state_dict(self) -> dict[str, float]:
        """Sum and number."""
        return {"sum": float(self._sum), "batches": self._batches}

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        """Go on from a checkpoint's sum."""
        self._sum, self._batches = state_dict["sum"], int(state_dict["batches"])
