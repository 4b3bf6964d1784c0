"""How monitors pass their values to Lightning and its loggers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEP = "trainer/global_step"


def logger_step(trainer: Trainer) -> int:
    """Step on the loggers' axis: batches so far that ended in a step, of however many optimisers.

    ``trainer.global_step`` counts the steps of every optimiser; the loggers' axis is public only
    as a part of the loop's saved state.
    """
    step: int = trainer.fit_loop.epoch_loop.on_save_checkpoint()["_batches_that_stepped"]
    return step


def steps_done(trainer: Trainer) -> int:
    """Steps done, on the loggers' axis, which counts a batch's steps of several optimisers once."""
    stepped = logger_step(trainer)
    # A batch is counted there only after its hooks and the validation that follows it.
    is_under_way = trainer.fit_loop.epoch_loop.batch_progress.total.ready > stepped
    return min(trainer.global_step, stepped + is_under_way)


def report_interval(trainer: Trainer, every_n_steps: int | None) -> int:
    """Steps between reports: the argument, else the Trainer's ``log_every_n_steps``, else 50."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every_n_steps or interval or 50


def unavailable(argument: str, name: str, logged: Iterable[str], *, instead: str) -> str:
    """Error message for a metric that was named but is not logged.

    Args:
        argument: Name of the argument that the user gave.
        name: The metric that the user gave.
        logged: Names of the metrics that are logged.
        instead: What else the user can do.
    """
    known = ", ".join(map(repr, logged))
    others = f"use one of {known}, log it" if known else "nothing is logged so far; log it"
    return (
        f"Expected `{argument}` to be a metric that is logged, but got {name!r}, which is not "
        f"available: {others}, or {instead}."
    )


def run_folder(trainer: Trainer) -> Path | None:
    """Folder of this run: where its checkpoints are, or else where its first logger writes.

    Unlike ``trainer.log_dir``, it belongs to this run alone even if all runs of a logger share
    their ``log_dir``, and needs no communication between ranks. None if the Trainer writes nothing,
    or nothing local.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    if any(_is(logger, "DummyLogger") for logger in trainer.loggers):
        return None
    checkpoints = getattr(trainer.checkpoint_callback, "dirpath", None)
    if checkpoints is not None:
        path = Path(checkpoints)
        folder = path.parent if path.name == "checkpoints" else path
    elif trainer.loggers:
        folder = _folder_of(trainer.loggers[0], trainer.default_root_dir)
    else:
        return None
    # Matches s3://bucket, but not C:; the current folder has no parts.
    return None if any(":" in part[2:] for part in folder.parts[:1]) else folder


def _folder_of(logger: Logger, root: str) -> Path:
    """Folder that a logger writes to, by its name and version if it has any."""
    version = logger.version
    numbered = version if version is None or isinstance(version, str) else f"version_{version}"
    parts = [part for part in (logger.name, numbered) if part]
    return Path(logger.save_dir or root, *parts)


def use_step_axis(logger: Logger, quantity: str) -> None:
    """Plot a quantity's charts over the step, even in W&B runs that the logger did not start."""
    if _is(logger, "WandbLogger"):
        run = _experiment(logger)
        run.define_metric(_STEP)
        run.define_metric(f"{quantity}/*", step_metric=_STEP)


def offer_scalars(trainer: Trainer, metrics: Mapping[str, float]) -> None:
    """Put metrics into ``trainer.callback_metrics``, where other callbacks look for them."""
    if metrics and not trainer.barebones:
        values = torch.tensor(list(metrics.values()), dtype=torch.float32)
        trainer.callback_metrics.update(zip(metrics, values.unbind(), strict=True))


def log_scalars(logger: Logger, metrics: Mapping[str, float], step: int) -> None:
    """Log a row directly to a logger, on the logger's step axis.

    `LightningModule.log` would forward values every ``log_every_n_steps`` steps only, repeat stale
    ones if a monitor's interval differs, and cost more than the monitor itself.

    Args:
        logger: One of the Trainer's loggers.
        metrics: Values by name.
        step: Optimiser steps done before this one.
    """
    logger.log_metrics(dict(metrics), step=step)


def log_picture(logger: Logger, name: str, pixels: "NDArray[np.uint8]", step: int) -> None:
    """Log an image of shape ``(height, width, 3)`` if the logger is for W&B or TensorBoard."""
    if _is(logger, "WandbLogger"):
        logger.log_image(name, [pixels], step=step)  # type: ignore[attr-defined]
    elif _is(logger, "TensorBoardLogger"):
        _experiment(logger).add_image(name, pixels, step, dataformats="HWC")


def log_table(logger: Logger, name: str, table: list[dict[str, Any]], step: int) -> None:
    """Log a table, one dictionary per row, to W&B, or as text to TensorBoard."""
    if not table:
        return
    columns = list(table[0])
    rows = [list(row.values()) for row in table]
    if _is(logger, "WandbLogger"):
        logger.log_table(name, columns, rows, step=step)  # type: ignore[attr-defined]
    elif _is(logger, "TensorBoardLogger"):
        lines = [columns, ["---"] * len(columns), *rows]
        text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        _experiment(logger).add_text(name, text, step)


def summarize(logger: Logger, values: Mapping[str, Any]) -> None:
    """Put results of the whole run into the summary of a W&B run."""
    if _is(logger, "WandbLogger"):
        _experiment(logger).summary.update(dict(values))


def alert(logger: Logger, title: str, text: str) -> None:
    """Send an alert from a W&B run."""
    if _is(logger, "WandbLogger"):
        _experiment(logger).alert(title=title, text=text)


def take_pictures(trainer: Trainer) -> bool:
    """Whether any logger accepts images."""
    return any(_is(logger, "WandbLogger", "TensorBoardLogger") for logger in trainer.loggers)


def _experiment(logger: Logger) -> Any:
    """Object that a W&B or TensorBoard logger writes to."""
    return logger.experiment  # type: ignore[attr-defined]


def _is(logger: Logger, *classes: str) -> bool:
    """Whether a logger is of one of these classes, from either of Lightning's packages."""
    return any(base.__name__ in classes for base in type(logger).__mro__)
