"""On two ranks, count how often they tell each other what they have summed up."""

import sys
from pathlib import Path

import torch
from helpers.epoch_means import BATCHES, WAYS, Logs
from helpers.scripted import batches
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, OnExceptionCheckpoint

from torchvitals.callbacks import EarlyStopping
from torchvitals.callbacks.stopping.resuming import epoch_sums


class Notifies(Callback):
    """Has a say on exceptions, and may save then."""

    def on_exception(self, *_):
        """Say nothing."""


class Fails(Callback):
    """What early stopping reads of Lightning is not there any more, on the second rank alone."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank == 1 and batch_idx == 3:
            epoch_sums.logged = lambda *_: {}["gone"]

    def on_train_end(self, *_):
        epoch_sums.logged = REAL_LOGGED


REAL_LOGGED, REAL_TELL = epoch_sums.logged, epoch_sums.tell
# Which way it is logged, what is watched, who saves on each rank, and more.
CASES = {
    "nobody saves": ("mean", "x", (None, None), {}),
    "not on exceptions": ("mean", "x", (ModelCheckpoint, ModelCheckpoint), {}),
    "saves": ("mean", "x", (Notifies, Notifies), {}),
    "Lightning saves": ("metric with lists", "x", (OnExceptionCheckpoint,) * 2, {}),
    "one rank saves": ("mean", "x", (None, Notifies), {}),
    "in the last hook": ("at the batch's end", "x", (Notifies, Notifies), {}),
    "of validation": ("mean", "val_loss", (Notifies, Notifies), {}),
    "of validation, tried before": ("mean", "val_loss", (Notifies,) * 2,
                                    {"num_sanity_val_steps": 1}),
    "at an epoch's end": ("at the epoch's end", "x", (Notifies, Notifies), {}),
    "fails on one rank": ("mean", "x", (Notifies, Notifies), {"callbacks": [Fails()]}),
}  # fmt: skip


def count(way, name, savers, folder, callbacks=(), **settings):
    """The number of exchanges, and the values that were watched."""
    counted = []

    def tell(trainer, *arguments):
        counted.append(trainer.global_step)
        return REAL_TELL(trainer, *arguments)

    epoch_sums.tell = tell
    stopping = EarlyStopping(name, patience=9)
    trainer = quiet_trainer(
        devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=2,
        enable_checkpointing=True, default_root_dir=folder,
        **{"num_sanity_val_steps": 0, **settings},
    )  # fmt: skip
    saver = savers[trainer.global_rank]
    own = [] if saver is None else [saver(folder)] if saver is not Notifies else [Notifies()]
    trainer.callbacks = [stopping, *own, *callbacks]
    trainer.fit(Logs(**WAYS[way][0]), batches(BATCHES), batches(2))
    return len(counted), stopping.judge.first.values


def main(path: Path) -> None:
    """Save the counts of all cases."""
    found = {
        name: count(way, monitor, savers, path.parent, **settings)
        for name, (way, monitor, savers, settings) in CASES.items()
    }
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
