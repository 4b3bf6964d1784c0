"""How monitors hand their figures to Lightning and its loggers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Trainer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEP = "trainer/global_step"


def logger_step(trainer: Trainer) -> int:
    """Step on the loggers' axis: batches so far whose end was a step, of however many optimisers.

    ``trainer.global_step`` counts the steps of every optimiser; the loggers' axis is public only
    as a part of the loop's saved state.
    """
    step: int = trainer.fit_loop.epoch_loop.on_save_checkpoint()["_batches_that_stepped"]
    return step


def steps_done(trainer: Trainer) -> int:
    """Steps done, on the loggers' axis, which counts those of several optimisers once."""
    return min(trainer.global_step, logger_step(trainer) + 1)


def report_interval(trainer: Trainer, every_n_steps: int | None) -> int:
    """Steps between reports: the argument, or else the Trainer's ``log_every_n_steps``."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every_n_steps or interval or 50


def unavailable(argument: str, name: str, logged: Iterable[str], *, instead: str) -> str:
    """What there is to say of a metric that was named and is not logged.

    Args:
        argument: Name of the argument that the user gave.
        name: What the user gave.
        logged: Names of the metrics that there are.
        instead: What else the user may do.
    """
    return (
        f"Expected `{argument}` to be a metric that is logged, but got {name!r}, which is not "
        f"available: use one of {', '.join(map(repr, logged)) or 'none so far'}, log it, or "
        f"{instead}."
    )


def run_folder(trainer: Trainer) -> Path | None:
    """Folder of this run: where its checkpoints are, or else where its first logger writes.

    Unlike ``trainer.log_dir`` it is the run's own also with loggers whose ``log_dir`` all runs
    share, and asks no other rank. None for a Trainer that writes nothing, or nothing local.
    """
    if trainer.fast_dev_run or _of(trainer, "DummyLogger"):  # type: ignore[attr-defined]
        return None
    checkpoints = getattr(trainer.checkpoint_callback, "dirpath", None)
    if checkpoints is not None:
        path = Path(checkpoints)
        folder = path.parent if path.name == "checkpoints" else path
    elif trainer.loggers:
        logger = trainer.loggers[0]
        version = logger.version
        version = version if isinstance(version, str) else f"version_{version}"
        parent = Path(logger.save_dir or trainer.default_root_dir)
        folder = parent / str(logger.name) / version
    else:
        return None
    return None if ":" in folder.parts[0][2:] else folder  # s3://bucket, not C:


def use_step_axis(trainer: Trainer, quantity: str) -> None:
    """Draw a quantity's charts over the step, in W&B runs that the logger did not begin, too."""
    for logger in _of(trainer, "WandbLogger"):
        logger.experiment.define_metric(_STEP)
        logger.experiment.define_metric(f"{quantity}/*", step_metric=_STEP)


def offer_scalars(trainer: Trainer, metrics: Mapping[str, float]) -> None:
    """Put metrics where other callbacks look: into ``trainer.callback_metrics``."""
    if metrics and not trainer.barebones:
        values = torch.tensor(list(metrics.values()), dtype=torch.float32)
        trainer.callback_metrics.update(zip(metrics, values.unbind(), strict=True))


def log_scalars(trainer: Trainer, metrics: Mapping[str, float], step: int) -> None:
    """Give every logger a row, on its own axis, whenever there is one.

    `LightningModule.log` would pass a step's values on every ``log_every_n_steps`` only, and
    again, stale, where a monitor's interval is another; and it costs more than the monitor.

    Args:
        trainer: The Trainer.
        metrics: Values by name.
        step: Optimiser steps done before this one.
    """
    for logger in trainer.loggers:
        logger.log_metrics(dict(metrics), step=step)


def log_picture(trainer: Trainer, name: str, pixels: "NDArray[np.uint8]", step: int) -> None:
    """Give a picture, height by width by RGB, to the loggers that take one: W&B, TensorBoard."""
    for logger in _of(trainer, "WandbLogger", "TensorBoardLogger"):
        if hasattr(logger, "log_image"):
            logger.log_image(name, [pixels], step=step)
        else:
            logger.experiment.add_image(name, pixels, step, dataformats="HWC")


def log_table(trainer: Trainer, name: str, table: list[dict[str, Any]], step: int) -> None:
    """Give a table, one dictionary for each row, to W&B, and as text to TensorBoard."""
    if not table:
        return
    columns = list(table[0])
    rows = [list(row.values()) for row in table]
    for logger in _of(trainer, "WandbLogger"):
        logger.log_table(name, columns, rows, step=step)
    for logger in _of(trainer, "TensorBoardLogger"):
        lines = [columns, ["---"] * len(columns), *rows]
        text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        logger.experiment.add_text(name, text, step)


def summarize(trainer: Trainer, values: Mapping[str, Any]) -> None:
    """Put results of the whole run into the summary of every W&B run."""
    for logger in _of(trainer, "WandbLogger"):
        logger.experiment.summary.update(dict(values))


def alert(trainer: Trainer, title: str, text: str) -> None:
    """Send an alert from every W&B run."""
    for logger in _of(trainer, "WandbLogger"):
        logger.experiment.alert(title=title, text=text)


def take_pictures(trainer: Trainer) -> bool:
    """Whether a logger takes pictures."""
    return bool(_of(trainer, "WandbLogger", "TensorBoardLogger"))


def _of(trainer: Trainer, *classes: str) -> list[Any]:
    """The Trainer's loggers of these classes, which may come from either of Lightning's names."""
    return [
        logger
        for logger in trainer.loggers
        if any(base.__name__ in classes for base in type(logger).__mro__)
    ]
