"""Tables of numbers and categories, split, cleaned, scaled and augmented."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader

from ..functional.arguments import plain_value, whole_number
from ..functional.choices import choose
from ..functional.class_weights import inverse_frequency_weights
from ..functional.repeated_rows import repeated_rows
from ..functional.splitting import balancing_weights
from .loading import (
    IndexedTensors,
    Loaders,
    Splitting,
    keep_plain_hyperparameters,
    warn_of_duplicates,
)
from .loading.trainer_slot import TrainerSlot
from .tables.category_encoder import CategoryEncoder, Encoding, Unseen
from .tables.class_labels import ClassLabels
from .tables.column_findings import column_findings
from .tables.number_encoder import Infinite, Missing, NumberEncoder, ScalingName
from .tables.reading import MISSING_VALUES
from .tables.table_augment import TableAugment
from .tables.table_encoder import TableEncoder
from .tables.table_preparation import TablePreparation
from .tables.table_source import ColumnName, TableSource
from .tables.target_numbers import TargetNumbers

_TASKS = dict.fromkeys(("classification", "regression"))


class TabularDataModule(LightningDataModule):
    """Train, validation, test and predict batches ``(x, y)`` of a table.

    Numeric columns are cleaned and scaled, categorical columns are one-hot encoded. The statistics
    for that are measured on the training split only and saved in checkpoints; those of a checkpoint
    take precedence. Splits depend only on ``seed`` and are stratified by class. In a csv file, a
    column is numeric if all its values in the training split are numbers; the columns of a data
    frame have their own types.

    Pass the data module itself to the Trainer, as in ``trainer.fit(model, datamodule=data)``: its
    hook `on_after_batch_transfer` augments and creates the batches ``(x, y)``. The loaders
    themselves yield ``(x, y, index)``, which the hook accepts in a custom loop.

    Args:
        data: Path of a csv, tsv (also ``.gz``) or parquet file; a pandas or polars data frame or a
            pyarrow table; a mapping of names to columns; an array or tensor of shape ``(N, C)``; or
            a pair ``(x, y)`` of features and targets.
        target: Column to predict, by name or position (-1 is the last), or several for
            regression; None for a pair. In a data frame whose columns are numbered, a number is a
            name if there is such a column.
        task: ``"classification"`` yields class indices, int64; ``"regression"`` numbers, float32.
        test_data: Separate data for testing; None uses ``test_fraction`` of the data.
        predict_data: Data for predicting, without targets; None uses the test data.
        features: Columns to predict from; None uses all but ``target`` and ``ignore``.
        ignore: Columns to leave out.
        categorical: Numeric columns to treat as categories, such as postal codes.
        scaling: ``"standard"``, ``"min_max"`` (0..1), ``"min_max_symmetric"`` (-1..1),
            ``"robust"`` (median and interquartile range) or ``"none"``.
        missing: What replaces missing numbers, in the column's unit: ``"mean"``, ``"median"``,
            ``"zero"`` or a number; ``"indicator"``, the mean and an additional feature that flags
            missing values; or ``"error"``.
        infinite: ``"clip"`` to the range of the training split, ``"missing"`` or ``"error"``.
        categories: ``"one_hot"``, or ``"ordinal"`` for networks with embeddings. Missing values are
            a separate category if the training split has any.
        unseen: Treatment of categories that the training split does not have: ``"other"`` (all
            zeros, or the number 0, with a warning if a column of other data has no known one) or
            ``"error"``. Boolean values match in any case, as strings or not.
        standardize_target: Whether to scale regression targets to mean 0 and standard deviation 1;
            losses and metrics are then in these units, and `unscale_targets` reverts it, as
            ``torchvitals predict`` does.
        augment: For training batches: any of ``{"noise": std, "swap": probability, "mixup":
            alpha}``, see ``TableAugment``; None changes nothing.
        batch_size: Rows in a batch, on each rank.
        balanced: Whether to sample training rows with replacement so that all classes are equally
            frequent; a row that is drawn again in an epoch is augmented differently.
        val_fraction: Fraction of the rows for validation.
        test_fraction: Fraction of the rows for testing.
        num_folds: Number of folds of the rows outside the test split; one validates.
        fold: Index of the validation fold, from 0.
        delimiter: Separator of the cells of a line; None infers it from the file name.
        missing_values: Strings that stand for a missing value.
        column_names: Names of the columns of an array, or of a file without a header.
        check_duplicates: Warn about rows with the same features as a row of another split.
        seed: Seed of splits, order and augmentation.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If there is one string instead of several, a missing value or a column's name is
            not a string, ``augment`` is not a mapping, or ``batch_size`` is not whole.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> data = TabularDataModule(load_wine(return_X_y=True), batch_size=32)
        >>> data.in_features, data.class_names
        (13, ['0', '1', '2'])
        >>> loaded = next(iter(data.val_dataloader()))
        >>> [part.shape for part in loaded]
        [torch.Size([27, 13]), torch.Size([27]), torch.Size([27])]
        >>> x, y = data.on_after_batch_transfer(loaded, 0)
    """

    trainer = TrainerSlot()

    def __init__(
        self,
        data: Any,
        target: ColumnName | Sequence[ColumnName] | None = None,
        *,
        task: Literal["classification", "regression"] = "classification",
        test_data: Any = None,
        predict_data: Any = None,
        features: Sequence[ColumnName] | None = None,
        ignore: Sequence[ColumnName] = (),
        categorical: Sequence[ColumnName] = (),
        scaling: ScalingName = "standard",
        missing: Missing = "mean",
        infinite: Infinite = "error",
        categories: Encoding = "one_hot",
        unseen: Unseen = "other",
        standardize_target: bool = False,
        augment: Mapping[str, float] | None = None,
        batch_size: int = 64,
        balanced: bool = False,
        val_fraction: float = 0.15,
        test_fraction: float = 0.2,
        num_folds: int | None = None,
        fold: int = 0,
        delimiter: str | None = None,
        missing_values: Sequence[str] = MISSING_VALUES,
        column_names: Sequence[str] | None = None,
        check_duplicates: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        seed, batch_size = plain_value(seed), whole_number("batch_size", batch_size)
        choose("task", task, _TASKS)
        regression = task == "regression"
        _check_task("balanced", balanced and regression, task)
        _check_task("standardize_target", standardize_target and not regression, task)
        self.augment = TableAugment(augment, seed=seed)
        if categories == "ordinal" and self.augment.operations.get("mixup"):
            raise ValueError(
                "Expected `categories='one_hot'` for 'mixup', but got 'ordinal', whose numbers "
                "cannot be mixed."
            )
        self._given = {"data": data, "test_data": test_data, "predict_data": predict_data}
        # Data in memory would be copied into each checkpoint.
        in_memory = [n for n, v in self._given.items() if not isinstance(v, str | Path | None)]
        self.save_hyperparameters(ignore=in_memory)
        keep_plain_hyperparameters(self, TabularDataModule)
        self._prepared = TablePreparation(
            TableSource(target, features, ignore, delimiter, missing_values, column_names),
            TableEncoder(
                NumberEncoder(scaling, missing, infinite),
                CategoryEncoder(categories, unseen),
                categorical,
            ),
            TargetNumbers(standardize=standardize_target) if regression else ClassLabels(),
        )
        if test_data is not None:
            test_fraction = 0.0
        self._splitting = Splitting(val_fraction, test_fraction, num_folds, fold, seed)
        self.task, self.batch_size, self.balanced = task, batch_size, balanced
        self.check_duplicates = check_duplicates
        self._loaders = Loaders(seed=seed)
        self._splits: dict[str, Tensor] = {}

    # Properties of the data

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order; for categories ``"column=category"``."""
        return self._fitted().encoder.feature_names

    @property
    def in_features(self) -> int:
        """Number of features."""
        return len(self.feature_names)

    @property
    def out_features(self) -> int:
        """Number of regression targets, or of classes."""
        targets = self._fitted().targets
        return targets.count if isinstance(targets, TargetNumbers) else len(targets.names)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, by index."""
        targets = self._fitted().targets
        if isinstance(targets, TargetNumbers):
            raise AttributeError(
                "Expected `task='classification'` for classes, but got regression."
            )
        return list(targets.names)

    @property
    def class_counts(self) -> Tensor:
        """Number of training rows of each class, int64."""
        self._read()
        return self._y[self._splits["train"]].bincount(minlength=self.num_classes)

    @property
    def class_weights(self) -> list[float]:
        """Weights for ``Classifier(class_weights=...)`` by which all classes count equally.

        The mean over the training rows is 1; a class without training rows gets the weight of the
        rarest class that has some.
        """
        weights: list[float] = inverse_frequency_weights(self.class_counts).tolist()
        return weights

    @property
    def category_sizes(self) -> dict[str, int]:
        """Number of codes of each column, including 0 for unseen categories."""
        vocabularies = self._fitted().encoder.categories.vocabularies
        return {name: len(vocabulary) + 1 for name, vocabulary in vocabularies.items()}

    def transform(self, data: Any) -> Tensor:
        """Encode other data with the same columns as `data`; no targets are needed.

        Categories are matched by their text: a data frame that holds codes such as ``"007"`` as
        numbers has lost their zeros. A warning names each column whose categories are all unseen.

        Returns:
            Tensor of shape ``(N, in_features)``, float32.
        """
        prepared = self._fitted()
        return prepared.encoder.encode(prepared.source.read(data))

    def unscale_targets(self, predictions: Tensor) -> Tensor:
        """Convert predictions of regression into the units of the data.

        Args:
            predictions: Shape ``(N,)`` or ``(N, out_features)``.
        """
        targets = self._fitted().targets
        if isinstance(targets, ClassLabels):
            raise TypeError("Expected `task='regression'` to unscale targets, but got classes.")
        return targets.decode(predictions)

    def duplicates(self) -> dict[str, Tensor]:
        """Find validation and test rows whose features equal those of a row of an earlier split.

        Returns:
            Rows by ``"val"`` and ``"test"``, int64; for ``test_data``, its own rows.
        """
        self._read()
        train, val = (self._x[self._splits[name]] for name in ("train", "val"))
        rows = self._test_rows
        test = self._test_data.__getitems__(rows)[0]
        return {
            "val": self._splits["val"][repeated_rows(val, train)],
            "test": rows[repeated_rows(test, torch.cat([train, val]))],
        }

    # Lightning's hooks

    def setup(self, stage: str) -> None:
        """Read, split, measure and encode the data once."""
        if stage != "predict" or self._given["predict_data"] is None:
            self._read()
        if stage == "fit" and self.check_duplicates:
            warn_of_duplicates(self.duplicates(), "features")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of training batches ``(x, y, index)``, shuffled by (seed, epoch)."""
        self._read()
        members = self._splits["train"]
        weights = balancing_weights(self._y[members]) if self.balanced else None
        return self._loaders.train(
            self._data,
            members,
            self.batch_size,
            trainer=self.trainer,
            weights=weights,
            span=len(self._y) if self.balanced else 0,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return a loader of validation batches ``(x, y, index)``; none with ``val_fraction=0``."""
        self._read()
        members = self._splits["val"]
        if not len(members):
            return []
        return self._loaders.in_order(self._data, members, self.batch_size, trainer=self.trainer)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return a loader of test batches ``(x, y, index)``."""
        data, members = self._test()
        return self._loaders.in_order(data, members, self.batch_size, trainer=self.trainer)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return a loader of ``predict_data``, as ``(x, index)``, or else of the test batches."""
        if self._given["predict_data"] is None:
            data, members = self._test()
        else:
            data = IndexedTensors(self.transform(self._given["predict_data"]))
            members = torch.arange(len(data))
        return self._loaders.predict(data, members, self.batch_size, trainer=self.trainer)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment, in training only.

        Args:
            batch: Features, targets and rows, as yielded by a loader, or features and rows.
                Lightning also passes a module's ``example_input_array``: one tensor, which stays
                as it is.
            dataloader_idx: Not used.

        Returns:
            Features and targets, or only features.
        """
        if isinstance(batch, Tensor):
            return batch
        *parts, index = batch
        if self.trainer and self.trainer.training and not self.trainer.sanity_checking:
            x, y = parts
            parts = list(self._augmented(x, y, index))
        return parts[0] if len(parts) == 1 else tuple(parts)

    def state_dict(self) -> dict[str, Any]:
        """Return the fitted statistics and the position in the epoch."""
        return {"prepared": self._prepared.state_dict(), "loading": self._loaders.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the fitted statistics, and continue with the remaining batches."""
        self._loaders.load_state_dict(state_dict["loading"], trainer=self.trainer)
        if self._prepared.load_state_dict(state_dict["prepared"]):
            self._splits = {}

    # Implementation
    def _fitted(self) -> TablePreparation:
        if not self._prepared.fitted:
            self._read()
        return self._prepared

    def _read(self) -> None:
        if self._splits:
            return
        prepared, source = self._prepared, self._prepared.source
        measures = not prepared.fitted
        table = source.read(self._given["data"])
        classes = prepared.classes(table)
        items = len(table) if classes is None else classes
        splits = self._splitting.split(items)
        prepared.fit(table, splits["train"])
        self._x, self._y = prepared.encode(table)
        self._data = self._test_data = IndexedTensors(self._x, self._y)
        self._test_rows = splits["test"]
        if self._given["test_data"] is not None:
            self._test_data = IndexedTensors(
                *prepared.encode(source.read(self._given["test_data"]))
            )
            self._test_rows = torch.arange(len(self._test_data))
        self._columns = torch.tensor(prepared.encoder.feature_columns)
        self._splits = splits
        if measures:
            for finding in column_findings(prepared.encoder, table, self._x[splits["train"]]):
                rank_zero_warn(finding)

    def _test(self) -> tuple[IndexedTensors, Tensor]:
        self._read()
        if not len(self._test_rows):
            raise ValueError(
                "Expected rows to test, but there are none. Pass `test_data`, or a `test_fraction` "
                "above 0."
            )
        return self._test_data, self._test_rows

    def _augmented(self, x: Tensor, y: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        if self._columns.device != x.device:
            # Kept, so that only the first batch waits for the copy.
            self._columns = self._columns.to(x.device)
        return self.augment(
            x,
            y,
            columns=self._columns,
            numbers=len(self._prepared.encoder.numbers.names),
            index=index,
            epoch=self.trainer.current_epoch if self.trainer else 0,
            num_classes=self.out_features,
        )


def _check_task(argument: str, chosen: bool, task: str) -> None:
    if chosen:
        raise ValueError(f"Expected `{argument}` to be False for {task}, but got True.")
