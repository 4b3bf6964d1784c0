"""Images with labels, split, normalised and augmented."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from ..functional.choices import choose
from .batch_augment import BatchAugment

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

    def setup(self, stage: str) -> None:
        """Read, split and measure, once."""
        if self._splits:
            return
        self._images, self._labels = self._read(self.data_dir)
        self.num_classes = int(self._labels.max()) + 1
        self._splits = _stratified_splits(
            self._labels, self.val_fraction, self.test_fraction, self.seed
        )
        training = self._images[self._splits["train"]]
        self.mean = training.mean((0, 2, 3), keepdim=True)
        self.std = training.std((0, 2, 3), keepdim=True).clamp(min=1e-6)

    def train_dataloader(self) -> DataLoader[Any]:
        """Training batches in an order that depends on (seed, epoch) alone."""
        data = _IndexedImages(self._images, self._labels, self._splits["train"])
        replicas = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        sampler: DistributedSampler[Any] = DistributedSampler(
            data, num_replicas=replicas, rank=rank, shuffle=True, seed=self.seed
        )
        drop_last = len(sampler) > self.batch_size and len(sampler) % self.batch_size == 1
        return DataLoader(
            data,
            self.batch_size,
            sampler=sampler,
            collate_fn=_as_is,
            drop_last=drop_last,
            generator=torch.Generator().manual_seed(self.seed),
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation batches."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Test batches."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test images."""
        return self._in_order("test")

    def _in_order(self, split: str) -> DataLoader[Any]:
        data = _IndexedImages(self._images, self._labels, self._splits[split])
        generator = torch.Generator().manual_seed(self.seed)
        return DataLoader(data, self.batch_size, collate_fn=_as_is, generator=generator)

    def on_after_batch_transfer(self, batch: IndexedBatch, dataloader_idx: int) -> Batch:
        """Augment (in training only) and normalise."""
        x, y, index = batch
        if self.trainer and self.trainer.training and not self.trainer.sanity_checking:
            x = self.augment(x, index=index, epoch=self.trainer.current_epoch)
        return (x - self.mean.to(x)) / self.std.to(x), y


class _IndexedImages(Dataset[Any]):
    """Images, labels and indices by the batch: one gather instead of a loop."""

    def __init__(self, images: Tensor, labels: Tensor, members: Tensor) -> None:
        self.images, self.labels, self.members = images, labels, members

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, item: int) -> IndexedBatch:
        return self.__getitems__([item])

    def __getitems__(self, items: list[int]) -> IndexedBatch:
        index = self.members[torch.as_tensor(items)]
        # index_select is many times faster than indexing.
        return self.images.index_select(0, index), self.labels.index_select(0, index), index


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


def _as_is(batch: Any) -> Any:
    return batch


def _stratified_splits(
    labels: Tensor, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, Tensor]:
    from sklearn.model_selection import train_test_split

    everything = torch.arange(len(labels)).numpy()
    classes = labels.numpy()
    rest, test = train_test_split(
        everything, test_size=test_fraction, stratify=classes, random_state=seed
    )
    val_share = val_fraction / (1 - test_fraction)
    train, val = train_test_split(
        rest, test_size=val_share, stratify=classes[rest], random_state=seed
    )
    splits = {"train": train, "val": val, "test": test}
    return {name: torch.from_numpy(members).sort().values for name, members in splits.items()}


def _read_digits(data_dir: Path) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16
    return pixels, torch.from_numpy(labels).long()


_READERS: dict[str, Callable[[Path], tuple[Tensor, Tensor]]] = {"digits": _read_digits}
