"""Training batches of a stream."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ...functional.epoch_order import epoch_seed
from ..loading import EpochPosition
from .streamed_item import Reading, stacked


class StreamLoader:
    """Shuffled batches of images, labels and items of a litdata stream, resumed in mid-epoch.

    litdata shuffles the chunks and the items near one another, fetches chunks ahead, and gives
    each rank and each worker process its own. The order depends on (seed, epoch) and on their
    numbers. All batches are full: what is left over is left out, other items in every epoch.
    Lightning takes it as a dataloader as it is.

    Args:
        url: Folder or address of what ``litdata.optimize`` wrote.
        batch_size: Images in a batch, on each rank.
        read: Image and label of an item; None takes the usual names.
        seed: Seed of the order.
        num_workers: Worker processes.
        pin_memory: Whether batches are put into page-locked memory.
        multiprocessing_context: How worker processes start.
        finished: How many batches of this epoch are used up, for ``EpochPosition``.
        settings: Arguments of ``litdata.StreamingDataset``.

    Raises:
        ValueError: If there are too few images for a batch on every rank.
    """

    def __init__(
        self,
        url: str,
        batch_size: int,
        *,
        read: Reading | None = None,
        seed: int = 0,
        num_workers: int = 0,
        pin_memory: bool = False,
        multiprocessing_context: str | None = None,
        finished: Callable[[], int] | None = None,
        **settings: Any,
    ) -> None:
        from .indexed_stream import IndexedStream

        # Not `dataset`: Lightning would warn of the length that a loader of litdata itself has.
        self._stream = IndexedStream(url, read, shuffle=True, drop_last=True, seed=seed, **settings)
        self.batch_size, self.seed = batch_size, seed
        self._settings = dict(
            num_workers=num_workers,
            pin_memory=pin_memory,
            multiprocessing_context=multiprocessing_context,
        )
        length, replicas = len(self._pass(0, 0)), self._stream.distributed_env.world_size
        if not length:
            raise ValueError(
                f"Expected at least {batch_size * replicas} images in {url}, a batch of "
                f"{batch_size} for each of {replicas} ranks. Use smaller batches or more data."
            )
        self.position = EpochPosition(length, batch_size * replicas, finished=finished)

    @property
    def sampler(self) -> EpochPosition:
        """Under this name Lightning looks for a ``set_epoch`` to call."""
        return self.position

    @property
    def epoch(self) -> int:
        """Epoch of the batches that are given out."""
        return self.position.current_epoch

    def __len__(self) -> int:
        return self.position.length

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        # A generator: an epoch that is set before the first batch is asked for counts.
        done = self.position.begin()
        for batch in self._pass(self.epoch, done):
            self.position.done += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Where the epoch is: batches given out, not those that workers have loaded ahead."""
        return self.position.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the batches that were left, once the epoch is that of the state."""
        self.position.load_state_dict(state)

    def _pass(self, epoch: int, done: int) -> Any:
        """A loader of litdata's for the rest of one epoch."""
        from litdata import StreamingDataLoader  # type: ignore[import-not-found,unused-ignore]

        # What a pass before has left in it.
        self._stream.reset_state_dict()
        loader = StreamingDataLoader(
            self._stream,
            batch_size=self.batch_size,
            collate_fn=stacked,
            generator=torch.Generator().manual_seed(epoch_seed(self.seed, epoch)),
            **self._settings,
        )
        # litdata counts epochs from 1, and one up when a whole one begins.
        loader.current_epoch = epoch
        if done:
            loader.load_state_dict(self._litdata_state(epoch + 1, done, loader.num_workers))
        return loader

    def _litdata_state(self, epoch: int, done: int, workers: int) -> dict[str, Any]:
        """What litdata would have saved after so many batches."""
        self._stream.set_epoch(epoch)
        items = done * self.batch_size
        return {
            "dataset": self._stream.state_dict(items, workers, self.batch_size),
            "current_epoch": epoch,
            "num_samples_yielded": items,
            "latest_worker_idx": (done - 1) % max(1, workers),
        }
