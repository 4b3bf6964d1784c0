"""On two ranks, accumulate gradients; then resume from checkpoints between two steps."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.accumulating import ByHand, Regresses, SavesAt, Sparse, fit
from helpers.training import leave_group
from lightning.pytorch.strategies import ModelParallelStrategy


def strategy_of(name: str) -> str | ModelParallelStrategy:
    """One for each Trainer."""
    if name != "FSDP2":
        return "ddp_find_unused_parameters_true"
    return ModelParallelStrategy(2, 1, save_distributed_checkpoint=False)


def main(path: Path) -> None:
    """Save what each strategy finds, uninterrupted and resumed behind one batch and behind two.

    Not before the first step: of a checkpoint from there Lightning fails under FSDP2."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    found = {}
    for name in ("DDP", "DDP by hand", "DDP sparse", "FSDP2"):
        fits = [train(name)]
        for hook, batch in (("end", 4), ("end", 5), ("start", 9), ("end", 11)):
            saved = path.parent / f"{name}-{batch}.ckpt"
            train(name, saves=SavesAt(saved, f"on_train_batch_{hook}", batch))
            fits.append(train(name, ckpt=saved))
        found[name] = fits
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


def train(name: str, **arguments):
    """A fit on two ranks, of which each has a half of every batch."""
    models = {"DDP by hand": ByHand, "DDP sparse": Sparse}
    model = models.get(name, Regresses)(**({"sharded": True} if name == "FSDP2" else {}))
    return fit(model=model, devices=2, strategy=strategy_of(name), **arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
