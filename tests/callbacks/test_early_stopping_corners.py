"""Programs whose resumed runs once differed go on from every step as if never interrupted."""

from contextlib import suppress
from functools import cache

import pytest
import torch
from helpers.epoch_means import Saves
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, LearningRateFinder, ModelCheckpoint
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from torchvitals.callbacks import EarlyStopping, StoppingReason
from torchvitals.callbacks.stopping.helping_callbacks import drop_helpers
from torchvitals.callbacks.stopping.restoring import RestoreLast
from torchvitals.callbacks.stopping.resuming.accumulation import AccumulateAgain
from torchvitals.callbacks.stopping.resuming.missed_epoch_end import EndLate

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:You are using the `dataloader_iter` step flavor"),
    pytest.mark.filterwarnings("ignore:Found `dataloader_iter` argument in the `training_step`"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to"),
]
BATCHES, EPOCHS = 4, 6
BEFORE, WITHIN, AFTER = "on_train_batch_start", "on_after_backward", "on_train_batch_end"
# One for each epoch: the second is the best.
CURVE = [5.0, 1.0, 6.0, 7.0, 8.0, 9.0]


class Trains(LightningModule):
    """Its weight is the number of the step; it notes the batches that it trains."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.zeros(1)), []

    def on_train_batch_start(self, batch, batch_idx):
        self.weight.data.fill_(self.global_step + 1)

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, batch_idx))
        return (self.weight * 0).sum() + 1.0 + 5 * self.current_epoch + batch_idx

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Validates(Trains):
    def validation_step(self, batch, batch_idx):
        self.log("x", CURVE[self.current_epoch])


class LeavesOut(Validates):
    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        return -1 if batch_idx == 2 else None


class ImprovesLate(Trains):
    def validation_step(self, batch, batch_idx):
        self.log("x", [5.0, 6.0, 1.0, 2.0, 3.0, 4.0][self.current_epoch])


class LogsSteps(Trains):
    def training_step(self, batch, batch_idx):
        self.log("x", CURVE[self.current_epoch] - 0.1 * batch_idx)
        return super().training_step(batch, batch_idx)


class LogsBoth(Trains):
    def training_step(self, batch, batch_idx):
        self.log("x", CURVE[self.current_epoch], on_step=True, on_epoch=True)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.log("y", 1.0)


class LogsInFirstValidation(Trains):
    def validation_step(self, batch, batch_idx):
        if self.global_step % BATCHES == 2:
            self.log("x", CURVE[self.current_epoch])


class LogsAtEpochStart(Trains):
    def on_train_epoch_start(self):
        self.log("x", CURVE[self.current_epoch])


class FetchesItself(Trains):
    def training_step(self, dataloader_iter):
        next(dataloader_iter)
        return (self.weight * 0).sum()

    def validation_step(self, batch, batch_idx):
        self.log("x", CURVE[self.current_epoch])


class Unread(Trains):
    def validation_step(self, batch, batch_idx):
        self.log("y", [5.0, 6.0, 7.0, 1.0, 2.0, 3.0][self.current_epoch])


class Endless(IterableDataset):
    """Batches of a length that is not told, and that go on where they were left."""

    def __init__(self, start=0):
        self.start = start

    def __iter__(self):
        start, self.start = self.start, 0
        return iter([torch.zeros(1)] * (BATCHES - start))


PROGRAMS = {
    "validation": (Validates, {"patience": 2}, {}),
    "validations by the step": (
        Validates, {"patience": 3}, {"check_val_every_n_epoch": None, "val_check_interval": 3}),
    "batches that are left out": (
        LeavesOut, {"patience": 2, "check_on_train_epoch_end": True}, {"val_check_interval": 2}),
    "a stop that waits": (ImprovesLate, {"patience": 1}, {"min_steps": 10}),
    "logged by the step": (
        LogsSteps, {"patience": 2, "check_on_train_epoch_end": True}, {}),
    "logged by step and epoch": (
        LogsBoth, {"patience": 2, "check_on_train_epoch_end": True}, {"val_check_interval": 3}),
    "logged in the first validation": (
        LogsInFirstValidation, {"patience": 2, "check_on_train_epoch_end": True},
        {"val_check_interval": 0.5}),
    "logged at an epoch's start": (
        LogsAtEpochStart, {"patience": 2}, {}),
    "PQ": (Validates, {"criterion": "PQ", "alpha": 1e9}, {"max_epochs": 3}),
    "batches by hand": (
        FetchesItself, {"patience": 2, "check_on_train_epoch_end": False},
        {"val_check_interval": 3}),
    "one of two": (
        Unread, {"monitor": ["x", "y"], "patience": 2, "require": "any", "strict": False}, {}),
}  # fmt: skip


def train(program, *callbacks, first=(), ckpt=None, data=None):
    make, arguments, settings = PROGRAMS[program]
    stopping, module = EarlyStopping(**{"monitor": "x", **arguments}), make()
    saves = any(isinstance(c, ModelCheckpoint) for c in callbacks)
    trainer = quiet_trainer(
        callbacks=[*first, stopping, *callbacks], num_sanity_val_steps=0,
        enable_checkpointing=saves, **{"max_epochs": EPOCHS, **settings},
    )  # fmt: skip
    before = list(trainer.callbacks)
    data = batches(BATCHES) if data is None else data
    validation = batches(1) if is_overridden("validation_step", module) else None
    with suppress(InterruptedError):
        trainer.fit(module, data, validation, ckpt_path=ckpt)
    assert trainer.callbacks == before
    return {
        "step": trainer.global_step,
        "epoch": trainer.current_epoch,
        "reason": stopping.stopping_reason,
        "sentence": stopping.stopping_reason_message,
        "best": stopping.best_step,
        "weight": module.weight.item(),
        "values": {name: curve.values for name, curve in stopping.judge.curves.items()},
        "losses": [x for x in stopping.judge.first.training_losses if x == x],
    }, module.seen


@cache
def whole(program):
    return train(program)[0]


def every_step(folder):
    return ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)


def rest_of(program, step):
    """Batches that are left after a step, by epoch and index."""
    return train(program)[1][step:]


@pytest.mark.parametrize("program", PROGRAMS)
def test_from_every_checkpoint_by_the_step(program, tmp_path):
    assert train(program, every_step(tmp_path))[0] == whole(program)
    for step in range(1, whole(program)["step"]):
        found, seen = train(program, ckpt=tmp_path / f"step={step}.ckpt")
        assert (found, seen) == (whole(program), rest_of(program, step)), step


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "batches by hand"])
def test_from_within_every_batch_and_then_from_every_later_step(program, tmp_path):
    """The batch that breaks is trained again, and counts once."""
    for step in range(0, whole(program)["step"], 3):
        broken, later = tmp_path / f"{step}.ckpt", tmp_path / f"later {step}"
        train(program, Saves(broken, WITHIN, step, on_exception=True))
        assert train(program, every_step(later), ckpt=broken)[0] == whole(program), step
        for path in sorted(later.glob("*.ckpt"))[:5]:
            assert train(program, ckpt=path)[0] == whole(program), (step, path.name)


@pytest.mark.parametrize(
    "program", ["PQ", "logged by the step", "validation", "logged at an epoch's start"]
)
@pytest.mark.parametrize("hook", [BEFORE, AFTER])
@pytest.mark.parametrize("raises", [False, True])
def test_a_callback_in_front_saves(program, hook, raises, tmp_path):
    for step in (3, 4, 6):
        path = tmp_path / f"{step}.ckpt"
        train(program, first=[Saves(path, hook, step, on_exception=raises)])
        assert train(program, ckpt=path)[0] == whole(program), step


@pytest.mark.parametrize("hook", ["on_validation_start", "on_validation_end"])
def test_an_epoch_that_the_stop_cuts_short_is_ended(hook, tmp_path):
    program, path = "validations by the step", tmp_path / "x.ckpt"
    stops_at = whole(program)["step"]
    assert stops_at % BATCHES
    train(program, Saves(path, hook, stops_at))
    ends = ModelCheckpoint(tmp_path / "ends", save_top_k=-1, save_on_train_epoch_end=True)
    assert train(program, ends, ckpt=path)[0] == whole(program)
    epoch = whole(program)["epoch"] - 1
    saved = [path.name for path in (tmp_path / "ends").iterdir()]
    assert saved == [f"epoch={epoch}-step={stops_at}.ckpt"]


@pytest.mark.parametrize("hook", [AFTER, "on_validation_start", "on_train_epoch_end"])
@pytest.mark.parametrize("given", [0, BATCHES])
def test_data_of_unknown_length(hook, given, tmp_path):
    path, program = tmp_path / "x.ckpt", "validation"
    endless = DataLoader(Endless(), batch_size=None)
    assert train(program, data=endless)[0] == whole(program)
    train(program, Saves(path, hook, 2 * BATCHES), data=endless)
    rest = DataLoader(Endless(given), batch_size=None)
    assert train(program, ckpt=path, data=rest)[0] == whole(program)


def test_the_reason_stands_where_nothing_is_left_to_train(tmp_path):
    ends = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    stopping = EarlyStopping("x", patience=2)
    trainer = quiet_trainer(callbacks=[stopping, ends], max_epochs=4, enable_checkpointing=True,
                            num_sanity_val_steps=0)  # fmt: skip
    trainer.fit(Validates(), batches(BATCHES), batches(1))
    other = EarlyStopping("x", patience=2)
    trainer = quiet_trainer(callbacks=[other], max_epochs=4)
    trainer.fit(Validates(), batches(BATCHES), batches(1), ckpt_path=tmp_path / "epoch=3.ckpt")
    assert other.stopping_reason is StoppingReason.PATIENCE_EXHAUSTED
    assert other.stopping_reason_message == stopping.stopping_reason_message is not None
    assert other.stopped_epoch == stopping.stopped_epoch == 3


def test_a_check_that_will_not_be_made_up_for_is_said(tmp_path):
    """Lightning calls nothing of training where the limit is reached."""
    settings = {"max_steps": 2 * BATCHES, "max_epochs": -1, "num_sanity_val_steps": 0}
    saver = every_step(tmp_path)
    trainer = quiet_trainer(callbacks=[EarlyStopping("x"), saver], enable_checkpointing=True,
                            **settings)  # fmt: skip
    trainer.fit(Validates(), batches(BATCHES), batches(1))
    trainer = quiet_trainer(callbacks=[EarlyStopping("x")], **settings)
    with pytest.warns(UserWarning, match="the last check was at step 4"):
        trainer.fit(Validates(), batches(BATCHES), batches(1), ckpt_path=tmp_path / "step=8.ckpt")


class FindsRate(LearningRateFinder):
    """In the second epoch, as Lightning's documentation has it."""

    def on_fit_start(self, *_):
        """Not yet."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            self.lr_find(trainer, pl_module)


class HasRate(Validates):
    lr = 0.1


@pytest.mark.filterwarnings("ignore")
def test_the_clock_runs_on_after_a_rate_was_looked_for(tmp_path):
    stopping = EarlyStopping("x", patience=99, max_minutes=1e-6)
    trainer = quiet_trainer(
        callbacks=[StartsLate(stopping), stopping, FindsRate(num_training_steps=3)],
        max_epochs=EPOCHS, default_root_dir=tmp_path, limit_val_batches=1,
    )  # fmt: skip
    trainer.fit(HasRate(), batches(BATCHES), batches(1))
    assert stopping.stopping_reason is StoppingReason.TIME_BUDGET_SPENT
    assert trainer.current_epoch == 4


class StartsLate(Callback):
    """Has the clock stand still but for what comes after the fourth epoch's start."""

    def __init__(self, stopping):
        self.stopping = stopping
        self.limit, stopping.max_minutes = stopping.max_minutes, 1e9

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 3:
            self.stopping.max_minutes = self.limit


