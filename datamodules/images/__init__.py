"""How `ImageDataModule` checks, splits, measures, shows and loads its images."""
