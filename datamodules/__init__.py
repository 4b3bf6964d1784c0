"""Data modules with augmentation built in."""

from .batch_augment import BatchAugment
from .image_data_module import ImageDataModule
from .text_augment import TextAugment
from .text_data_module import TextDataModule

__all__ = ["BatchAugment", "ImageDataModule", "TextAugment", "TextDataModule"]
