"""On two ranks, watch means over training epochs; then resume from what an exception left."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.epoch_means import Saves, fit
from helpers.training import leave_group
from lightning.pytorch.callbacks import Callback

SETTINGS = dict(devices=2, strategy="ddp", use_distributed_sampler=False, limit_val_batches=0)
IN_BATCH, AFTER, BEFORE = "on_after_backward", "on_train_batch_end", "on_train_batch_start"
# In mid-epoch, in an epoch's last batch, in the next one's first.
PLACES = ((IN_BATCH, 2), (IN_BATCH, 8), (AFTER, 3), (AFTER, 5), (BEFORE, 5))
EXACT = {
    "mean": PLACES,
    "metric with lists": PLACES,
    "large metric": PLACES,
    "from the third batch on": ((IN_BATCH, 3), (AFTER, 3), (IN_BATCH, 9)),
    "metric with lists, later": ((IN_BATCH, 3), (AFTER, 3), (IN_BATCH, 9)),
    "on the last rank only": ((IN_BATCH, 2), (AFTER, 8)),
    "max": ((IN_BATCH, 2), (AFTER, 8)),
    "first batch only": ((IN_BATCH, 2), (AFTER, 8)),
    "metric": ((IN_BATCH, 2), (AFTER, 8)),
    "at the epoch's end": ((IN_BATCH, 2), (AFTER, 5)),
    "at the batch's start": ((IN_BATCH, 2), (BEFORE, 7), (AFTER, 8)),
    # What the hook would log that does not run any more cannot be known.
    "at the batch's end": ((IN_BATCH, 1), (IN_BATCH, 2), (BEFORE, 9), (IN_BATCH, 6)),
}


class SavesAlone(Saves):
    """Only the first rank saves; the other one is somewhere else, and would not answer."""

    def on_exception(self, trainer, *_):
        if trainer.global_rank == 0:
            torch.save(trainer._checkpoint_connector.dump_checkpoint(), self.path)
        torch.distributed.barrier()


class LogsAndFails(SavesAlone):
    """Logs in the hook in which it fails, on both ranks: only its own log is there to be saved."""

    def interrupt(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.step:
            pl_module.say("on_train_batch_end", batch_idx)
        super().interrupt(trainer)


class SavedOutside(Saves):
    """Nobody has a say on exceptions: it is saved when fit is over."""

    on_exception = Callback.on_exception

    def interrupt(self, trainer, *_):
        self.trainer = trainer
        super().interrupt(trainer)

    def save(self):
        if self.trainer.global_rank == 0:
            torch.save(self.trainer._checkpoint_connector.dump_checkpoint(), self.path)


def resumed(way, folder, places, saver=SavesAlone, first=False):
    """What is found after interruptions, each of the run that goes on from the one before."""
    path = None
    for number, (hook, step) in enumerate(places):
        before, path = path, folder / f"{way} {number} {places[0]}.ckpt"
        saves = saver(path, hook, step, on_exception=True)
        fit(way, saves, before, first=first, **SETTINGS)
        if isinstance(saves, SavedOutside):
            saves.save()
        torch.distributed.barrier()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = fit(way, ckpt=path, **SETTINGS)
    told = [str(w.message) for w in seen if "Over the epoch" in str(w.message)]
    return plain(found), told


def plain(found):
    return {**found, "reason": found["reason"].value}


def main(path: Path) -> None:
    """Save what each way to log leads to, uninterrupted and resumed."""
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended")
    found, folder = {}, path.parent
    for way, places in EXACT.items():
        found[way] = {"whole": (plain(fit(way, **SETTINGS)), [])}
        for hook, step in places:
            found[way][f"{hook} {step}"] = resumed(way, folder, [(hook, step)])
    # Interrupted again in the very batch that is resumed, and in the next one.
    for way in ("mean", "metric with lists", "at the batch's end"):
        twice = [(IN_BATCH, 7), (IN_BATCH, 7), (IN_BATCH, 8)]
        found[way]["three times"] = resumed(way, folder, twice)
    found["mean"]["by all"] = resumed("mean", folder, [(AFTER, 4)], Saves)
    # Before early stopping's own hook, in an epoch's first batch, and behind a module's last hook.
    found["mean"]["first batch"] = resumed("mean", folder, [(AFTER, 6)], first=True)
    found["mean"]["placed before"] = resumed("mean", folder, [(AFTER, 7)], first=True)
    late = "at the batch's end"
    found[late]["placed before"] = resumed(late, folder, [(BEFORE, 8)], first=True)
    # What cannot come back.
    found[late]["behind"] = resumed(late, folder, [(AFTER, 7)], LogsAndFails, first=True)
    found["mean"]["lost"] = resumed("mean", folder, [(AFTER, 6)], SavedOutside)
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave_group()
