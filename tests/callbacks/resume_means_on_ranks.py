"""On two ranks, watch means over training epochs; then resume from checkpoints within them."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import Saves, fit
from helpers.late_logging import fit_late
from helpers.training import leave_group
from lightning.pytorch.callbacks import ModelCheckpoint

from torchvitals.callbacks.stopping import told_bytes

WAYS = ("mean", "max", "first batch only", "metric", "at the batch's end")
# By the last hook of a batch, which gets each rank's own.
LATE = ("mean of outputs", "each step too", "attributes", "metric of both")
# In mid-epoch, and after the last batch of one: Lightning leaves the epoch's end out.
STEPS = (2, 5)
SETTINGS = dict(
    devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=2, limit_val_batches=0
)


def main(path: Path) -> None:
    """Save the values of each way to log, uninterrupted and resumed."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    # As those of large batches go.
    told_bytes._PIECE = 1000
    found = {}
    for number, way in enumerate(WAYS):
        folder = path.parent / str(number)
        saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
        whole = fit(way, saver, enable_checkpointing=True, **SETTINGS)
        found[way] = {"whole": whole["values"]}
        for step in STEPS:
            found[way][step] = fit(way, ckpt=folder / f"step={step}.ckpt", **SETTINGS)["values"]
    for name in LATE:
        found[name] = {"whole": fit_late(name, **SETTINGS)}
        for step in STEPS:
            saved = path.parent / f"{name} {step}.ckpt"
            fit_late(name, Saves(saved, "on_train_batch_end", step), **SETTINGS)
            found[name][step] = fit_late(name, ckpt=saved, **SETTINGS)
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
