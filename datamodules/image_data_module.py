"""Images with labels, split, normalised and augmented."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from ..functional.arguments import optional_whole_number, plain_value, whole_number
from ..functional.class_weights import inverse_frequency_weights
from ..functional.devices import works_alongside
from ..functional.splitting import balancing_weights
from .augmenting.normalizing import checked_statistics
from .batch_augment import BatchAugment
from .image_sets.indexed_images import IndexedBatch
from .image_sets.labelled_images import LabelledImages
from .image_sets.reading import checked_dataset, download_images, read_images
from .images.arguments import check_streamed, checked_size, worker_processes
from .images.batch_finish import BatchFinish
from .images.duplicates import Duplicates, find_equal_images
from .images.picture import draw_batch
from .images.statistics import MEASURED_FILES, measure_channels
from .loading import Loaders, Splitting, keep_plain_hyperparameters, warn_of_one_class
from .loading.trainer_slot import TrainerSlot
from .streaming.stream_loader import StreamLoader
from .streaming.streamed_item import Reading
from .streaming.streamed_set import StreamedSet, spread_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Batch = tuple[Tensor, Tensor]


class ImageDataModule(LightningDataModule):
    """Train, validation, test and predict batches ``(x, y)`` of labelled images.

    Splits are stratified by class and depend only on ``seed``; splits that a data set comes with
    are kept, and only a missing validation split is drawn. Statistics are measured on the training
    split only. Pixels stay bytes until they are on the device, where training batches are augmented
    and all batches normalised. The same (seed, epoch, image) gives the same augmentation in every
    run. Statistics and classes of a checkpoint take precedence over those of the data.

    Pass the data module itself to the Trainer, as in ``trainer.fit(model, datamodule=data)``: its
    hook `on_after_batch_transfer` creates the batches ``(x, y)``. The loaders themselves yield
    ``(x, y, index)`` with pixels that are neither augmented nor normalised; in a custom loop, the
    hook normalises such batches.

    Args:
        dataset: One of

            - ``"digits"``: 1,797 handwritten digits of 8x8 pixels that scikit-learn ships;
            - ``"mnist"``, ``"fashion_mnist"``, ``"cifar10"``, ``"svhn"``, ``"stl10"`` or any other
              torchvision data set with one class for each image, read from ``data_dir``, for the
              first two also from IDX files in it, compressed or not;
            - ``"folder"``: images in ``data_dir/class/``, or in ``data_dir/train/class/`` with
              ``val`` and ``test`` next to ``train``;
            - ``(images, labels)``, or a mapping of ``"train"``, ``"val"`` and ``"test"`` to such
              pairs: arrays or tensors of shape ``(N, C, H, W)``, ``(N, H, W, C)`` or ``(N, H, W)``,
              integers up to 255 or floating point in 0..1, and class indices or class names.
        data_dir: Folder of the files.
        batch_size: Images in a batch, on each rank.
        augment: A preset of ``BatchAugment``, or its operations by name. With ``mixup`` or
            ``cutmix``, training targets are probabilities of shape ``(N, num_classes)``.
        val_fraction: Fraction for validation, of the images outside a given test split.
        test_fraction: Fraction for testing, if the data set comes without splits.
        num_folds: Number of folds that all but the test split is divided into; one validates.
        fold: Index of the validation fold, from 0.
        balanced: Sample training images with replacement so that all classes are equally frequent;
            an image that is drawn again in an epoch is augmented differently.
        image_size: Height and width, or one number for both: images are resized to cover it and
            centre-cropped. Required if files differ in size.
        image_channels: 1, 3 or 4; None keeps those of the images, for files 1 if none is in colour.
        mean: Mean of each channel, or one number for all, in 0..1; None measures it, for files on
            at most 5,000 images.
        std: Standard deviation, in the same form; None measures it.
        download: Whether torchvision may download what is missing in ``data_dir``.
        dataset_options: Further arguments of the torchvision class.
        check_duplicates: Warn about images that occur in two splits.
        num_workers: Worker processes of each loader; None uses 0 for images in memory and, for
            files, as many as there are processors for each device, up to 8.
        multiprocessing_context: Start method of worker processes, such as ``"spawn"``. Under DDP
            before Python 3.12, ``"forkserver"`` is safer than torch's default on Linux, ``"fork"``,
            which can hang with the threads of a process group (python/cpython#112275).
        resident: Keep images in memory on the device, all of them on each, and gather batches
            there: only the order of each epoch is copied.
        seed: Seed of splits, order and augmentation.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If ``dataset`` is of another type, or a number is not whole.

    Example:
        >>> data = ImageDataModule("digits", batch_size=32)
        >>> data.setup("fit")
        >>> data.num_classes, data.image_shape
        (10, (1, 8, 8))
        >>> loaded = next(iter(data.val_dataloader()))
        >>> [part.shape for part in loaded]
        [torch.Size([32, 1, 8, 8]), torch.Size([32]), torch.Size([32])]
        >>> x, y = data.on_after_batch_transfer(loaded, 0)
    """

    trainer = TrainerSlot()

    def __init__(
        self,
        dataset: str | tuple[Any, Any] | dict[str, tuple[Any, Any]] | StreamedSet = "digits",
        data_dir: str | Path = "data",
        *,
        batch_size: int = 64,
        augment: str | dict[str, Any] = "standard",
        val_fraction: float = 0.15,
        test_fraction: float = 0.2,
        num_folds: int | None = None,
        fold: int = 0,
        balanced: bool = False,
        image_size: int | tuple[int, int] | None = None,
        image_channels: int | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        download: bool = False,
        dataset_options: dict[str, Any] | None = None,
        check_duplicates: bool = False,
        num_workers: int | None = None,
        multiprocessing_context: str | None = None,
        resident: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        seed, batch_size = plain_value(seed), whole_number("batch_size", batch_size)
        num_workers = optional_whole_number("num_workers", num_workers, least=0)
        if image_channels not in (None, 1, 3, 4):
            raise ValueError(
                f"Expected `image_channels` to be 1, 3 or 4, but got {image_channels}."
            )
        self._splitting = Splitting(val_fraction, test_fraction, num_folds, fold, seed)
        if isinstance(dataset, StreamedSet):
            check_streamed(
                balanced=balanced,
                num_folds=num_folds,
                resident=resident,
                check_duplicates=check_duplicates,
                download=download,
                dataset_options=dataset_options,
            )
        self.save_hyperparameters(ignore=[] if isinstance(dataset, str) else ["dataset"])
        keep_plain_hyperparameters(self, ImageDataModule)
        self.dataset, self.data_dir = checked_dataset(dataset), Path(data_dir)
        self.batch_size, self.balanced, self.seed = batch_size, balanced, seed
        self.augment = BatchAugment(augment, seed=seed)
        self.image_size = checked_size(image_size)
        self.image_channels, self.dataset_options = image_channels, dict(dataset_options or {})
        self.normalization = checked_statistics(mean, std)
        self.download, self.check_duplicates = download, check_duplicates
        self.num_workers, self.multiprocessing_context = num_workers, multiprocessing_context
        self.resident = resident
        self.splits: dict[str, Tensor] = {}
        self._data: LabelledImages | StreamedSet | None = None
        self._loaders: Loaders | None = None
        self._restored: dict[str, Any] = {}

    @classmethod
    def from_stream(
        cls,
        urls: Mapping[str, str],
        class_names: Sequence[str],
        *,
        read: Reading | None = None,
        options: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> "ImageDataModule":
        """Create a data module from litdata streams, for more images than fit on a disk.

        Statistics are measured on at most 5,000 training images, in runs spread over the stream.

        Args:
            urls: Folder or URL of ``"train"`` and optionally ``"val"`` and ``"test"``, each
                written by ``litdata.optimize``.
            class_names: Names of the classes, by class index.
            read: Extracts image and label from an item; None accepts pairs and the usual keys.
            options: Arguments of ``litdata.StreamingDataset``.
            **arguments: Further arguments of the class.

        Raises:
            ValueError: If there is no training stream, or an argument needs labels in advance.
        """
        fractions = {name: arguments.get(name) for name in ("val_fraction", "test_fraction")}
        check_streamed(**fractions)
        return cls(StreamedSet(dict(urls), tuple(class_names), read, options or {}), **arguments)

    def prepare_data(self) -> None:
        """Download the data set in one process, if requested and needed."""
        if self.download:
            download_images(self.dataset, self.data_dir, self.dataset_options)

    def setup(self, stage: str | None = None) -> None:
        """Read, split and measure once; before training, warn if all images are of one class."""
        data = self._known()
        if stage == "fit" and isinstance(data, LabelledImages):
            warn_of_one_class(
                data.labels, "images", "Check `data_dir`, or the labels that you passed"
            )

    # Properties of the data

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class index."""
        return self._known().class_names

    @property
    def class_counts(self) -> Tensor:
        """Number of training images of each class, int64 of shape ``(num_classes,)``."""
        data = self._labelled("class_counts")
        return data.labels[self.splits["train"]].bincount(minlength=self.num_classes)

    @property
    def class_weights(self) -> Tensor:
        """Weights by which all classes count equally in the loss, float32, ``(num_classes,)``.

        Pass them as ``Classifier(..., class_weights=data.class_weights.tolist())``. The mean over
        the training images is 1; a class without training images gets the weight of the rarest
        class that has some.
        """
        return inverse_frequency_weights(self.class_counts).float()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that the network receives."""
        channels, height, width = self._known().images.shape
        return (self.image_channels or channels, *(self.image_size or (height, width)))

    @property
    def mean(self) -> Tensor:
        """Mean that is subtracted from each channel, of pixels in 0..1, ``(1, channels, 1, 1)``."""
        self._known()
        return self._statistics[0]

    @property
    def std(self) -> Tensor:
        """Standard deviation that each channel is then divided by, ``(1, channels, 1, 1)``."""
        self._known()
        return self._statistics[1]

    def find_duplicates(self) -> Duplicates:
        """Find images that are equal, pixel by pixel, in two splits; reads all images."""
        return find_equal_images(self._labelled("find_duplicates").images, self.splits)

    def plot_batch(self, count: int = 16, *, epoch: int = 0) -> "Figure":
        """Plot the first training images before and after augmentation.

        Args:
            count: Number of images.
            epoch: Epoch of the augmentation.
        """
        data, index = self._known(), self.splits["train"][:count]
        images, labels = data.examples(index)
        before = self._finish.scaled(images)
        after, targets = self.augment(before, labels, index=index, epoch=epoch)
        shares = targets if targets.ndim == 2 else None
        return draw_batch(before, after, labels, data.class_names, shares=shares)

    # Loaders

    def train_dataloader(self) -> Any:
        """Return a loader of training batches ``(x, y, index)``, shuffled by (seed, epoch)."""
        data, loaders, members = self._known(), self._loading(), self.splits["train"]
        if isinstance(data, StreamedSet):
            streamed = StreamLoader(
                data.urls["train"],
                self.batch_size,
                read=data.read,
                seed=self.seed,
                finished=loaders.finished(self.trainer),
                **loaders.settings,
                **data.options,
            )
            loaders.follow(streamed.position)
            return streamed
        return loaders.train(
            data.batches["train"],
            members,
            self.batch_size,
            trainer=self.trainer,
            weights=balancing_weights(data.labels[members]) if self.balanced else None,
            span=len(data.labels) if self.balanced else 0,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Return a loader of validation batches ``(x, y, index)``; none with ``val_fraction=0``."""
        self._known()
        return self._in_order("val") if len(self.splits["val"]) else []

    def test_dataloader(self) -> DataLoader[Any]:
        """Return a loader of test batches ``(x, y, index)``."""
        self._check_test_split()
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return a loader of the test batches ``(x, y, index)``."""
        self._check_test_split()
        data, members = self._known().batches["test"], self.splits["test"]
        return self._loading().predict(data, members, self.batch_size, trainer=self.trainer)

    def on_after_batch_transfer(
        self, batch: IndexedBatch | Tensor, dataloader_idx: int
    ) -> Batch | Tensor:
        """Augment (in training only) and normalise.

        Args:
            batch: Images, class indices and items, as yielded by a loader. Lightning also passes a
                module's ``example_input_array``: one tensor, which stays as it is.
            dataloader_idx: Not used.

        Returns:
            Images, shape ``(N, *image_shape)``, in the dtype of the Trainer's module, and class
            indices or, for mixed images, probabilities.
        """
        if isinstance(batch, Tensor):
            return batch
        x, y, index = batch
        trainer = self.trainer
        x = self._finish.scaled(x)
        if trainer and trainer.training and not trainer.sanity_checking:
            x, y = self.augment(x, y, index=index, epoch=trainer.current_epoch)
        dtype: Any = trainer.lightning_module.dtype if trainer else torch.float32
        y = y.to(dtype) if y.is_floating_point() else y
        return self._finish.normalized(x, dtype), y

    def _in_order(self, split: str) -> DataLoader[Any]:
        data, loaders, members = self._known(), self._loading(), self.splits[split]
        if isinstance(data, StreamedSet):
            members = data.batches[split].order(loaders.shard(self.trainer)[1])
        return loaders.in_order(data.batches[split], members, self.batch_size, trainer=self.trainer)

    # State

    def state_dict(self) -> dict[str, Any]:
        """Return statistics, classes and the position in the epoch."""
        if self._data is None:
            return {}
        return {
            "mean": self.mean,
            "std": self.std,
            "class_names": list(self._data.class_names),
            "loading": self._loading().state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore statistics and classes, and continue with the remaining batches."""
        self._restored = state_dict
        if self._data is not None:
            self._adopt(self._data)

    def _known(self) -> LabelledImages | StreamedSet:
        """Return the data, which are read when first needed."""
        if self._data is not None:
            return self._data
        data = self._adopt(self._read())
        if self.check_duplicates and (self.trainer is None or self.trainer.is_global_zero):
            found = self.find_duplicates()
            if len(found):
                warnings.warn(f"Expected splits without duplicates, but {found}.", stacklevel=4)
        return data

    def _read(self) -> LabelledImages | StreamedSet:
        """Read and split the data, and measure the training split."""
        data, threads = self.dataset, 8
        if isinstance(data, StreamedSet):
            self.splits = data.split()
            # Neighbouring images are stored together, and litdata reads sequentially.
            measured, threads = spread_runs(len(self.splits["train"]), MEASURED_FILES), 1
        else:
            data = read_images(
                data,
                self.data_dir,
                image_size=self.image_size,
                channels=self.image_channels,
                options=self.dataset_options,
            )
            self.splits = data.split(self._splitting)
            measured = self.splits["train"]
        mean, std = self.normalization
        if mean is None or std is None:
            mean, std = measure_channels(data.images, measured, seed=self.seed, threads=threads)
        channels = self.image_channels or data.images.shape[0]
        if mean.shape[1] not in (1, channels):
            raise ValueError(
                f"Expected `mean` and `std` with one number for each of {channels} channels, but "
                f"got {mean.shape[1]}."
            )
        self._statistics = mean, std
        return data

    def _labelled(self, what: str) -> LabelledImages:
        data = self._known()
        if isinstance(data, StreamedSet):
            raise ValueError(
                f"Expected images with labels known in advance for `{what}`, but got streams."
            )
        return data

    def _adopt(self, data: LabelledImages | StreamedSet) -> LabelledImages | StreamedSet:
        """Apply the state of a checkpoint, if one was loaded, and finish batches accordingly."""
        state = self._restored
        if state:
            data = data.with_class_names(state["class_names"])
            self._statistics = state["mean"].cpu(), state["std"].cpu()
        self._data, self._restored = data, {}
        if state:
            self._loading().load_state_dict(state["loading"], trainer=self.trainer)
        self.augment.num_classes = len(data.class_names)
        channels, _, _ = self.image_shape
        self._finish = BatchFinish(*self._statistics, channels=channels, size=self.image_size)
        return data

    def _loading(self) -> Loaders:
        """Return the maker of loaders, created when first needed: the Trainer is known by then."""
        if self._loaders is None:
            stored, trainer = self._known().images.stored, self.trainer
            if self.resident and not stored:
                raise ValueError(
                    "Expected `resident` to be False for images that are decoded from files, but "
                    "got True."
                )
            devices = trainer.num_devices if trainer else 1
            alongside = trainer is not None and works_alongside(trainer.strategy.root_device)
            self._loaders = Loaders(
                seed=self.seed,
                num_workers=worker_processes(self.num_workers, stored=stored, devices=devices),
                pin_memory=alongside and not self.resident,
                multiprocessing_context=self.multiprocessing_context,
                resident=self.resident,
            )
        return self._loaders

    def _check_test_split(self) -> None:
        self._known()
        if not len(self.splits["test"]):
            raise ValueError(
                "Expected a test split, but got none: the data set comes without one, or "
                "`test_fraction` is 0."
            )
