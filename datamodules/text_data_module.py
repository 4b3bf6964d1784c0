"""Texts with labels, split, encoded and augmented."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from ..functional.arguments import optional_whole_number, plain_value, whole_number
from ..functional.class_weights import inverse_frequency_weights
from ..functional.splitting import balancing_weights
from .loading import (
    Loaders,
    Splitting,
    keep_plain_hyperparameters,
    warn_of_duplicates,
    warn_of_one_class,
)
from .loading.trainer_slot import TrainerSlot
from .text_augment import TextAugment
from .texts.augmented_texts import AugmentedTexts
from .texts.encoded_texts import EncodedTexts
from .texts.readers import read_texts
from .texts.text_preparation import Encoding, TextPreparation
from .texts.text_source import TextSource, repeated_texts
from .texts.vocabulary import Vocabulary

# Data that a stage can use instead of `data`.
_OWN_DATA = {"test": ("test_data",), "predict": ("predict_data", "test_data")}


class TextDataModule(LightningDataModule):
    """Train, validation, test and predict batches ``(x, y)`` of texts with classes.

    ``x`` holds token ids, int64, shape ``(N, L)``, with 0 for padding on the right, as
    TextClassifier expects; ``y`` holds class indices, int64, shape ``(N,)``. Splits are stratified
    by class and depend only on ``seed``. Class names and vocabulary are saved in checkpoints; those
    of a checkpoint take precedence over the data.

    Only training texts are augmented, each time they are loaded: the same (seed, epoch, text)
    gives the same augmentation for any batch size and any number of workers and ranks, and each
    epoch a different one. Other texts are encoded once.

    Args:
        data: Path of a csv, tsv or jsonl file; of a folder with a folder of ``.txt`` files for
            each class; or a pair ``(texts, labels)`` of lists. None if only ``test_data`` or
            ``predict_data`` is used, with a checkpoint.
        test_data: Separate data for testing; None uses ``test_fraction`` of the data.
        predict_data: Texts for predicting, without labels: as ``data``, a folder of ``.txt``
            files, or a list of texts. None uses the test texts.
        text_column: Column of a csv or tsv file, or key of a jsonl file, that holds the texts.
        label_column: The same for the labels, which are strings or integers.
        encoding: ``"hashed"``: the id of a word is a hash of it, and nothing is fitted;
            ``"vocabulary"``: words of the training split are numbered from 2 by decreasing
            frequency, and 1 is any other word.
        min_count: Minimum number of occurrences of a vocabulary word in the training split.
        max_words: Maximum number of words in a vocabulary.
        max_length: Number of words to keep of each text, from its beginning; None keeps all.
        augment: ``"eda"``, or operations of ``TextAugment`` with their fractions; None changes
            nothing.
        augment_p: Probability that a training text is changed at all.
        batch_size: Texts in a batch, on each rank.
        balanced: Whether to sample training texts with replacement so that all classes are equally
            frequent; a text that is drawn again in an epoch is augmented differently.
        length_buckets: Whether training batches hold texts of similar lengths, which saves
            padding.
        val_fraction: Fraction of the texts for validation.
        test_fraction: Fraction of the texts for testing.
        num_folds: Number of folds of the texts outside the test split; one validates.
        fold: Index of the validation fold, from 0.
        num_workers: Worker processes of each loader; 0 loads in this process.
        seed: Seed of splits, order and augmentation.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If a number is not whole.

    Example:
        >>> texts = ["A good film.", "Good!", "A bad film.", "Bad, bad."] * 5
        >>> data = TextDataModule((texts, ["pro", "pro", "con", "con"] * 5), batch_size=4)
        >>> data.class_names
        ['con', 'pro']
        >>> [part.shape for part in next(iter(data.test_dataloader()))]
        [torch.Size([4, 3]), torch.Size([4])]
    """

    trainer = TrainerSlot()

    def __init__(
        self,
        data: Any = None,
        *,
        test_data: Any = None,
        predict_data: Any = None,
        text_column: str = "text",
        label_column: str = "label",
        encoding: Encoding = "hashed",
        min_count: int = 1,
        max_words: int | None = 50_000,
        max_length: int | None = 512,
        augment: str | dict[str, Any] | None = None,
        augment_p: float = 1.0,
        batch_size: int = 64,
        balanced: bool = False,
        length_buckets: bool = True,
        val_fraction: float = 0.15,
        test_fraction: float = 0.2,
        num_folds: int | None = None,
        fold: int = 0,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        seed, batch_size = plain_value(seed), whole_number("batch_size", batch_size)
        min_count = whole_number("min_count", min_count)
        max_words = optional_whole_number("max_words", max_words)
        max_length = optional_whole_number("max_length", max_length)
        self._given = {"data": data, "test_data": test_data, "predict_data": predict_data}
        # Data in memory would be copied into each checkpoint.
        in_memory = [n for n, v in self._given.items() if not isinstance(v, str | Path | None)]
        self.save_hyperparameters(ignore=in_memory)
        keep_plain_hyperparameters(self, TextDataModule)
        self.augment = TextAugment("none" if augment is None else augment, seed=seed, p=augment_p)
        self.batch_size, self.balanced = batch_size, balanced
        self.length_buckets = length_buckets
        self._columns = {"text_column": text_column, "label_column": label_column}
        self._prepared = TextPreparation(
            encoding, min_count=min_count, max_words=max_words, max_length=max_length
        )
        if test_data is not None:
            test_fraction = 0.0
        self._splitting = Splitting(val_fraction, test_fraction, num_folds, fold, seed)
        self._loaders = Loaders(seed=seed, num_workers=num_workers)
        self._forget()

    # Properties of the data

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, by index, in numerical order or else in alphabetical order."""
        return list(self._fitted().class_names)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def class_counts(self) -> Tensor:
        """Number of training texts of each class, int64."""
        self._read()
        return self._y[self._splits["train"]].bincount(minlength=self.num_classes)

    @property
    def class_weights(self) -> list[float]:
        """Weights for ``Classifier(class_weights=...)`` by which all classes count equally.

        The mean over the training texts is 1; a class without training texts gets the weight of the
        rarest class that has some.
        """
        weights: list[float] = inverse_frequency_weights(self.class_counts).tolist()
        return weights

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary, with the id of each word."""
        encoder = self._fitted().encoder
        if not isinstance(encoder, Vocabulary):
            raise AttributeError(
                "Expected `encoding='vocabulary'` for a vocabulary, but got 'hashed'."
            )
        return encoder

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encode other texts as a batch for the model.

        Args:
            texts: A list of texts.

        Returns:
            Tensor of shape ``(N, L)``, int64, 0 for padding.

        Raises:
            TypeError: If it is a single text, whose letters would be taken for texts.
        """
        if isinstance(texts, str):
            raise TypeError(f"Expected `texts` to be a list, but got {texts[:40]!r}: use [text].")
        return EncodedTexts(texts, self._fitted().encode).padded(range(len(texts)))

    def duplicates(self) -> dict[str, Tensor]:
        """Find validation and test texts that repeat an earlier split's, up to case and spaces.

        Returns:
            Their indices by ``"val"`` and ``"test"``, int64; for ``test_data``, its own indices.
        """
        self._read()
        texts = self._source.texts
        parts = [[texts[i] for i in self._splits[name].tolist()] for name in ("train", "val")]
        source, members = self._test()
        parts.append([source.texts[i] for i in members.tolist()])
        _, val, test = repeated_texts(parts)
        return {"val": self._splits["val"][val], "test": members[test]}

    # Lightning's hooks

    def setup(self, stage: str) -> None:
        """Read, split and fit the data once."""
        if all(self._given[name] is None for name in _OWN_DATA.get(stage, ())):
            self._read()
        if stage == "fit":
            warn_of_one_class(
                self._y, "texts", "Check `label_column` and the labels, or the folders"
            )
            warn_of_duplicates(self.duplicates(), "text")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of training batches, shuffled by (seed, epoch)."""
        self._read()
        members, augments = self._splits["train"], bool(self.augment.operations)
        return self._loaders.train(
            AugmentedTexts(self._source.texts, self._prepared.encode, self._y, self.augment)
            if augments
            else self._data,
            members,
            self.batch_size,
            trainer=self.trainer,
            weights=balancing_weights(self._y[members]) if self.balanced else None,
            lengths=self._data.lengths[members] if self.length_buckets else None,
            span=len(self._data) if self.balanced and augments else 0,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return a loader of validation batches; none with ``val_fraction=0``."""
        self._read()
        members = self._splits["val"]
        if not len(members):
            return []
        return self._loaders.in_order(self._data, members, self.batch_size, trainer=self.trainer)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return a loader of test batches."""
        data, members = self._test_texts()
        return self._loaders.in_order(data, members, self.batch_size, trainer=self.trainer)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return a loader of batches ``x`` of ``predict_data``, or else the test batches."""
        if self._given["predict_data"] is None:
            data, members = self._test_texts()
        else:
            data = self._fitted().encoded(self._read_source("predict_data", labelled=False))
            members = torch.arange(len(data))
        return self._loaders.predict(data, members, self.batch_size, trainer=self.trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return class names, vocabulary and the position in the epoch."""
        return {"prepared": self._prepared.state_dict(), "loading": self._loaders.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore class names and vocabulary, and continue with the remaining batches."""
        self._loaders.load_state_dict(state_dict["loading"], trainer=self.trainer)
        if self._prepared.load_state_dict(state_dict["prepared"]):
            self._forget()

    # Implementation

    def _forget(self) -> None:
        self._splits: dict[str, Tensor] = {}
        self._test_data: EncodedTexts | None = None

    def _read(self) -> None:
        if self._splits:
            return
        if self._given["data"] is None:
            raise ValueError(
                "Expected `data`, but got None. Only testing and predicting work without it, from "
                "a checkpoint."
            )
        self._source = self._read_source("data")
        self._prepared.fit_classes(self._source.labels or [])
        self._y = self._source.class_indices(self._prepared.class_names)
        splits = self._splitting.split(self._y)
        self._prepared.fit_words(self._source.texts[i] for i in splits["train"].tolist())
        self._data = self._prepared.encoded(self._source)
        self._splits = splits

    def _read_source(self, name: str, *, labelled: bool = True) -> TextSource:
        return read_texts(self._given[name], **self._columns, labelled=labelled)

    def _fitted(self) -> TextPreparation:
        if not self._prepared.fitted and self._given["data"] is not None:
            self._read()
        return self._prepared

    def _test(self) -> tuple[TextSource, Tensor]:
        if self._given["test_data"] is None:
            self._read()
            return self._source, self._splits["test"]
        source = self._read_source("test_data")
        return source, torch.arange(len(source))

    def _test_texts(self) -> tuple[EncodedTexts, Tensor]:
        if self._given["test_data"] is None:
            self._read()
            if not len(self._splits["test"]):
                raise ValueError(
                    "Expected texts to test, but there are none. Pass `test_data`, or a "
                    "`test_fraction` above 0."
                )
            return self._data, self._splits["test"]
        if self._test_data is None:
            self._test_data = self._fitted().encoded(self._test()[0])
        return self._test_data, torch.arange(len(self._test_data))
