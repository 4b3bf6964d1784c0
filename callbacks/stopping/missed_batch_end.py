"""The module's own `on_train_batch_end`, where a checkpoint was saved before it was called.

Lightning calls the callbacks' first. Where one of them saves, the batch counts as done on resume,
and that hook is left out, with all that it logs. It is called late with what the checkpoint has.
"""

import pickle
import sys
import traceback
from collections import deque
from collections.abc import Sequence
from functools import cache
from types import FrameType, MethodType
from typing import Any, Protocol, TypedDict

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.call import _call_lightning_module_hook
from torch import Tensor

from ...functional.metric_states import metric_states, restore_metric_states_
from .logged_sums import LAST_HOOK, forget_last, may_be_logged_last
from .plain_data import from_host, to_host
from .progress import batch_progress
from .told_bytes import tell

# Of all ranks together, more than which would make a checkpoint unwieldy.
MOST_BYTES = 2**29


class Call(TypedDict):
    """One rank's call of the hook.

    Attributes:
        batch_idx: Its last argument.
        batch_size: What Lightning took for it; None where it was not needed yet.
        data: The other arguments, what the module set itself since training started, and the
            states of its metrics.
        was_on_host: For each tensor of it.
    """

    batch_idx: int
    batch_size: int | None
    data: dict[str, Any]
    was_on_host: list[bool]


class Offer(TypedDict):
    """What a rank tells the others of its call when a checkpoint is saved.

    Attributes:
        skipped: The metrics that it is known to log.
        size: Bytes; None without a call.
        why: Why there is none.
    """

    skipped: list[str]
    size: int | None
    why: str


class OwnHook:
    """What a checkpoint needs for the call, as long as it is due.

    Nothing is kept, and checkpoints are what they are without it, unless the module is known to
    log a watched metric in that hook or one of them was not logged anywhere yet.
    """

    def __init__(self) -> None:
        self.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy would copy what the module has."""
        return OwnHook, ()

    def clear(self) -> None:
        """Forget everything."""
        self._at_start: dict[str, tuple[Any, int]] = {}
        self.drop()

    def drop(self) -> None:
        """The next batch begins: it was called."""
        self._arguments: tuple[Any, Any, int] | None = None

    def start(self, pl_module: LightningModule) -> None:
        """Remember the module before its own code sets anything in training."""
        if _has_own(pl_module):
            self._at_start = _attributes(pl_module)

    def keep(
        self, trainer: Trainer, monitors: frozenset[str], arguments: tuple[Any, Any, int]
    ) -> None:
        """Keep the arguments of the call that comes next."""
        logs = _has_own(trainer.lightning_module) and may_be_logged_last(trainer, monitors)
        self._arguments = arguments if logs else None

    def offer(self, trainer: Trainer, skipped: list[str]) -> tuple[Call | None, Offer]:
        """The call, if it is due and can be made later, and what to tell of it."""
        try:
            call, size, why = self._call(trainer)
        except Exception as error:  # whatever a module and its batch are made of
            call, size, why = None, None, str(error)
        return call, {"skipped": skipped, "size": size, "why": why}

    def _call(self, trainer: Trainer) -> tuple[Call | None, int | None, str]:
        done, module = batch_progress(trainer).current, trainer.lightning_module
        if done.processed == done.completed:
            return None, None, ""
        if self._arguments is None:
            return None, None, "a callback logs it, or saved before EarlyStopping's own hook"
        if _has_begun(trainer, module):
            return None, None, "the hook had begun"
        outputs, batch, batch_idx = self._arguments
        data, was_on_host, size = to_host(
            {
                "outputs": outputs,
                "batch": batch,
                "attributes": self._set_since(module),
                "metrics": metric_states(module),
            }
        )
        results: Any = trainer._results
        return {
            "batch_idx": batch_idx,
            "batch_size": results.batch_size,
            "data": data,
            "was_on_host": was_on_host,
        }, size, ""  # fmt: skip

    def _set_since(self, module: LightningModule) -> dict[str, Any]:
        """A step may leave more to the hook than it gives back."""
        now = _attributes(module)
        return {
            name: value
            for name, (value, mark) in now.items()
            if name not in self._at_start
            or self._at_start[name][0] is not value
            or self._at_start[name][1] != mark
        }


def _has_own(module: LightningModule) -> bool:
    # By name: Lightning's classes are there twice, in lightning and in pytorch_lightning.
    hook = getattr(module, LAST_HOOK)
    return getattr(hook, "__qualname__", "") != f"ModelHooks.{LAST_HOOK}"


def _attributes(module: LightningModule) -> dict[str, tuple[Any, int]]:
    """Those that are not Lightning's, with what changes where they are changed in place."""
    return {
        name: (value, _mark(value))
        for name, value in vars(module).items()
        # Strategies set the module's own `forward`, which is there anyway.
        if name not in _not_own()
        and not (isinstance(value, MethodType) and value.__self__ is module)
    }


