"""Data modules with augmentation built in."""

from .batch_augment import BatchAugment
from .image_data_module import ImageDataModule

__all__ = ["BatchAugment", "ImageDataModule"]
