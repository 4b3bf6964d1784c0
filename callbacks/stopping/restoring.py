"""Who gives the best weights back, and when after an exception."""

from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_warn

from .best_weights import BestWeights
from .first_place import FirstPlace
from .fitting import OtherParametersError
from .judging.reason import StoppingReason
from .other_hooks import ends_with_an_average, fill_averages
from .resuming.accumulation import AccumulateAgain
from .resuming.helping_callbacks import drop_callbacks
from .resuming.missed_epoch_end import EndLate


class RestoreLast(Callback):
    """Give the best weights back once every other callback has seen the exception.

    Checkpoint callbacks save the interrupted training there, and Lightning puts them behind all
    others. So this one goes behind them when the exception comes, and leaves again.

    Args:
        restore: Gives the weights back.
    """

    def __init__(self, restore: Callable[[Trainer, LightningModule], None]) -> None:
        self._restore = restore

    @classmethod
    def append(cls, trainer: Trainer, restore: Callable[[Trainer, LightningModule], None]) -> None:
        """Take the last place: Lightning is going through this very list."""
        trainer.callbacks.append(cls(restore))  # type: ignore[attr-defined]

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Restore, and leave a new list behind: the old one is still gone through."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.callbacks = [c for c in callbacks if c is not self]  # type: ignore[attr-defined]
        self._restore(trainer, pl_module)


def drop_helpers(trainer: Trainer) -> None:
    """Have none of these left in the list of a fit that another callback's failure ended."""
    drop_callbacks(trainer, AccumulateAgain, EndLate, FirstPlace, RestoreLast)


def give_back(own: Callback, best: BestWeights, trainer: Trainer, module: LightningModule) -> bool:
    """Restore unless it is for another callback to do, and say whether that changed anything."""
    if restorer(trainer) not in (own, None):
        best.in_module = False
        return False
    try:
        changed = best.restore(module)
    except OtherParametersError as error:
        rank_zero_warn(
            "EarlyStopping could not give the weights of the best check back: since then the "
            f"module has got other parameters ({error}). It keeps those that it has."
        )
        return False
    if best.unfit:
        rank_zero_warn(
            "EarlyStopping gave the weights of the best check back, but for buffers that have "
            f"another size by now: {', '.join(best.unfit)}."
        )
    if best.in_module:
        fill_averages(trainer, module)
    return changed


def restorer(trainer: Trainer) -> Callback | None:
    """Of several callbacks that could restore, the one that stopped training, or the first."""
    able = _able(trainer)
    fired = [c for c in able if c.stopping_reason != StoppingReason.NOT_STOPPED]
    return next(iter(fired or able), None)


def _able(trainer: Trainer) -> list[EarlyStopping]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [
        callback
        for callback in callbacks
        if isinstance(callback, EarlyStopping) and getattr(callback, "restore_best_weights", False)
    ]


def announce_lost_average(own: Callback, trainer: Trainer) -> None:
    """Say, once, that an average which another callback makes will not be what is left."""
    if _able(trainer)[:1] == [own] and ends_with_an_average(trainer):
        rank_zero_warn(
            "EarlyStopping gives the weights of the best check back at the end of fit, in place "
            "of the average that StochasticWeightAveraging puts into the module, which no check "
            "sees. (Only networks with BatchNorm have it validated: there it comes back if it was "
            "the best.) To keep the average, set `restore_best_weights=False`."
        )
