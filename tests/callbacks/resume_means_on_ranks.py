"""On two ranks, watch means over training epochs; then resume from a checkpoint of every step."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import fit
from helpers.training import leave_group
from lightning.pytorch.callbacks import ModelCheckpoint

WAYS = ("mean", "max", "first batch only", "metric", "metric with lists")
# The fifth is an epoch's last.
STEPS = (2, 5, 8)
SETTINGS = dict(devices=2, strategy="ddp", use_distributed_sampler=False)


def main(path: Path) -> None:
    """Save what each way to log gave, uninterrupted and resumed."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    found = {}
    for number, way in enumerate(WAYS):
        folder = path.parent / str(number)
        saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
        whole = fit(way, saver, enable_checkpointing=True, **SETTINGS)
        found[way] = {"whole": repr(whole), "epochs": len(whole["values"])}
        for step in STEPS:
            resumed = fit(way, ckpt=folder / f"step={step}.ckpt", **SETTINGS)
            found[way][step] = repr(resumed)
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
