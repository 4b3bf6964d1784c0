"""On two ranks, watch means over training epochs; then resume from what an exception left."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import Saves, fit
from helpers.training import leave_group

SETTINGS = dict(
    devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=2, limit_val_batches=0
)
EXACT = ("mean", "max", "first batch only", "metric", "at the epoch's end")
# In mid-epoch, in an epoch's last batch, in the next one's first.
PLACES = (
    ("on_after_backward", 2),
    ("on_train_batch_end", 3),
    ("on_train_batch_end", 5),
    ("on_train_batch_start", 5),
)


class SavesAlone(Saves):
    """Only the first rank saves; the other one is somewhere else, and would not answer."""

    def on_exception(self, trainer, *_):
        if trainer.global_rank == 0:
            torch.save(trainer._checkpoint_connector.dump_checkpoint(), self.path)
        torch.distributed.barrier()


def resumed(way, path, saver, hook, step, first=False):
    fit(way, saver(path, hook, step, on_exception=True), first=first, **SETTINGS)
    torch.distributed.barrier()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        values = fit(way, ckpt=path, **SETTINGS)["values"]
    told = [str(w.message) for w in seen if "will be that of its rest" in str(w.message)]
    return values, told


def main(path: Path) -> None:
    """Save the values of each way to log, uninterrupted and resumed."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    found = {}
    number = 0
    for way in (*EXACT, "metric with lists"):
        found[way] = {"whole": (fit(way, **SETTINGS)["values"], [])}
        for saver in (Saves, SavesAlone):
            for hook, step in PLACES if saver is Saves else PLACES[:1]:
                number += 1
                file = path.parent / f"{number}.ckpt"
                found[way][f"{saver.__name__} {hook} {step}"] = resumed(
                    way, file, saver, hook, step
                )
    # Before early stopping's own hook, where the ranks have not told of the batch.
    found["mean"]["early"] = resumed(
        "mean", path.parent / "early.ckpt", Saves, "on_train_batch_end", 5, first=True
    )
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