@cache
def _not_own() -> frozenset[str]:
    return frozenset(vars(LightningModule()))


def _mark(value: Any) -> int:
    if isinstance(value, Tensor):
        return 0 if value.is_inference() else value._version
    return len(value) if isinstance(value, (list, dict, set, deque)) else 0


def _has_begun(trainer: Trainer, module: LightningModule) -> bool:
    """Whether the hook itself saves, or an exception left it: a part of it would run twice."""
    hook = getattr(module, LAST_HOOK)
    code = getattr(getattr(hook, "__func__", hook), "__code__", None)
    frames: list[FrameType] = [frame for frame, _ in traceback.walk_stack(None)]
    error = sys.exc_info()[1] if trainer.interrupted else None
    while error is not None:
        frames += [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        error = error.__context__
    return code is None or any(frame.f_code is code for frame in frames)


def calls_of_all(trainer: Trainer, own: Call | None, offers: list[Offer]) -> list[Call] | None:
    """Every rank's call, on the first one, if all can be made; a collective.

    Args:
        trainer: The Trainer.
        own: That of this rank.
        offers: What the ranks have told of theirs; fewer than there are if they cannot be asked.
    """
    sizes = [offer["size"] for offer in offers if offer["size"] is not None]
    if len(sizes) < trainer.world_size or sum(sizes) > MOST_BYTES:
        return None
    if trainer.world_size == 1:
        return None if own is None else [own]
    return [pickle.loads(message) for message in tell(trainer, 0, pickle.dumps(own))[1]]


def why_not(trainer: Trainer, offers: list[Offer]) -> str:
    """Why not all of them can be made."""
    if len(offers) < trainer.world_size:
        return "the other ranks could not be asked"
    reasons = [offer["why"] for offer in offers if offer["why"]]
    return reasons[0] if reasons else f"its batch has over {MOST_BYTES // 2**20} MiB"


class Sums(Protocol):
    """What is needed of :class:`EpochSums`."""

    def take_call(self, trainer: Trainer) -> Call | None:
        """The call that the checkpoint has for this rank, which from now on has none."""

    def complete(self, trainer: Trainer, failure: str) -> None:
        """Take up what it logged, unless it failed; a collective."""


def end_batch_late(trainer: Trainer, pl_module: LightningModule, sums: Sequence[Sums]) -> None:
    """Call the hook, once, where a checkpoint's batch is due it.

    Args:
        trainer: The Trainer, when training starts: it counts the batch as it did then.
        pl_module: The module.
        sums: Those of all callbacks whose checkpoint it is.
    """
    calls = [call for one in sums if (call := one.take_call(trainer)) is not None]
    if not calls:
        return
    failure = ""
    try:
        _call_late(trainer, pl_module, calls[0])
    except Exception as error:  # it is not known to be the hook's own, nor to fail again
        failure = f"{type(error).__name__}: {error}"
    for one in sums:
        one.complete(trainer, failure)
    forget_last(trainer)


def _call_late(trainer: Trainer, module: LightningModule, call: Call) -> None:
    connector: Any = trainer._logger_connector
    results: Any = trainer._results
    device = trainer.strategy.root_device
    data = from_host(call["data"], call["was_on_host"], device)
    before = connector._first_loop_iter, connector._current_fx, module._current_fx_name
    restore_metric_states_(module, data["metrics"])
    for name, value in data["attributes"].items():
        setattr(module, name, value)
    try:
        connector.on_batch_start(data["batch"])
        results.batch_size = call["batch_size"]
        arguments = data["outputs"], data["batch"], call["batch_idx"]
        _call_lightning_module_hook(trainer, LAST_HOOK, *arguments)
        connector.on_batch_end()
    finally:
        results.batch = results.batch_size = None
        connector._first_loop_iter, connector._current_fx, module._current_fx_name = before
