"""The first of two ranks saves at an exception of its own, while the other one is elsewhere."""

import sys
from datetime import timedelta
from pathlib import Path

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import Callback
from torch.distributed import FileStore

from torchvitals.callbacks import DeadReLUMonitor, TrainingDoctor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

STEP = 7


class SavesAlone(Callback):
    """Rank 1 is held up until the checkpoint is there, and then given up."""

    def __init__(self, store):
        self.store, self.checkpoint, self.is_there = store, None, False

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == STEP:
            if trainer.global_rank == 1:
                self.store.wait(["saved"], timedelta(seconds=10))
                self.is_there = True
            raise InterruptedError

    def on_exception(self, trainer, *_):
        if trainer.global_rank == 0:
            self.checkpoint = trainer._checkpoint_connector.dump_checkpoint()
            self.store.set("saved", "")


def fit(callback, folder, name, *, saves_first=False):
    """Train until the exception, and return which ranks have what they should."""
    saver = SavesAlone(FileStore(str(folder / name), 2))
    trainer = quiet_trainer(
        devices=2,
        strategy="ddp",
        callbacks=[saver, callback] if saves_first else [callback, saver],
        num_sanity_val_steps=0,
    )
    try:
        trainer.fit(MLPClassifier(64, 10), datamodule=ImageDataModule())
    except (InterruptedError, RuntimeError) as error:
        print(type(error).__name__, error)
    kept = callback.state_key in (saver.checkpoint or {"callbacks": {}})["callbacks"]
    return kept if trainer.global_rank == 0 else saver.is_there


def main(folder: Path) -> None:
    """Interrupt a fit with each of them, and save what became of it."""
    found = {
        "dead units": fit(DeadReLUMonitor(), folder, "dead"),
        "doctor": fit(TrainingDoctor(verbose=False), folder, "doctor"),
        "doctor after": fit(TrainingDoctor(verbose=False), folder, "after", saves_first=True),
    }
    torch.save(found, folder / f"found.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
