"""Every rank's sums over a training epoch, as they were after a batch that all had finished.

An exception may be raised on one rank alone, or on each at a different time. When a checkpoint is
then saved, ranks can no longer communicate, so they send their sums beforehand to rank 0, which
writes it.
"""

import pickle
from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Any

import torch
from lightning.pytorch import Trainer

from ....functional.state_changes import changed_state, same_bits, says_all, state_change
from .exceptions import saves_on_exception
from .logged_sums import EpochSum, are_logged_elsewhere, logged_last, logged_with_batches

Sums = Mapping[str, EpochSum]
# Another rank's sums, or a message that contains all of them.
_Row = Sums | bytes
_WHOLE = b"\1"


class Told(IntFlag):
    """Flags that ranks exchange along with their sums; one that is set on any holds for all."""

    NOTHING = 0
    SAVES = 1  # an exception can leave a checkpoint behind
    TRAINS = 2  # a monitored metric was logged with a training batch
    ELSEWHERE = 4  # all of them were logged in validation or at an epoch's end
    LATE = 8  # one was logged in the last hook of a batch
    FAILED = 16


class RankSums:
    """The sums of all ranks after the last batch.

    Each rank sends what has changed since its last message, whatever and however much it is, and
    rank 0 puts the sums together. Ranks need not agree on anything, so they may differ.

    Args:
        monitors: Names of the monitored metrics.
    """

    def __init__(self, monitors: Iterable[str]) -> None:
        self.monitors = frozenset(monitors)
        self.clear()

    def clear(self) -> None:
        """Forget everything; on all ranks or on none."""
        self._begun = self._epoch = -1
        self._goes_on = self._is_late = False
        # What this rank has sent in this epoch and, on rank 0, what the others have.
        self._told: Sums = {}
        self._others: list[_Row] | None = None

    def resume(self, trainer: Trainer, rows: list[dict[str, EpochSum]]) -> None:
        """Start from a checkpoint's sums of all ranks."""
        if len(rows) == trainer.world_size:
            self._epoch, self._told = trainer.current_epoch, rows[trainer.global_rank]
            self._others = [*rows[1:]]

    def is_due(self, trainer: Trainer, begins: bool) -> bool:
        """Whether the ranks exchange sums now; the answer is the same on all of them.

        Lightning also communicates at each batch, so no rank is ahead of another.

        Args:
            trainer: The Trainer.
            begins: Whether a batch begins, when only what the last hook of the previous one logged
                is new, rather than ends.
        """
        if trainer.world_size == 1 or not torch.distributed.is_initialized():
            return False
        if self._begun != trainer.current_epoch:
            return not begins
        return self._goes_on and (self._is_late or not begins)

    def message(self, trainer: Trainer, sums: Sums) -> tuple[Told, bytes]:
        """Return what this rank has to send: flags, and what is new in its sums."""
        flags = Told.SAVES if saves_on_exception(trainer) else Told.NOTHING
        if logged_with_batches(trainer, self.monitors):
            flags |= Told.TRAINS
        elif are_logged_elsewhere(trainer, self.monitors):
            flags |= Told.ELSEWHERE
        if logged_last(trainer, self.monitors):
            flags |= Told.LATE
        if trainer.global_rank == 0:
            return flags, b""
        before = self._told if self._begun == trainer.current_epoch else {}
        return flags, _packed({n: _change(before.get(n), kept) for n, kept in sums.items()})

    def agree(self, trainer: Trainer, flags: int) -> None:
        """Decide whether to continue in this epoch, from the flags set on any rank."""
        first = self._begun != trainer.current_epoch
        if first:
            self._begun = self._epoch = trainer.current_epoch
            self._told, self._others = {}, [{} for _ in range(1, trainer.world_size)]
        needed = flags & Told.TRAINS or not flags & Told.ELSEWHERE
        self._goes_on = bool(flags & Told.SAVES and needed and not flags & Told.FAILED)
        # What the last hook logs is not known yet at the end of the first batch.
        self._is_late = first or bool(flags & Told.LATE)

    def take(self, sums: Sums, messages: list[bytes]) -> None:
        """Remember what this rank has sent and, on rank 0, what the others have."""
        others, self._others = self._others, None
        self._told = sums
        if messages and others is not None and self._goes_on:
            self._others = [*map(_changed_row, others, messages[1:])]

    def rows(self, trainer: Trainer, own: Sums) -> tuple[list[Sums], list[str]]:
        """Return every rank's sums as far as known, on rank 0; not a collective.

        Args:
            trainer: The Trainer.
            own: This rank's sums, as they go into the checkpoint.

        Returns:
            The sums of each rank, and names of metrics that this rank has logged since they were
            sent, as the others may have done.
        """
        if self._others is None or self._epoch != trainer.current_epoch or trainer.global_rank:
            return [{} for _ in range(trainer.world_size)], []
        told, others = self._told, [*map(_row, self._others)]
        more = [name for name, kept in own.items() if not _same(told.get(name), kept)]
        return [own, *others], sorted({watched for name in more for watched in own[name]["names"]})


def _packed(changes: Mapping[str, dict[str, Any]]) -> bytes:
    """Pack into bytes, the first of which says whether they suffice without earlier states."""
    whole = all(says_all(state) for change in changes.values() for state in change["states"])
    return (_WHOLE if whole else b"\0") + pickle.dumps(changes)


def _changed_row(row: _Row, message: bytes) -> _Row:
    """Apply a message; one that suffices stays packed, as unpacking many takes milliseconds."""
    return message if message.startswith(_WHOLE) else _unpacked(_row(row), message)


def _row(row: _Row) -> Sums:
    return _unpacked({}, row) if isinstance(row, bytes) else row


def _unpacked(row: Sums, message: bytes) -> Sums:
    changes = pickle.loads(message[1:])
    return {name: _changed(row.get(name), change) for name, change in changes.items()}


def _change(before: EpochSum | None, after: EpochSum) -> dict[str, Any]:
    known = before["states"] if before and _alike(before, after) else [None] * len(after["states"])
    changes = [state_change(one, two) for one, two in zip(known, after["states"], strict=True)]
    return {**after, "states": changes}


def _changed(before: EpochSum | None, told: dict[str, Any]) -> Any:
    known: list[Any] = before["states"] if before else []
    if len(known) != len(told["states"]):
        known = [None] * len(told["states"])
    states = [changed_state(one, new) for one, new in zip(known, told["states"], strict=True)]
    return {**told, "states": states}


def _alike(one: EpochSum, other: EpochSum) -> bool:
    def names(kept: EpochSum) -> list[list[str]]:
        return [sorted(state["values"]) for state in kept["states"]]

    return {**one, "states": []} == {**other, "states": []} and names(one) == names(other)


def _same(one: EpochSum | None, other: EpochSum | None) -> bool:
    if one is None or other is None:
        return one is other
    return _alike(one, other) and all(
        a["updates"] == b["updates"]
        and all(same_bits(a["values"][name], b["values"][name]) for name in a["values"])
        for a, b in zip(one["states"], other["states"], strict=True)
    )