class FullDisk(Callback):
    """Fails when it is to save what was interrupted."""

    def on_exception(self, *_):
        raise OSError("no space left")


class Breaks(Callback):
    """Once."""

    def __init__(self):
        self.breaks = True

    def on_validation_start(self, trainer, pl_module):
        if self.breaks and trainer.current_epoch == 1:
            self.breaks = False
            raise InterruptedError


def test_nothing_is_left_in_the_trainer_that_failed(tmp_path):
    stopping = EarlyStopping("x", patience=9)
    callbacks = [stopping, Breaks(), FullDisk()]
    trainer = quiet_trainer(callbacks=callbacks, max_epochs=4, num_sanity_val_steps=0)
    with pytest.raises(OSError, match="no space left"):
        trainer.fit(Validates(), batches(BATCHES), batches(1))
    trainer.fit(Validates(), batches(BATCHES), batches(1))
    assert trainer.callbacks == callbacks


@pytest.mark.parametrize("helper", [AccumulateAgain([]), EndLate(), RestoreLast(print)])
def test_no_helper_of_a_fit_that_failed_is_there_in_the_next(helper):
    stopping = EarlyStopping("x", patience=9)
    trainer = quiet_trainer(callbacks=[stopping])
    trainer.callbacks.append(helper)
    drop_helpers(trainer)
    assert trainer.callbacks == [stopping]
