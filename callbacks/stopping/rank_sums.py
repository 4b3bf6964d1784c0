"""Every rank's sums over a training epoch, as they were after a batch that all had finished.

An exception may come to one rank alone, or to each at another moment. No rank can be asked any
more when a checkpoint is saved then, so that they exchange their sums before.
"""

from collections.abc import Callable, Mapping

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ...functional.metric_states import MetricState
from .logged_sums import EpochSum, on_host

# Numbers in a metric that are exchanged every batch, at most: 8 kB of each rank.
_MOST = 1024


class RankSums:
    """What all ranks had summed up after the last batch.

    Which metrics there are is agreed upon with an epoch's first batch: one that an epoch logs for
    the first time later in it is not exchanged in that epoch. Nor are those with lists, as
    torchmetrics' curves have, or with more than 1024 numbers.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything; on all ranks or on none."""
        self._layout: dict[str, EpochSum] = {}
        self._epoch = -1
        self._rows: Tensor | None = None

    def exchange(self, trainer: Trainer, sums: Callable[[], Mapping[str, EpochSum]]) -> None:
        """Take up every rank's sums without waiting for the device; a collective.

        Lightning has one for each batch, too, so that no rank is ahead of another.
        """
        if trainer.world_size == 1 or not torch.distributed.is_initialized():
            return
        if self._epoch != trainer.current_epoch:
            self._epoch = trainer.current_epoch
            self._agree(trainer, sums())
        if self._layout:
            self._rows = trainer.strategy.all_gather(self._row(trainer, sums()))

    def _agree(self, trainer: Trainer, sums: Mapping[str, EpochSum]) -> None:
        own = dict(self._layout)
        for name, kept in sums.items():
            if _numbers(kept) is not None:
                own[name] = {**kept, "states": on_host(kept["states"])}
        ranks = [own] * trainer.world_size
        torch.distributed.all_gather_object(ranks, own)
        every = {name: kept for row in ranks for name, kept in row.items()}
        self._layout = {
            name: kept
            for name, kept in sorted(every.items())
            if all(_alike(row.get(name, kept), kept) for row in ranks)
        }

    def _row(self, trainer: Trainer, sums: Mapping[str, EpochSum]) -> Tensor:
        device = trainer.strategy.root_device
        parts = [_flat(sums.get(name), like, device) for name, like in self._layout.items()]
        return torch.cat(parts)

    def rows(self, trainer: Trainer, own: Mapping[str, EpochSum]) -> list[dict[str, EpochSum]]:
        """Every rank's sums where this rank's own are still the same; no collective.

        Args:
            trainer: The Trainer.
            own: This rank's sums, as they go into the checkpoint.

        Returns:
            Those that are known of all ranks, for each rank.
        """
        rows: list[dict[str, EpochSum]] = [{} for _ in range(trainer.world_size)]
        if self._rows is None or self._epoch != trainer.current_epoch:
            return rows
        width = [1 + (_numbers(like) or 0) for like in self._layout.values()]
        table = torch.split(self._rows.cpu(), width, dim=1)
        for (name, like), columns in zip(self._layout.items(), table, strict=True):
            mine = _flat(own.get(name), like, columns.device)
            # NaN is equal to NaN in bits.
            if torch.equal(columns[trainer.global_rank].view(torch.int64), mine.view(torch.int64)):
                for row, numbers in zip(rows, columns, strict=True):
                    if numbers[0] != 0:
                        row[name] = _filled(like, numbers)
        return rows


def _tensors(kept: EpochSum) -> list[Tensor]:
    return [value for state in kept["states"] for value in state["values"].values()]


def _numbers(kept: EpochSum) -> int | None:
    """How many numbers its states have; None if too many or not always as many."""
    values = _tensors(kept)
    if any(isinstance(value, list) for value in values):
        return None
    numbers = sum(value.numel() for value in values) + len(kept["states"])
    return numbers if numbers <= _MOST else None


def _alike(one: EpochSum, other: EpochSum) -> bool:
    def shapes(kept: EpochSum) -> list[dict[str, torch.Size]]:
        return [{k: v.shape for k, v in state["values"].items()} for state in kept["states"]]

    return {**one, "states": []} == {**other, "states": []} and shapes(one) == shapes(other)


def _flat(kept: EpochSum | None, like: EpochSum, device: torch.device) -> Tensor:
    """One if there is something, then the numbers of updates and the values."""
    if kept is None or not _alike(kept, like):
        return torch.zeros(1 + (_numbers(like) or 0), dtype=torch.float64, device=device)
    updates = [1.0, *(float(state["updates"]) for state in kept["states"])]
    filled = [torch.full((1,), n, dtype=torch.float64, device=device) for n in updates]
    values = [v.detach().to(device, torch.float64).flatten() for v in _tensors(kept)]
    return torch.cat([*filled, *values])


def _filled(like: EpochSum, numbers: Tensor) -> EpochSum:
    count = len(like["states"])
    rest = numbers[1 + count :]
    states: list[MetricState] = []
    for state, updates in zip(like["states"], numbers[1 : 1 + count].tolist(), strict=True):
        values = {}
        for name, value in state["values"].items():
            values[name] = rest[: value.numel()].reshape(value.shape).to(value.dtype)
            rest = rest[value.numel() :]
        states.append({"updates": int(updates), "values": values})
    return {**like, "states": states}
