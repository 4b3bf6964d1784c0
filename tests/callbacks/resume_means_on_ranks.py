"""On two ranks, watch means over training epochs; then resume from checkpoints within them."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import fit
from helpers.training import leave_group
from lightning.pytorch.callbacks import ModelCheckpoint

WAYS = ("mean", "max", "first batch only", "metric")
# In mid-epoch, and after the last batch of one: Lightning leaves the epoch's end out.
STEPS = (2, 5)
SETTINGS = dict(
    devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=2, limit_val_batches=0
)


def main(path: Path) -> None:
    """Save the values of each way to log, uninterrupted and resumed."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    found = {}
    for number, way in enumerate(WAYS):
        folder = path.parent / str(number)
        saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
        whole = fit(way, saver, enable_checkpointing=True, **SETTINGS)
        found[way] = {"whole": whole["values"]}
        for step in STEPS:
            found[way][step] = fit(way, ckpt=folder / f"step={step}.ckpt", **SETTINGS)["values"]
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
