"""Read and judge the monitors at a check, and hold a verdict until it may take effect."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from .first_place import FirstPlace
from .helping_callbacks import drop_helpers
from .judging.curve import Mode, Position
from .judging.judge import Judge, Rules
from .judging.readings import Readings
from .judging.reason import Verdict
from .resuming.accumulation import accumulating, resume_accumulation
from .resuming.averages import Averages
from .resuming.batch_buffers import BatchBuffers
from .resuming.epoch_sums import EpochSums
from .resuming.missed_epoch_end import end_stopped_epoch, resume_epoch
from .resuming.missed_validation import batches_trained, is_missed, validate_late
from .resuming.plateau_schedules import PlateauSchedules
from .resuming.progress import Stopwatch, TrainingLoss
from .resuming.rank_values import of_ranks, of_this_rank
from .resuming.validation_clock import put_back_clock, read_clock
from .resuming.waiting_gradients import WaitingGradients
from .resuming.weight_averaging_rate import resume_rate

# Entries of the state that differ between ranks.
_OWN = ("readings", "training_loss", "schedules")


class Checks:
    """The state of a run, from one check to the next and from one checkpoint to the next.

    Args:
        rules: The limits.
        modes: Mode of each monitor.
        strict: Whether a missing metric is an error.
        verbose: Whether it is a warning if it is not an error.
        **judging: Arguments of :class:`Curve` for how improvements are judged.

    Attributes:
        judge: The curves of the monitors.
        readings: Values of the monitors that await a check.
        epoch_sums: Running sums of the monitors over the training epoch.
        schedules: Learning rate schedules that follow a metric.
        gradients: Gradients of batches that await a step.
        buffers: The module's buffers as they were before the batch.
        averages: Averaged weights, which may be swapped into the module.
        watch: Minutes of training.
        training_loss: Mean training loss since the last check.
        pending: A stop that is called for, but may not take effect yet.
        loaded: Whether the run continues from a checkpoint.
        stops_again: Whether that run had stopped.
        planned_epochs: ``max_epochs`` when training began.
    """

    def __init__(
        self, rules: Rules, modes: Mapping[str, Mode], strict: bool, verbose: bool, **judging: Any
    ) -> None:
        self.rules = rules
        self.judge = Judge(rules, modes, **judging)
        self.readings = Readings(modes, strict, verbose)
        self.epoch_sums = EpochSums(modes)
        self.schedules = PlateauSchedules()
        self.gradients = WaitingGradients()
        self.buffers = BatchBuffers()
        self.averages = Averages()
        self.watch = Stopwatch()
        self.training_loss = TrainingLoss()
        self._first = FirstPlace(self._begin_batch, self._end_step)
        self.planned_epochs = -1
        self.loaded = False
        self.clear()

    def clear(self) -> None:
        """Forget all checks."""
        for part in (
            self.judge, self.readings, self.training_loss, self.epoch_sums, self.schedules,
            self.gradients, self.buffers, self.averages,
        ):  # fmt: skip
            part.clear()
        self.watch.stop(before=0.0)
        self.pending: Verdict | None = None
        self.stops_again = self._pends = self._begun = False
        self._of_ranks: list[dict[str, Any]] = []
        # Numbers of batches and epochs; None if unknown.
        self._validated: int | None = 0
        self._ended: int | None = 0
        self._since_validation: float | None = None

    # During training

    def end_epoch_late(self, trainer: Trainer) -> None:
        """Make a resumed run finish an epoch whose end is due, or else begin the next one."""
        if self.loaded:
            self._take_own(trainer)
            resume_accumulation(trainer)
        self.epoch_sums.add_names(self.schedules.names(trainer))
        self.schedules.put_back(trainer)
        if resume_epoch(trainer, self._ended if self.loaded else None):
            self.epoch_sums.unknown = self.epoch_sums.monitors
        if self.loaded:
            resume_rate(trainer)

    def begin(self, trainer: Trainer) -> bool:
        """Start the clock once: another callback may run a validation before this one starts."""
        if self._begun:
            return False
        self._begun = True
        self.planned_epochs = -1 if trainer.max_epochs is None else trainer.max_epochs
        self.watch.start()
        epoch = trainer.current_epoch
        self.judge.begin(Position(epoch, epoch, trainer.global_step, self.watch.minutes))
        return True

    def validate_late(self, trainer: Trainer) -> None:
        """Run a validation that is due in a resumed run, and step the schedules after it."""
        in_time = self.loaded and put_back_clock(trainer, self._since_validation)
        self.averages.put_back(trainer)
        with accumulating(trainer):
            self.gradients.put_back(trainer)
            if self.loaded and is_missed(trainer, self._validated, in_time=in_time):
                validate_late(trainer)
            self.schedules.step_late(trainer)

    def stop_again(self) -> bool:
        """Judge the last check again, and return whether the run that is resumed had stopped."""
        stops, self.stops_again = self.stops_again, False
        pends, self._pends = self._pends, False
        if stops or pends:
            # By the limits of this run.
            self.pending = self.judge.verdict(self.judge.last_position or Position())
        return stops

    def end_stopped_epoch(self, trainer: Trainer) -> None:
        """Make a resumed run finish the epoch that a stop had cut short."""
        if end_stopped_epoch(trainer):
            self.epoch_sums.unknown = self.epoch_sums.monitors
            self.schedules.cut_short()

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the state before a training batch."""
        self.buffers.begin_batch(trainer, pl_module)
        self.epoch_sums.begin_batch(trainer, pl_module)
        by_hand = not pl_module.automatic_optimization
        # The same decision on every rank, because the sums are exchanged.
        if trainer.world_size > 1 or by_hand or self.rules.criterion == "PQ":
            self._first.take(trainer)

    def _begin_batch(self, trainer: Trainer) -> None:
        self.epoch_sums.tell(trainer, begins=True)

    def _end_step(self, trainer: Trainer, outputs: Any) -> None:
        """Add the loss if the criterion needs it, without waiting for the device."""
        automatic = trainer.lightning_module.automatic_optimization
        if not automatic:
            self.gradients.by_hand.end_batch(trainer)
        if self.rules.criterion == "PQ":
            self.training_loss.add(outputs, trainer.accumulate_grad_batches if automatic else 1)
        self.epoch_sums.tell(trainer, begins=False)

    def end_batch(self, trainer: Trainer) -> None:
        """Note that a training batch is over."""
        self.epoch_sums.end_batch(trainer)
        self.schedules.end_batch(trainer)

    def end_fit(self, trainer: Trainer) -> None:
        """Leave the Trainer as it was, however training ended."""
        last = self.judge.last_position
        idle = self.loaded and not self._begun and not trainer.interrupted
        if idle and last and last.steps < trainer.global_step:
            rank_zero_warn(
                "The checkpoint leaves nothing to train, so the check that was due when it was "
                f"saved cannot be made up for: the last check was at step {last.steps}."
            )
        self.loaded = False
        self.buffers.clear()
        drop_helpers(trainer)

    def end_validation(self, trainer: Trainer, keep: bool) -> None:
        """Note that a validation is over; ``keep`` its values if their check comes later."""
        self._validated = batches_trained(trainer)
        self.gradients.end_validation()
        self.readings.note(trainer, keep=keep)

    def add_up(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Complete the monitors' running sums over a training epoch, when it ends."""
        values = self.epoch_sums.end_epoch(trainer, pl_module)
        self.readings.wait(values)

    def end_epoch(self, trainer: Trainer) -> None:
        """Note that the epoch has been checked."""
        self.epoch_sums.close()
        self.schedules.end_epoch(trainer)
        self._ended = trainer.current_epoch + 1

    def check(self, trainer: Trainer, epoch: int, epochs: float) -> str | None:
        """Read and judge the monitors.

        Args:
            trainer: The Trainer.
            epoch: Index of the epoch, from 0.
            epochs: Epochs trained, including the fraction of the last.

        Returns:
            A description of the improvement if this is the best check so far.
        """
        mine = [self.watch.minutes, self.training_loss.mean]
        readings, rows = self.readings.take(trainer, mine, self.epoch_sums.unknown)
        loss = sum(row[1] for row in rows) / len(rows)
        at = Position(epoch, epochs, trainer.global_step, rows[0][0])
        before, improved = self.judge.first.describe_best(), False
        if at.epoch < self.rules.start_from_epoch or at.steps < self.rules.start_from_step:
            self.judge.wait(at)
            self.judge.fail(readings)
            self.training_loss.clear()
        elif readings:
            improved = self.judge.add(readings, at, loss)
            self.training_loss.clear()
        self.judge.warn_where_undefined()
        self.pending = self.judge.verdict(at)
        first = self.judge.first
        best = f"{first.monitor} = {first.best:.4g} is the best so far" if improved else None
        return best and f"{best}; previous best: {before}."

    def verdict(self, trainer: Trainer, epochs_done: int) -> Verdict | None:
        """Return a stop once the Trainer's minimum is met: until then a check may improve."""
        minimum = (trainer.min_epochs or 0, trainer.min_steps or 0)
        if epochs_done < minimum[0] or trainer.global_step < minimum[1]:
            return None
        found, self.pending = self.pending, None
        return found

    # In checkpoints

    def state_dict(self, stopped: bool) -> dict[str, Any]:
        """Return the progress; `complete` adds what only the Trainer has."""
        return {
            "stops": stopped,
            "pending": self.pending is not None,
            "validated": self._validated,
            "ended": self._ended,
            "judge": self.judge.state_dict(),
            "readings": self.readings.state_dict(),
            "minutes": self.watch.minutes,
            "training_loss": self.training_loss.state_dict(),
        }

    def complete(self, state_dict: dict[str, Any], trainer: Trainer) -> None:
        """Add what only the Trainer has: running sums, and each rank's own values."""
        state_dict["epoch_sums"] = self.epoch_sums.state(trainer)
        state_dict["readings"] = self.readings.state_dict(trainer)
        state_dict["schedules"] = self.schedules.state(trainer)
        state_dict["gradients"] = self.gradients.state(trainer)
        state_dict["averages"] = self.averages.state(trainer)
        # Lightning sets its clock after the last hook of a validation.
        is_fresh = self._validated == batches_trained(trainer)
        state_dict["since_validation"] = 0.0 if is_fresh else read_clock(trainer)
        own = {name: state_dict[name] for name in _OWN}
        state_dict["ranks"] = of_ranks(trainer, own)

    def _take_own(self, trainer: Trainer) -> None:
        own = of_this_rank(trainer, self._of_ranks)
        if own:
            self.readings.load_state_dict(own["readings"])
            self.training_loss.load_state_dict(own["training_loss"])
            self.schedules.load_state(own["schedules"])

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> bool:
        """Load a checkpoint's progress, and return whether it is more than Lightning's own."""
        self.loaded = True
        self._validated = state_dict.get("validated")
        self._ended = state_dict.get("ended")
        self._since_validation = state_dict.get("since_validation")
        if "judge" not in state_dict:
            self.judge.first.adopt(float(state_dict["best_score"]), state_dict["wait_count"])
            return False
        self.judge.load_state_dict(state_dict["judge"])
        self.readings.load_state_dict(state_dict["readings"])
        self.watch.stop(before=state_dict["minutes"])
        self.training_loss.load_state_dict(state_dict["training_loss"])
        self.epoch_sums.load_state(state_dict.get("epoch_sums"))
        self.schedules.load_state(state_dict.get("schedules"))
        self.gradients.load_state(state_dict.get("gradients"))
        self.averages.load_state(state_dict.get("averages"))
        self.stops_again = state_dict["stops"]
        self._pends = state_dict["pending"]
        self._of_ranks = state_dict.get("ranks", [])
        return True
