"""What loader tests load, where worker processes can import it."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import BasePredictionWriter
from torch.utils.data import Dataset

from torchvitals.datamodules.loading import IndexedTensors, Loaders


class Items(Dataset):
    """Batches that are nothing but their items."""

    def __getitems__(self, items):
        return torch.as_tensor(items)


class StoredItems(IndexedTensors):
    """The same, read from a tensor that can be put on a device."""

    def __init__(self, count: int) -> None:
        super().__init__(torch.arange(count))

    def __getitems__(self, items):
        return super().__getitems__(items)[0]


class ItemsDataModule(LightningDataModule):
    def __init__(self, count: int, batch_size: int, **settings: Any) -> None:
        super().__init__()
        self.members, self.batch_size = torch.arange(count), batch_size
        self.loaders = Loaders(seed=1, **settings)
        self.items = StoredItems(count) if self.loaders.resident else Items()

    def train_dataloader(self):
        return self.loaders.train(self.items, self.members, self.batch_size, trainer=self.trainer)

    def val_dataloader(self):
        return self.loaders.in_order(
            self.items, self.members, self.batch_size, trainer=self.trainer
        )

    def predict_dataloader(self):
        return self.loaders.predict(self.items, self.members, self.batch_size, trainer=self.trainer)

    def state_dict(self):
        return {"loading": self.loaders.state_dict()}

    def load_state_dict(self, state_dict):
        self.loaders.load_state_dict(state_dict["loading"], trainer=self.trainer)


class Recorder(LightningModule):
    """Records (epoch, batch) of each training step, and the weights' course depends on them.

    ``interrupt_at`` is the global step that raises KeyboardInterrupt, before anything is learnt.
    """

    def __init__(self, *, estimate: bool = False, interrupt_at: int = -1) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
        self.estimate, self.interrupt_at = estimate, interrupt_at
        self.trained: list[tuple[int, list[int]]] = []
        self.validated: list[list[int]] = []

    def configure_optimizers(self):
        if self.estimate:
            assert self.trainer.estimated_stepping_batches > 0
        return torch.optim.SGD(self.parameters(), lr=1e-3)

    def training_step(self, batch, batch_idx):
        if self.global_step == self.interrupt_at:
            raise KeyboardInterrupt
        self.trained.append((self.current_epoch, batch.tolist()))
        return self.weight * (batch.double() + 1).log().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch.tolist())

    def predict_step(self, batch, batch_idx):
        return batch


class Writer(BasePredictionWriter):
    """Keeps the indices of the batches that it is to write."""

    def __init__(self) -> None:
        super().__init__("batch")
        self.indices: list[list[int]] = []

    def write_on_batch_end(self, trainer, module, prediction, indices, *others):
        self.indices.append(indices)
