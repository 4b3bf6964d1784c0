"""The loaders of a data module."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler, Subset

from ...functional.arguments import whole_number
from .epoch_loader import BatchedDataset, EpochLoader, as_is
from .epoch_position import EpochPosition
from .epoch_sampler import EpochSampler, check_enough
from .even_batches import EvenBatches
from .indexed_tensors import IndexedTensors


class Loaders:
    """Create a data module's loaders, sharded over its trainer's ranks, and keep their state.

    A data module includes ``state_dict`` in its own and calls ``load_state_dict`` in its own.
    Lightning also saves the state of a training loader, but does not restore it if the loader was
    created early, as by ``trainer.estimated_stepping_batches``; this way it always is.

    Args:
        seed: Seed of the order.
        num_workers: Worker processes of each loader; 0 loads in this process.
        pin_memory: Whether batches are put into page-locked memory.
        multiprocessing_context: Start method of worker processes.
        resident: Whether ``IndexedTensors`` are put on the trainer's device, once, and batches
            for training, validation and testing gathered there. Each rank holds all the data.

    Raises:
        ValueError: If the number of worker processes is negative, or data on the device are
            combined with worker processes or page-locked memory.

    Example:
        >>> from .indexed_tensors import IndexedTensors
        >>> data = IndexedTensors(torch.rand(10, 3))
        >>> len(Loaders(seed=1).train(data, torch.arange(8), 4, trainer=None))
        2
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        num_workers: int = 0,
        pin_memory: bool = False,
        multiprocessing_context: str | None = None,
        resident: bool = False,
    ) -> None:
        num_workers = whole_number("num_workers", num_workers, least=0)
        if resident and (num_workers or pin_memory):
            raise ValueError(
                f"Expected no `num_workers` and `pin_memory` with `resident`, but got "
                f"{num_workers} and {pin_memory}. Data on the device need neither."
            )
        self.seed, self.resident = seed, resident
        self.settings: dict[str, Any] = dict(
            num_workers=num_workers,
            pin_memory=pin_memory,
            multiprocessing_context=multiprocessing_context if num_workers else None,
        )
        self._training: EpochPosition | None = None
        self._state: dict[str, int] = {}
        self._placed: tuple[IndexedTensors, IndexedTensors] | None = None

    def train(
        self,
        dataset: BatchedDataset,
        members: Tensor,
        batch_size: int,
        *,
        trainer: Trainer | None,
        weights: Tensor | None = None,
        lengths: Tensor | None = None,
        span: int = 0,
    ) -> EpochLoader:
        """Return a loader of shuffled batches; it resumes in mid-epoch if a state was loaded.

        Args:
            dataset: Data set with ``__getitems__``.
            members: Items to iterate over, int64 of shape ``(N,)``.
            batch_size: Items in a batch, on each rank.
            trainer: The data module's Trainer.
            weights: Sampling weight of each member, to draw them with replacement.
            lengths: Length of each member, for batches of similar lengths.
            span: Added to an item for each time that it was drawn before in the epoch.
        """
        rank, replicas = self.shard(trainer)
        batches = EpochSampler(
            members,
            batch_size,
            shuffle=True,
            seed=self.seed,
            rank=rank,
            num_replicas=replicas,
            weights=weights,
            lengths=lengths,
            finished=self.finished(trainer),
            span=span,
        )
        self.follow(batches.position)
        return self._load(dataset, batches, trainer)

    def follow(self, position: EpochPosition) -> None:
        """Keep the position of a training loader, which continues from a loaded state."""
        self._training = position
        if self._state:
            position.load_state_dict(self._state)
            self._state = {}

    def in_order(
        self, dataset: BatchedDataset, members: Tensor, batch_size: int, *, trainer: Trainer | None
    ) -> EpochLoader:
        """Return a loader of every member once over all ranks, in order, to validate or test."""
        rank, replicas = self.shard(trainer)
        batches = EpochSampler(members, batch_size, shuffle=False, rank=rank, num_replicas=replicas)
        return self._load(dataset, batches, trainer)

    def predict(
        self, dataset: Dataset[Any], members: Tensor, batch_size: int, *, trainer: Trainer | None
    ) -> DataLoader[Any]:
        """Return a loader of all members, in order; Lightning shards it and informs writers."""
        check_enough(len(members), self.shard(trainer)[1])
        part = Subset(dataset, members.tolist())
        return DataLoader(
            part,
            batch_sampler=EvenBatches(SequentialSampler(part), batch_size),
            collate_fn=as_is,
            generator=torch.Generator().manual_seed(self.seed),
            **self.settings,
        )

    def state_dict(self) -> dict[str, int]:
        """Return the position of the training loader."""
        return self._training.state_dict() if self._training else {}

    def load_state_dict(self, state: dict[str, int], *, trainer: Trainer | None) -> None:
        """Keep a state for the next training loader, if a fit is being resumed."""
        if trainer is not None and trainer.state.fn == "fit":
            self._state = state

    @staticmethod
    def shard(trainer: Trainer | None) -> tuple[int, int]:
        """Return rank and number of ranks; with model parallelism, not those of processes."""
        shard = trainer.distributed_sampler_kwargs if trainer else None
        return (shard["rank"], shard["num_replicas"]) if shard else (0, 1)

    @staticmethod
    def finished(trainer: Trainer | None) -> Callable[[], int] | None:
        """Return a counter of the epoch's trained batches, for a sampler's ``finished``."""
        return partial(_finished_batches, trainer) if trainer else None

    def _load(
        self, dataset: BatchedDataset, batches: EpochSampler, trainer: Trainer | None
    ) -> EpochLoader:
        if self.resident and trainer is not None:
            dataset = self._place(cast(IndexedTensors, dataset), trainer.strategy.root_device)
        return EpochLoader(dataset, batches, **self.settings)

    def _place(self, dataset: IndexedTensors, device: torch.device) -> IndexedTensors:
        """Return the data on the device: one copy for the loaders of all splits."""
        known = self._placed
        if known is None or known[0] is not dataset or known[1].device != device:
            self._placed = known = (dataset, dataset.to(device))
        return known[1]


def _finished_batches(trainer: Trainer) -> int:
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return int(progress.processed)
