"""One of two processes dies in mid-epoch, and the other one saves; then both go on from there."""

import os
import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import Saves, fit
from helpers.training import leave_group

# A process for each rank, which nothing but its own end ends.
SETTINGS = dict(devices=1, num_nodes=2, strategy="ddp", use_distributed_sampler=False,
                limit_val_batches=0)  # fmt: skip
WAY = "metric with lists"


class Dies(Saves):
    """The one rank is gone in a moment; the other one finds that out when it waits for it."""

    def __init__(self, path, hook, rank):
        super().__init__(path, hook, 8)
        self.rank = rank

    def interrupt(self, trainer, *_):
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            if self.rank == 0:
                raise InterruptedError
            os._exit(3)

    def on_exception(self, trainer, *_):
        if trainer.global_rank == 0:
            torch.save(trainer._checkpoint_connector.dump_checkpoint(), self.path)
        os._exit(3)


def resumed(checkpoint: Path) -> tuple[dict, list[str]]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = fit(WAY, ckpt=checkpoint, **SETTINGS)
    told = [str(w.message) for w in seen if "Over the epoch" in str(w.message)]
    return plain(found), told


def plain(found: dict) -> dict:
    return {**found, "reason": found["reason"].value}


def main(path: Path, dying: int | None, hook: str, *checkpoints: Path) -> None:
    """Interrupt, or save what each of the checkpoints comes to."""
    if dying is not None:
        fit(WAY, Dies(checkpoints[0], hook, dying), **SETTINGS)
    found = [(plain(fit(WAY, **SETTINGS)), []), *map(resumed, checkpoints)]
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    rank = None if sys.argv[2] == "none" else int(sys.argv[2])
    main(Path(sys.argv[1]), rank, sys.argv[3], *map(Path, sys.argv[4:]))
    leave_group()
