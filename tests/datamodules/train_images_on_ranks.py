"""Train, test and predict on a number of ranks, and save every batch that each rank got."""

import sys
from pathlib import Path

import torch
from helpers.images_module import BatchRecorder
from helpers.training import WORKERS_START, quiet_trainer

from torchvitals.datamodules import ImageDataModule


def main(ranks: int, images: Path, out: Path) -> None:
    """With a global batch of 8, however many ranks there are."""
    data = ImageDataModule(
        "folder",
        images,
        batch_size=8 // ranks,
        augment="standard",
        num_workers=1,
        multiprocessing_context=WORKERS_START,
        balanced=True,
    )
    model = BatchRecorder()
    trainer = quiet_trainer(
        max_epochs=2, devices=ranks, strategy="ddp" if ranks > 1 else "auto", num_sanity_val_steps=0
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    trainer.predict(model, datamodule=data)
    splits = {name: index.tolist() for name, index in data.splits.items()}
    saved = {"batches": model.batches, "splits": splits, "mean": data.mean}
    torch.save(saved, out / f"{ranks}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
