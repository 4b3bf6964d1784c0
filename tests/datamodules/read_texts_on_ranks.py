"""Fit on a number of ranks, 16 reviews a step in all, and save what each rank saw."""

import sys
from pathlib import Path

import torch
from helpers.reviews import Recorder
from helpers.training import quiet_trainer

from torchvitals.datamodules import TextDataModule


def main(ranks: int, folder: Path) -> None:
    data = TextDataModule(
        folder / "reviews.csv", encoding="vocabulary", augment="eda", batch_size=16 // ranks
    )
    trainer = quiet_trainer(
        max_epochs=2,
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        num_sanity_val_steps=0,
    )
    model = Recorder()
    trainer.fit(model, datamodule=data)
    seen = {**model.seen, "words": data.vocabulary.words}
    torch.save(seen, folder / f"{ranks}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
