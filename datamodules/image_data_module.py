"""Images with labels, split, normalised and augmented."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from ..functional.choices import choose
from .batch_augment import BatchAugment
from .loading import IndexedTensors, Loaders, make_splits

Batch = tuple[Tensor, Tensor]
IndexedBatch = tuple[Tensor, Tensor, Tensor]


class ImageDataModule(LightningDataModule):
    """Train, validation, test and predict batches ``(x, y)`` of a labelled image data set.

    Splits are stratified by class and depend on ``seed`` alone. Mean and standard deviation
    come from the training split. Only training batches are augmented, after their transfer to
    the device; the same (seed, epoch, image) gives the same augmentation in every run. A last
    training batch of one image is left out, because BatchNorm cannot use it.

    Args:
        dataset: ``"digits"``, the 1,797 handwritten digits of 8x8 pixels that scikit-learn
            ships (no download), or images and labels of your own: floating point in 0..1 of
            shape ``(N, C, H, W)`` and class indices, int64, of shape ``(N,)``.
        data_dir: Folder for data sets that are files; the digits need none.
        batch_size: Images in a batch, on each rank.
        augment: A preset of ``BatchAugment``, or its operations by name; mixing is not among
            them, because the labels stay class indices.
        val_fraction: Share of the images for validation.
        test_fraction: Share of the images for testing.
        seed: Seed of splits, order and augmentation.

    Raises:
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> data = ImageDataModule("digits", batch_size=32)
        >>> data.setup("fit")
        >>> data.num_classes
        10
    """

    def __init__(
        self,
        dataset: str | tuple[Tensor, Tensor] = "digits",
        data_dir: str | Path = "data",
        *,
        batch_size: int = 64,
        augment: str | dict[str, Any] = "standard",
        val_fraction: float = 0.15,
        test_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` to be at least 1, but got {batch_size}.")
        fractions = {"val_fraction": val_fraction, "test_fraction": test_fraction}
        for name, value in fractions.items():
            if not 0 < value < 1:
                raise ValueError(f"Expected `{name}` between 0 and 1, but got {value}.")
        if sum(fractions.values()) >= 1:
            raise ValueError(
                f"Expected `val_fraction` and `test_fraction` to leave images for training, "
                f"but got {val_fraction} + {test_fraction}."
            )
        if isinstance(dataset, str):
            self._read = choose("dataset", dataset, _READERS)
        else:
            images, labels = _checked_tensors(*dataset)
            self._read = lambda data_dir: (images, labels)
        self.augment = BatchAugment(augment, seed=seed)
        if {"mixup", "cutmix"} & set(self.augment.operations):
            raise ValueError(
                f"Expected `augment` without 'mixup' and 'cutmix', but got {augment}. Mix in your "
                f"module's `on_after_batch_transfer` with a BatchAugment of your own."
            )
        self.data_dir = Path(data_dir)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.seed = seed
        self.save_hyperparameters(ignore=[] if isinstance(dataset, str) else ["dataset"])
        self._splits: dict[str, Tensor] = {}
        self._loaders = Loaders(seed=seed)

    def setup(self, stage: str) -> None:
        """Read, split and measure, once."""
        if self._splits:
            return
        self._images, self._labels = self._read(self.data_dir)
        self.num_classes = int(self._labels.max()) + 1
        self._splits = make_splits(
            self._labels,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )
        self._data = IndexedTensors(self._images, self._labels)
        training = self._images[self._splits["train"]]
        self.mean = training.mean((0, 2, 3), keepdim=True)
        self.std = training.std((0, 2, 3), keepdim=True).clamp(min=1e-6)

    def train_dataloader(self) -> DataLoader[Any]:
        """Training batches in an order that depends on (seed, epoch) alone."""
        members = self._splits["train"]
        return self._loaders.train(self._data, members, self.batch_size, trainer=self.trainer)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation batches."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Test batches."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test images."""
        return self._loaders.predict(self._data, self._splits["test"], self.batch_size)

    def _in_order(self, split: str) -> DataLoader[Any]:
        members = self._splits[split]
        return self._loaders.in_order(self._data, members, self.batch_size, trainer=self.trainer)

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch is, so that a run resumed in mid-epoch has the rest of its batches."""
        return {"loading": self._loaders.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the batches that were left."""
        self._loaders.load_state_dict(state_dict["loading"], trainer=self.trainer)

    def on_after_batch_transfer(self, batch: IndexedBatch, dataloader_idx: int) -> Batch:
        """Augment (in training only) and normalise."""
        x, y, index = batch
        if self.trainer and self.trainer.training and not self.trainer.sanity_checking:
            x = self.augment(x, index=index, epoch=self.trainer.current_epoch)
        return (x - self.mean.to(x)) / self.std.to(x), y


def _checked_tensors(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"Expected `dataset` to hold floating-point images of shape (N, C, H, W), but got "
            f"{images.dtype} of shape {tuple(images.shape)}."
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(
            f"Expected `dataset` to hold one int64 label for each of {len(images)} images, but "
            f"got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    return images, labels


def _read_digits(data_dir: Path) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16
    return pixels, torch.from_numpy(labels).long()


_READERS: dict[str, Callable[[Path], tuple[Tensor, Tensor]]] = {"digits": _read_digits}
