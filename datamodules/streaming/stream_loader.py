"""Training batches of a stream."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ...functional.epoch_order import epoch_seed
from ..loading import EpochPosition
from .streamed_item import Reading, stacked


class StreamLoader:
    """Load shuffled batches of images, labels and items of a litdata stream; resumes in mid-epoch.

    litdata shuffles the chunks and nearby items, fetches chunks ahead, and gives each rank and each
    worker process its own. The order depends on (seed, epoch) and on the numbers of ranks and
    workers. All batches are full: remaining items are dropped, different ones in every epoch.
    Lightning accepts it as a dataloader.

    Args:
        url: Folder or URL that ``litdata.optimize`` wrote to.
        batch_size: Images in a batch, on each rank.
        read: Extracts image and label from an item; None accepts pairs and the usual keys.
        seed: Seed of the order.
        num_workers: Worker processes.
        pin_memory: Whether batches are put into page-locked memory.
        multiprocessing_context: Start method of worker processes.
        finished: Returns how many batches of this epoch were used, for ``EpochPosition``.
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

        # Not `dataset`: Lightning would warn about the length of the litdata loader.
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
        """The position, under the name by which Lightning finds ``set_epoch``."""
        return self.position

    def __len__(self) -> int:
        return self.position.length

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        # A generator: an epoch can be set until the first batch is requested.
        done = self.position.begin()
        for batch in self._pass(self.position.current_epoch, done):
            self.position.done += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the position in the epoch, without batches that workers have loaded ahead."""
        return self.position.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the remaining batches, once the epoch is that of the state."""
        self.position.load_state_dict(state)

    def _pass(self, epoch: int, done: int) -> Any:
        """Return a litdata loader for the rest of one epoch."""
        from litdata import StreamingDataLoader  # type: ignore[import-not-found,unused-ignore]

        # Discard the state of an earlier pass.
        self._stream.reset_state_dict()
        loader = StreamingDataLoader(
            self._stream,
            batch_size=self.batch_size,
            collate_fn=stacked,
            generator=torch.Generator().manual_seed(epoch_seed(self.seed, epoch)),
            **self._settings,
        )
        # litdata counts epochs from 1, and increments when a whole one begins.
        loader.current_epoch = epoch
        if done:
            loader.load_state_dict(self._litdata_state(epoch + 1, done, loader.num_workers))
        return loader

    def _litdata_state(self, epoch: int, done: int, workers: int) -> dict[str, Any]:
        """Return what litdata would have saved after this many batches."""
        self._stream.set_epoch(epoch)
        items = done * self.batch_size
        return {
            "dataset": self._stream.state_dict(items, workers, self.batch_size),
            "current_epoch": epoch,
            "num_samples_yielded": items,
            "latest_worker_idx": (done - 1) % max(1, workers),
        }
