"""How monitors hand their figures to Lightning."""

from lightning.pytorch import LightningModule, Trainer


def log_on_step(
    trainer: Trainer, pl_module: LightningModule, metrics: dict[str, float], step: int
) -> None:
    """Log at this optimiser step, on the loggers' own axis, whenever the Trainer logs.

    The Trainer would pass a step's values on every ``log_every_n_steps`` only, and again, stale,
    where a monitor's interval is another. So they go to the loggers directly, and to
    ``trainer.callback_metrics`` through the module.

    Args:
        trainer: The Trainer.
        pl_module: The module that is trained.
        metrics: Values by name.
        step: Optimiser steps done before this one.
    """
    if trainer.barebones:
        return
    pl_module.log_dict(metrics, on_step=True, on_epoch=False, logger=False)
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=step)
