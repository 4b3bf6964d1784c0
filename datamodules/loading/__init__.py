"""Splits, order, shards and loaders that every data module shares."""

from .epoch_loader import EpochLoader
from .epoch_sampler import EpochSampler
from .indexed_tensors import IndexedTensors
from .loaders import Loaders
from .splits import make_splits

__all__ = ["EpochLoader", "EpochSampler", "IndexedTensors", "Loaders", "make_splits"]
