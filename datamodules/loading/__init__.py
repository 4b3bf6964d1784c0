"""Files, splits, order, shards and loaders that the data modules share.

A data module creates its splits by a ``Splitting``, holds one ``Loaders``, and gets its loaders
from it for a data set with ``__getitems__``, such as ``IndexedTensors`` for data in memory.
"""

from .delimited_rows import delimited_rows
from .epoch_loader import BatchedDataset, EpochLoader
from .epoch_position import EpochPosition
from .epoch_sampler import EpochSampler
from .findings import warn_of_duplicates, warn_of_one_class
from .indexed_tensors import IndexedTensors
from .loaders import Loaders
from .plain_hyperparameters import keep_plain_hyperparameters
from .splitting import Splitting
from .visible_files import visible_entries, visible_files

__all__ = [
    "BatchedDataset",
    "EpochLoader",
    "EpochPosition",
    "EpochSampler",
    "IndexedTensors",
    "Loaders",
    "Splitting",
    "delimited_rows",
    "keep_plain_hyperparameters",
    "visible_entries",
    "visible_files",
    "warn_of_duplicates",
    "warn_of_one_class",
]
