"""Learning-rate schedules by name, stepped as each needs, with a linear warm-up."""

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
    options: Options | None = None,
) -> list[dict[str, Any]]:
    """Schedules of torch in the form in which Lightning takes them.

    ``"step"``, ``"exponential"`` and ``"plateau"`` go by the epoch, ``"cosine"``,
    ``"one_cycle"`` and the warm-up by the optimiser step. The warm-up raises the rate linearly
    from ``lr / warmup`` to ``lr``; ``"one_cycle"`` has its own, of the share ``pct_start``.

    Args:
        optimizer: The optimiser, with its learning rate, which ``"one_cycle"`` reaches at most.
        schedule: ``"constant"``, ``"step"``, ``"exponential"``, ``"cosine"``, ``"one_cycle"`` or
            ``"plateau"``.
        total_steps: Optimiser steps of the whole training.
        warmup: Steps of the warm-up, or, below 1, its share of all steps.
        monitor: Metric that ``"plateau"`` watches.
        options: Arguments of torch's class, over these defaults: ``step_size=30`` and
            ``gamma=0.1`` of ``"step"``, ``gamma=0.95`` of ``"exponential"``.

    Raises:
        ValueError: If the name is unknown.
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
            plateau = lr_scheduler.ReduceLROnPlateau(optimizer, **given)
            by_epoch = [plateau]
        case "cosine":
            return [_by_step(_cosine(optimizer, total_steps, warmup_steps, given))]
        case "one_cycle":
            return [_by_step(_one_cycle(optimizer, total_steps, warmup_steps, given))]
        case unknown:
            raise ValueError(f"Expected `scheduler` to be one of {SCHEDULES}, but got {unknown!r}.")
    schedules = [{"scheduler": s, "interval": "epoch", "monitor": monitor} for s in by_epoch]
    if warmup_steps > 1:
        schedules.append(_by_step(_warmup(optimizer, warmup_steps)))
    return schedules


def _by_step(schedule: Any) -> dict[str, Any]:
    return {"scheduler": schedule, "interval": "step"}


def _warmup(optimizer: Optimizer, steps: int) -> lr_scheduler.LinearLR:
    return lr_scheduler.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)


def _cosine(optimizer: Optimizer, total: int, warmup: int, given: Options) -> Any:
    length = {"T_max": max(1, total - warmup), **given}
    if warmup < 2:
        return lr_scheduler.CosineAnnealingLR(optimizer, **length)
    rise = _warmup(optimizer, warmup)
    fall = lr_scheduler.CosineAnnealingLR(optimizer, **length)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[warmup])


def _one_cycle(optimizer: Optimizer, total: int, warmup: int, given: Options) -> Any:
    # Torch's cycle cannot rise in less than two steps.
    share = {"pct_start": min(max(2, warmup), total - 1) / total} if warmup and total > 2 else {}
    if warmup > total:
        raise ValueError(
            f"Expected `warmup` to be no longer than the training, which has {total} optimiser "
            f"steps, but got {warmup}."
        )
    rates = [group["lr"] for group in optimizer.param_groups]
    arguments = {"max_lr": rates, "total_steps": total, **share, **given}
    return lr_scheduler.OneCycleLR(optimizer, **arguments)
