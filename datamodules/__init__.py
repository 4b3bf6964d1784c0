"""Data modules with augmentation built in."""

from .batch_augment import BatchAugment
from .image_data_module import ImageDataModule
from .text_augment import TextAugment

__all__ = ["BatchAugment", "ImageDataModule", "TextAugment"]
