"""Splits, order, shards and loaders that every data module shares.

A data module makes its splits by ``make_splits``, holds one ``Loaders``, and asks it for its
loaders with a data set that has ``__getitems__``: ``IndexedTensors`` for what fits in memory.
"""

from .epoch_loader import BatchedDataset, EpochLoader
from .epoch_position import EpochPosition
from .epoch_sampler import EpochSampler
from .findings import duplicates_finding, one_class_finding
from .indexed_tensors import IndexedTensors
from .loaders import Loaders
from .splits import check_split_arguments, make_splits

__all__ = [
    "BatchedDataset",
    "EpochLoader",
    "EpochPosition",
    "EpochSampler",
    "IndexedTensors",
    "Loaders",
    "check_split_arguments",
    "duplicates_finding",
    "make_splits",
    "one_class_finding",
]
