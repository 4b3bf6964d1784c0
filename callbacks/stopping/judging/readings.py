"""Values of the monitors at a check: only fresh ones, gathered from all ranks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from ....functional.precision import widest
from ...monitoring.recording.loggers import unavailable
from ..resuming.logged_sums import logged_in_validation
from ..resuming.plateau_schedules import is_old
from ..resuming.progress import validates

# Value of one monitor at one check, on each rank that has one.
Reading = tuple[float, ...]


class Readings:
    """Read each value of the monitors once.

    Args:
        monitors: Names of the metrics.
        strict: Whether a missing metric is an error.
        verbose: Whether it is a warning if it is not an error.

    Attributes:
        noted: Values that await their check.
        of_validation: Whether one of them was logged in validation.
    """

    def __init__(self, monitors: Iterable[str], strict: bool, verbose: bool) -> None:
        self.monitors = list(monitors)
        self.strict = strict
        self.verbose = verbose
        self.clear()

    def clear(self) -> None:
        """Forget all values."""
        self.noted: dict[str, float] = {}
        self.of_validation = False
        self._read: dict[str, Tensor] = {}
        self._validated = False

    def note(self, trainer: Trainer, keep: bool) -> None:
        """Note that validation is over; ``keep`` its values if their check comes later.

        They are part of the state: a run resumed in between could not obtain them otherwise.
        """
        self._validated = True
        if keep:
            fresh = self._fresh(trainer)
            self.of_validation |= bool(fresh.keys() & logged_in_validation(trainer))
            self.noted |= fresh

    def wait(self, values: Mapping[str, float]) -> None:
        """Keep values that Lightning does not have for the next check."""
        self.noted |= values

    def _fresh(self, trainer: Trainer) -> dict[str, float]:
        metrics = trainer.callback_metrics
        fresh = [name for name in self.monitors if self._is_fresh(metrics.get(name), name)]
        return {name: float(metrics[name]) for name in fresh}

    def _is_fresh(self, metric: Tensor | None, name: str) -> bool:
        """Whether it was logged since the last read: until then Lightning keeps the same tensor."""
        last = self._read.get(name)
        if metric is None or is_old(metric):
            return False
        if last is None:
            return True
        return metric.device != last.device or metric.data_ptr() != last.data_ptr()

    def take(
        self, trainer: Trainer, extra: Sequence[float], excused: Collection[str] = ()
    ) -> tuple[dict[str, Reading], list[list[float]]]:
        """Read the monitors that have a value not yet read.

        Args:
            trainer: The Trainer.
            extra: Numbers to gather from every rank as well.
            excused: Monitors that may be missing.

        Returns:
            Readings by monitor, and each rank's ``extra``.

        Raises:
            RuntimeError: If ``strict`` and a required monitor is missing.
        """
        metrics = trainer.callback_metrics
        row = [*extra]
        for name in self.monitors:
            metric = metrics.get(name)
            known = float(metric is not None)
            if metric is not None and self._is_fresh(metric, name):
                self._read[name] = metric
                row += [known, 1.0, float(metric)]
            else:
                row += [known, float(name in self.noted), self.noted.get(name, 0.0)]
        rows = over_ranks(trainer, row)
        readings = {}
        for i, name in enumerate(self.monitors):
            place = len(extra) + 3 * i
            values = [row[place + 2] for row in rows if row[place + 1]]
            if values:
                readings[name] = tuple(values)
            elif (
                not any(row[place] for row in rows)
                and name not in excused
                and (self._validated or not validates(trainer))
            ):
                self._complain(name, metrics, barebones=trainer.barebones)
        self.noted, self.of_validation, self._validated = {}, False, False
        return readings, [row[: len(extra)] for row in rows]

    def _complain(self, name: str, metrics: dict[str, Any], *, barebones: bool) -> None:
        message = unavailable("monitor", name, metrics, instead="set `strict=False`")
        if barebones:
            message = (
                f"Expected `monitor`, {name!r}, to be logged, but Trainer(barebones=True) turns "
                "all logging off: train without it, or without EarlyStopping."
            )
        if self.strict:
            raise RuntimeError(message)
        if self.verbose:
            rank_zero_warn(message, category=RuntimeWarning)

    def state_dict(self, trainer: Trainer | None = None) -> dict[str, Any]:
        """Return values that await a check, including the Trainer's that no check has read."""
        fresh = {} if trainer is None else self._fresh(trainer)
        return {"noted": {**self.noted, **fresh}, "of_validation": self.of_validation}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a checkpoint's waiting values."""
        self.clear()
        self.noted = dict(state_dict["noted"])
        self.of_validation = state_dict["of_validation"]


def over_ranks(trainer: Trainer, row: list[float]) -> list[list[float]]:
    """Gather every rank's numbers, in rank order."""
    if trainer.world_size == 1:
        return [row]
    device = trainer.strategy.root_device
    numbers = torch.tensor(row, dtype=widest(device), device=device)
    gathered = trainer.strategy.all_gather(numbers)
    rows: list[list[float]] = gathered.reshape(trainer.world_size, len(row)).tolist()
    return rows
