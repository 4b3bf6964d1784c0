"""Augmentation inside a DataLoader: importable, for workers that are started by `spawn`."""

import torch
from torch.utils.data import DataLoader

from torchvitals.datamodules import BatchAugment

COUNT, BATCH = 23, 5


class AugmentingCollate:
    """Augments each batch where it is collated: in the worker, if there is one.

    Args:
        augment: What augments.
        keyed: Whether by index and epoch; otherwise by the generator of each process.
    """

    def __init__(self, augment: BatchAugment, *, keyed: bool = True) -> None:
        self.augment, self.keyed = augment, keyed
        # Seen by workers that outlive an epoch.
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __call__(self, index: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        members = torch.tensor(index)
        generator = torch.Generator().manual_seed(3)
        images = torch.rand(COUNT, 3, 8, 9, generator=generator)[members]
        arguments = {"index": members, "epoch": int(self.epoch)} if self.keyed else {}
        return members, self.augment(images, **arguments)


def augmented_epochs(
    workers: int, *, start: str | None = None, keyed: bool = True, persistent: bool = True
) -> list[torch.Tensor]:
    """All images of two epochs, each in the data set's order."""
    collate = AugmentingCollate(BatchAugment("strong", seed=7), keyed=keyed)
    loader = DataLoader(
        range(COUNT),  # type: ignore[arg-type]
        BATCH,
        shuffle=True,
        num_workers=workers,
        collate_fn=collate,
        generator=torch.Generator().manual_seed(1),
        persistent_workers=bool(workers) and persistent,
        multiprocessing_context=start,
    )
    epochs = []
    for epoch in range(2):
        collate.epoch.fill_(epoch)
        found = list(loader)
        order = torch.cat([members for members, _ in found]).argsort()
        epochs.append(torch.cat([images for _, images in found])[order])
    return epochs
