"""Building blocks of `BatchAugment`."""
