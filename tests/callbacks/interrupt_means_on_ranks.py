"""On two ranks, watch a mean over training epochs; then resume from what an exception left."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import Saves, fit
from helpers.training import leave_group

SETTINGS = dict(devices=2, strategy="ddp", use_distributed_sampler=False, limit_val_batches=0)


class SavesAlone(Saves):
    """Only the first rank saves; the other one is somewhere else, and would not answer."""

    def on_exception(self, trainer, *_):
        if trainer.global_rank == 0:
            torch.save(trainer._checkpoint_connector.dump_checkpoint(), self.path)
        torch.distributed.barrier()


def resumed(path, saver):
    """What is found after an interruption, and what is said of it."""
    fit("mean", saver(path, "on_train_batch_end", 6, on_exception=True), **SETTINGS)
    torch.distributed.barrier()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = fit("mean", ckpt=path, **SETTINGS)
    return found["values"], [str(w.message) for w in seen if "Over the epoch" in str(w.message)]


def main(path: Path) -> None:
    """Save the values of an uninterrupted run, and of resumed ones."""
    found = {
        "whole": fit("mean", **SETTINGS)["values"],
        "one saves": resumed(path.parent / "one.ckpt", SavesAlone),
        "all save": resumed(path.parent / "all.ckpt", Saves),
    }
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
