"""Small litdata streams, and a data module that reads them."""

import os
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule

from torchvitals.datamodules.loading import Loaders
from torchvitals.datamodules.streaming.stream_loader import StreamLoader
from torchvitals.datamodules.streaming.streamed_images import StreamedImages

# litdata would ask the package index for a newer release each time.
os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"


def numbered_image(number: int) -> dict[str, Any]:
    """Image of 4x5 pixels that are all its number, with the number as its label."""
    return {"image": np.full((4, 5, 3), number % 256, np.uint8), "label": number}


def write_stream(folder: Any, count: int, make: Any = numbered_image) -> str:
    import litdata

    litdata.optimize(
        make, list(range(count)), str(folder), chunk_size=10, num_workers=1, start_method="fork",
        verbose=False,
    )  # fmt: skip
    return str(folder)


class StreamsDataModule(LightningDataModule):
    def __init__(self, train: str, val: str, batch_size: int, **settings: Any) -> None:
        super().__init__()
        self.loaders = Loaders(seed=1, **settings)
        self.train, self.val, self.batch_size = train, val, batch_size

    def train_dataloader(self):
        finished = self.loaders.finished(self.trainer)
        loader = StreamLoader(
            self.train, self.batch_size, seed=1, finished=finished, **self.loaders.settings
        )
        self.loaders.follow(loader.position)
        return loader

    def val_dataloader(self):
        images = StreamedImages(self.val)
        members = images.order(self.loaders.shard(self.trainer)[1])
        return self.loaders.in_order(images, members, self.batch_size, trainer=self.trainer)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        x, _, index = batch
        # What Recorder records is the items; the pixels must be theirs.
        assert (x[:, 0, 0, 0] == index % 256).all()
        return index

    def state_dict(self):
        return {"loading": self.loaders.state_dict()}

    def load_state_dict(self, state_dict):
        self.loaders.load_state_dict(state_dict["loading"], trainer=self.trainer)
