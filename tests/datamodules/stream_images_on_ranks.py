"""Train, validate and predict streamed images on two ranks, and save what each rank got."""

import sys
from pathlib import Path

import torch
from helpers.images_module import BatchRecorder
from helpers.streaming import write_stream  # noqa: F401  keeps litdata from asking for releases
from helpers.training import WORKERS_START, leave_group, quiet_trainer

from torchvitals.datamodules import ImageDataModule


def main(folder: Path) -> None:
    urls = {name: str(folder / name) for name in ("train", "val", "test")}
    data = ImageDataModule.from_stream(
        urls,
        [f"class {i}" for i in range(53)],
        batch_size=4,
        augment={"brightness": [0.5, 0.5]},
        num_workers=1,
        multiprocessing_context=WORKERS_START,
    )
    model = BatchRecorder()
    trainer = quiet_trainer(devices=2, strategy="ddp", max_epochs=2, num_sanity_val_steps=0)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    trainer.predict(model, datamodule=data)
    saved = {"batches": model.batches, "mean": data.mean, "std": data.std}
    torch.save(saved, folder / f"streamed.{trainer.global_rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
