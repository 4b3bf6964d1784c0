"""Predict items on two ranks; each saves its batches and what writers are told of them."""

import sys
from pathlib import Path

import torch
from helpers.loading import ItemsDataModule, Recorder, Writer
from helpers.training import leave_group, quiet_trainer


def predict(count: int, batch_size: int) -> tuple[list[list[int]], list[list[int]]]:
    writer = Writer()
    trainer = quiet_trainer(devices=2, strategy="ddp", callbacks=[writer])
    batches = trainer.predict(Recorder(), datamodule=ItemsDataModule(count, batch_size))
    return [batch.tolist() for batch in batches], writer.indices


def main(folder: Path, batch_sizes: list[int], counts: list[int]) -> None:
    found = {(count, size): predict(count, size) for size in batch_sizes for count in counts}
    try:
        predict(1, 4)
    except ValueError as error:
        found["error"] = str(error)
    torch.save(found, folder / f"predicted.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *([int(n) for n in numbers.split(",")] for numbers in sys.argv[2:]))
    leave_group()
