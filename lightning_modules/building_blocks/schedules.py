"""Learning-rate schedules by name, stepped by epoch or by step, with a linear warm-up."""

import math
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from ...functional.choices import choose
from .choices import Options

SCHEDULES = ("constant", "step", "exponential", "cosine", "one_cycle", "plateau")
_BY_STEP = frozenset({"cosine", "one_cycle"})


def needs_total_steps(schedule: str, warmup: int | float) -> bool:
    """Whether the schedule depends on how many optimiser steps training will take."""
    return schedule in _BY_STEP or 0 < warmup < 1


def make_schedules(
    optimizer: Optimizer,
    schedule: str,
    *,
    total_steps: int = 0,
    warmup: int | float = 0,
    monitor: str = "val_loss",
    every_n_epochs: int = 1,
    options: Options | None = None,
) -> list[dict[str, Any]]:
    """Create torch schedulers in the form that Lightning expects.

    ``"step"``, ``"exponential"`` and ``"plateau"`` are stepped once per epoch, ``"cosine"``,
    ``"one_cycle"`` and the warm-up once per optimiser step. The warm-up raises the rate linearly
    from ``lr / warmup`` to ``lr``; ``"one_cycle"`` has its own, the fraction ``pct_start``.

    Args:
        optimizer: The optimiser; its learning rate is the maximum of ``"one_cycle"``.
        schedule: ``"constant"``, ``"step"``, ``"exponential"``, ``"cosine"``, ``"one_cycle"`` or
            ``"plateau"``.
        total_steps: Optimiser steps of the whole training run.
        warmup: Steps of the warm-up or, below 1, their fraction of all steps.
        monitor: Metric that ``"plateau"`` monitors, unless the options name another ``monitor``.
        every_n_epochs: Epochs between two values of that metric, if it is a validation metric.
        options: Arguments of the torch class, which override these defaults: ``step_size=30`` and
            ``gamma=0.1`` of ``"step"``, ``gamma=0.95`` of ``"exponential"``; ``"one_cycle"``
            cycles momentum if the optimiser has any.
    """
    given = dict(options or {})
    warmup_steps = round(warmup * total_steps) if 0 < warmup < 1 else int(warmup)
    match choose("scheduler", schedule, {name: name for name in SCHEDULES}):
        case "constant":
            by_epoch: list[Any] = []
        case "step":
            by_epoch = [lr_scheduler.StepLR(optimizer, **{"step_size": 30, **given})]
        case "exponential":
            by_epoch = [lr_scheduler.ExponentialLR(optimizer, **{"gamma": 0.95, **given})]
        case "plateau":
            monitor = given.pop("monitor", monitor)
            by_epoch = [lr_scheduler.ReduceLROnPlateau(optimizer, **given)]
        case "cosine":
            length = {"T_max": max(1, total_steps - warmup_steps), **given}
            warmup = warmup_steps if warmup_steps > 1 else 0
            return [_by_step(_Cosine(optimizer, warmup=warmup, **length))]
        case "one_cycle":
            return [_by_step(_one_cycle(optimizer, total_steps, warmup_steps, given))]
        case unknown:
            raise ValueError(f"Expected `scheduler` to be one of {SCHEDULES}, but got {unknown!r}.")
    schedules = [{"scheduler": s, "interval": "epoch"} for s in by_epoch]
    if schedule == "plateau":
        # If validation runs within epochs, or not at all, some epochs end without a value.
        every = every_n_epochs if monitor.startswith("val") else 1
        schedules[0] |= {"monitor": monitor, "frequency": every, "strict": False}
    if warmup_steps > 1:
        rise = lr_scheduler.LinearLR(optimizer, 1 / warmup_steps, total_iters=warmup_steps - 1)
        schedules.append(_by_step(rise))
    return schedules


def _by_step(schedule: Any) -> dict[str, Any]:
    return {"scheduler": schedule, "interval": "step"}


class _Cosine(lr_scheduler.CosineAnnealingLR):
    """Linear warm-up, then a cosine that ends with this run, also with the state of another one."""

    def __init__(self, optimizer: Optimizer, *, warmup: int, **options: Any) -> None:
        self.warmup = warmup
        super().__init__(optimizer, **options)

    def get_lr(self) -> list[Any]:
        if self.last_epoch < self.warmup:
            return [rate * (self.last_epoch + 1) / self.warmup for rate in self.base_lrs]
        share = (1 + math.cos(math.pi * (self.last_epoch - self.warmup) / self.T_max)) / 2
        return [self.eta_min + (rate - self.eta_min) * share for rate in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        end = self.warmup + self.T_max
        super().load_state_dict(state_dict)
        if self.warmup + self.T_max != end:
            self.T_max = max(1, end - self.warmup)
            for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                group["lr"] = rate


class _OneCycle(lr_scheduler.OneCycleLR):
    """One-cycle schedule that keeps its own length when a shorter run's state is loaded."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        own = {name: getattr(self, name) for name in ("total_steps", "_schedule_phases")}
        super().load_state_dict(state_dict)
        self.__dict__.update(own)


def _one_cycle(optimizer: Optimizer, total: int, warmup: int, given: Options) -> Any:
    # Torch's cycle cannot rise in fewer than two steps.
    share = {"pct_start": min(max(2, warmup), total - 1) / total} if warmup and total > 2 else {}
    if warmup > total:
        raise ValueError(
            f"Expected `warmup` to be no longer than the training run, which has {total} optimiser "
            f"steps, but got {warmup}."
        )
    rates = [group["lr"] for group in optimizer.param_groups]
    has_momentum = all(g.get("momentum") or "betas" in g for g in optimizer.param_groups)
    arguments = {"max_lr": rates, "total_steps": total, "cycle_momentum": has_momentum}
    return _OneCycle(optimizer, **{**arguments, **share, **given})
