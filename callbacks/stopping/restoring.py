"""Which callback restores the best weights, and when it does so after an exception."""

from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_warn

from .best_weights import BestWeights
from .fitting import OtherParametersError
from .helping_callbacks import HelpingCallback, callbacks_of
from .judging.reason import StoppingReason
from .other_hooks import ends_with_an_average, fill_averages


class RestoreLast(HelpingCallback):
    """Restore the best weights once every other callback has seen the exception.

    Checkpoint callbacks save the interrupted training then, and Lightning puts them last. So this
    callback is added after them when an exception is raised, and removes itself again.

    Args:
        restore: Function that restores the weights.
    """

    def __init__(self, restore: Callable[[Trainer, LightningModule], None]) -> None:
        self._restore = restore

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the list, and restore."""
        self.leave(trainer)
        self._restore(trainer, pl_module)


def give_back(own: Callback, best: BestWeights, trainer: Trainer, module: LightningModule) -> bool:
    """Restore unless another callback is to do so, and return whether that changed anything."""
    if restorer(trainer) not in (own, None):
        best.in_module = False
        return False
    try:
        changed = best.restore(module)
    except OtherParametersError as error:
        rank_zero_warn(
            "EarlyStopping could not restore the weights of the best check: the module's "
            f"parameters have changed since then ({error}). It keeps its current weights."
        )
        return False
    if best.unfit:
        rank_zero_warn(
            "EarlyStopping restored the weights of the best check, except for buffers whose size "
            f"has changed since then: {', '.join(best.unfit)}."
        )
    if best.in_module:
        fill_averages(trainer, module)
    return changed


def restorer(trainer: Trainer) -> Callback | None:
    """Return the callback that is to restore: the one that stopped training, or the first."""
    able = _able(trainer)
    fired = [c for c in able if c.stopping_reason != StoppingReason.NOT_STOPPED]
    return next(iter(fired or able), None)


def _able(trainer: Trainer) -> list[EarlyStopping]:
    return [
        callback
        for callback in callbacks_of(trainer)
        if isinstance(callback, EarlyStopping) and getattr(callback, "restore_best_weights", False)
    ]


def announce_lost_average(own: Callback, trainer: Trainer) -> None:
    """Warn, once, that the average of another callback will be replaced."""
    if _able(trainer)[:1] == [own] and ends_with_an_average(trainer):
        rank_zero_warn(
            "EarlyStopping restores the weights of the best check at the end of fit, in place of "
            "the average that StochasticWeightAveraging puts into the module, which is not "
            "checked. (It is validated only in networks with BatchNorm, and restored there if it "
            "was the best.) To keep the average, set `restore_best_weights=False`."
        )
