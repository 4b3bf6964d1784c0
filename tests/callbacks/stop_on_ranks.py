"""Stop on two ranks that see different losses, and save what each of them decided."""

import sys

import torch
from helpers.scripted import Scripted, batches
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch.callbacks import Callback

from torchvitals.callbacks import EarlyStopping
from torchvitals.callbacks.stopping.resuming import progress

NAN = float("nan")
GOOD = [3.0, 2.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
# Losses of rank 0 and of rank 1, and arguments.
CASES = {
    "NaN on one rank": (GOOD, [3, 2, 1, NAN, 1, 1, 1, 1], {}),
    "infinity on the first rank": ([3, 2, float("inf"), 1, 1, 1, 1, 1], GOOD, {}),
    "over the threshold on one rank": (GOOD, [3, 2, 1, 9, 1, 1, 1, 1],
                                       {"divergence_threshold": 8.0, "patience": 9}),
    "k times the best on one rank": (GOOD, [3, 2, 1, 1, 4, 1, 1, 1],
                                     {"max_loss_ratio": 3.0, "patience": 9}),
    "one rank improves": ([3] * 8, [3, 2.8, 2.6, 2.4, 2.4, 2.4, 2.4, 2.4], {"patience": 2}),
    "the mean is best elsewhere": ([1, 2, 3, 4, 5, 6, 7, 8], [9, 6, 5, 5, 5, 5, 5, 5],
                                   {"patience": 3}),
    "clocks differ": (GOOD, GOOD, {"max_minutes": 5.0}),
    "logged on one rank only": ([3, 2, 1, 2, 2, 2, 2, 2], None, {"patience": 2}),
    "logged on one rank now and then": ([3, 2, None, 2, None, 2, 2, 2], None, {"patience": 2}),
    "PQ of the mean": ([3, 2, 1, 3, 3, 3, 3, 3], [3, 2, 1, 3, 3, 3, 3, 3],
                       {"criterion": "PQ", "strip_length": 2, "alpha": 0.1}),
}  # fmt: skip


class Logged(Scripted):
    """Each rank logs its own losses, or none."""

    def validation_step(self, batch, batch_idx):
        """Log without joining the ranks."""
        ours = self.curves[str(self.global_rank)]
        value = None if ours is None else ours[self.global_step // self.steps - 1]
        if value is not None:
            only = self.curves["1"] is None
            self.log("val_loss", float(value), sync_dist=False, rank_zero_only=only)


class Clock(Callback):
    """A minute goes by for each step, two on the second rank."""

    def __init__(self):
        self.now = 0.0

    def on_train_batch_start(self, trainer, *_):
        """Go on."""
        self.now += 60 * (1 + trainer.global_rank)


def main(path: str) -> None:
    """Fit each case, then resume one."""
    found = {}
    for name, (first, second, arguments) in CASES.items():
        clock = Clock()
        progress.time.monotonic = lambda clock=clock: clock.now
        stopping = EarlyStopping("val_loss", **arguments)
        model = Logged({"0": first, "1": second}, steps=1)
        trainer = quiet_trainer(
            max_epochs=8, devices=2, strategy="ddp", callbacks=[stopping, clock],
            num_sanity_val_steps=0, use_distributed_sampler=False,
        )  # fmt: skip
        trainer.fit(model, batches(1), batches(1))
        found[name] = {
            "epochs": trainer.current_epoch,
            "reason": stopping.stopping_reason.value,
            "sentence": stopping.stopping_reason_message,
            "best": (stopping.best_epoch, float(stopping.best_score)),
            "restored": model.restored,
        }
    torch.save(found, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(sys.argv[1])
    leave_group()
