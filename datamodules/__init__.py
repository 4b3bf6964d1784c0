"""Data modules with augmentation built in."""

from .batch_augment import BatchAugment
from .image_data_module import ImageDataModule
from .tabular_data_module import TabularDataModule
from .text_augment import TextAugment
from .text_data_module import TextDataModule

__all__ = [
    "BatchAugment",
    "ImageDataModule",
    "TabularDataModule",
    "TextAugment",
    "TextDataModule",
]
