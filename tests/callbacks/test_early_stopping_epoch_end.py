"""The end of an epoch, and the begin of the next, are those of an uninterrupted run."""

from contextlib import nullcontext
from functools import cache

import pytest
import torch
from helpers.epoch_means import BATCHES, Logs, Saves, fit
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import (
    Callback,
    Checkpoint,
    GradientAccumulationScheduler,
    ModelCheckpoint,
    RichProgressBar,
    TQDMProgressBar,
)
from lightning.pytorch.loggers.logger import Logger

from torchvitals.callbacks import EarlyStopping

pytestmark = pytest.mark.filterwarnings(
    "ignore:You're resuming from a checkpoint that ended before the epoch"
)
AT_END = "at the epoch's end"
STEPS = {"max_steps": 40, "max_epochs": None}
SETTINGS = {
    "epochs": {},
    "no validation": {"limit_val_batches": 0},
    "max_steps": STEPS,
    "max_steps, no validation": {**STEPS, "limit_val_batches": 0},
    "validation every other epoch": {"check_val_every_n_epoch": 2},
    "validation every 3 batches": {"check_val_every_n_epoch": None, "val_check_interval": 3,
                                   "arguments": {"check_on_train_epoch_end": True}},
    "steps of 2 batches": {"accumulate_grad_batches": 2},
}  # fmt: skip


class SavesBehind(Saves, Checkpoint):
    """Its hooks are behind those of early stopping."""


@cache
def uninterrupted(way, settings="epochs"):
    return fit(way, **SETTINGS[settings])


def last_step(settings, epochs):
    return epochs * (3 if "accumulate_grad_batches" in SETTINGS[settings] else BATCHES)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("saver", [Saves, SavesBehind])
@pytest.mark.parametrize(
    "hook",
    ["on_train_batch_end", "on_validation_batch_end", "on_validation_end", "on_train_epoch_end",
     "on_train_epoch_start"],
)  # fmt: skip
def test_resume_from_an_epochs_end_or_begin(hook, saver, settings, tmp_path):
    for way, epochs, late in ((AT_END, 1, False), (AT_END, 2, True), ("mean", 2, False)):
        path, step = tmp_path / f"{way} {epochs} {late}.ckpt", last_step(settings, epochs)
        try:
            fit(way, saver(path, hook, step, on_exception=late), **SETTINGS[settings])
        except pytest.fail.Exception:  # there is no validation in that step
            assert "validation" in hook, settings
            assert "validation" in settings, hook
            continue
        assert fit(way, ckpt=path, **SETTINGS[settings]) == uninterrupted(way, settings)


@pytest.mark.parametrize("way", [AT_END, "mean", "metric"])
@pytest.mark.parametrize("again", [6, 8, 10])
def test_interrupted_again_after_an_epochs_last_batch(again, way, tmp_path):
    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    fit(way, Saves(first, "on_train_batch_end", 5))
    fit(way, Saves(second, "on_train_batch_end", again), first)
    assert fit(way, ckpt=second) == uninterrupted(way)


@pytest.mark.parametrize(("hook", "step"), [("on_train_batch_end", 17),
                                            ("on_validation_batch_end", 20)])  # fmt: skip
def test_interrupted_twice_as_an_epoch_begins_and_then_in_it(hook, step, tmp_path):
    """Lightning's counts of epochs differ by then, and it takes the epoch for one that is over."""
    settings = {"arguments": {"monitor": "val_loss", "mode": "max"}}
    paths, ckpt = [tmp_path / f"{number}.ckpt" for number in range(3)], None
    places = [("on_train_epoch_start", 5), ("on_train_epoch_start", 15), (hook, step)]
    for path, place in zip(paths, places, strict=True):
        fit("mean", Saves(path, *place), ckpt, **settings)
        ckpt = path
    assert fit("mean", ckpt=ckpt, **settings) == fit("mean", **settings)


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize("bar", [None, TQDMProgressBar, RichProgressBar])
def test_with_bars_and_checkpoints_of_every_step(bar, tmp_path):
    """And with another callback of the kind, which is the first to put things right."""

    def train(folder, ckpt=None):
        savers = [
            ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1),
            ModelCheckpoint(folder, "{epoch}", monitor="x", mode="min", save_top_k=-1),
        ]
        stopping = [EarlyStopping("x", criterion="GL", alpha=1e9), EarlyStopping("x", patience=2)]
        trainer = quiet_trainer(
            max_epochs=8, callbacks=[*stopping, *savers, *([bar()] if bar else [])],
            enable_checkpointing=True, enable_progress_bar=bool(bar), num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(Logs(hook="on_train_epoch_end"), batches(BATCHES), batches(2), ckpt_path=ckpt)
        names = {path.name for path in folder.glob("epoch*")}
        values = [one.judge.first.values for one in stopping]
        return trainer.global_step, trainer.current_epoch, values, names, len(trainer.callbacks)

    whole = train(tmp_path / "whole")
    assert whole[:2] == (25, 5)
    for step in (5, 10, 25):
        resumed = train(tmp_path / str(step), tmp_path / "whole" / f"step={step}.ckpt")
        ended = {f"epoch={epoch}.ckpt" for epoch in range(step // BATCHES - 1, 5)}
        assert resumed == (*whole[:3], ended, whole[4]), step


class Records(Logger):
    """Keeps what is logged at which step."""

    name, version = "records", "0"

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_hyperparams(self, *_):
        """There are none."""

    def log_metrics(self, metrics, step):
        self.rows.append((step, dict(metrics)))


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_train_epoch_end"])
def test_the_loggers_get_what_they_would_have_got(hook, tmp_path):
    def logged(*arguments, **settings):
        logger = Records()
        fit(AT_END, *arguments, logger=logger, **settings)
        return logger.rows

    whole = logged()
    path = tmp_path / "x.ckpt"
    first = logged(Saves(path, hook, 10))
    assert first + logged(None, path) == whole
    assert [step for step, row in whole if "x" in row] == [4, 9, 14, 19, 24]


class Calls(Callback):
    """Counts hooks by epoch."""

    def __init__(self):
        self.counts = {}

    def on_train_epoch_start(self, trainer, *_):
        self.count("start", trainer)

    def on_train_epoch_end(self, trainer, *_):
        self.count("end", trainer)

    def count(self, name, trainer):
        key = (name, trainer.current_epoch)
        self.counts[key] = self.counts.get(key, 0) + 1


@pytest.mark.parametrize("settings", ["epochs", "max_steps", "no validation"])
@pytest.mark.parametrize(("hook", "begun"), [("on_train_batch_end", 1), ("on_train_epoch_end", 2)])
def test_each_epoch_begins_and_ends_once(hook, begun, settings, tmp_path):
    """One that was begun does not begin again, and one that was ended does not end again."""
    path, calls = tmp_path / "x.ckpt", Calls()
    fit(AT_END, SavesBehind(path, hook, 10), **SETTINGS[settings])
    stopping = EarlyStopping("x", patience=2)
    trainer = quiet_trainer(callbacks=[stopping, calls], num_sanity_val_steps=0,
                            **{"max_epochs": 8, **SETTINGS[settings]})  # fmt: skip
    trainer.fit(Logs(hook="on_train_epoch_end"), batches(BATCHES), batches(2), ckpt_path=path)
    ends, starts = range(begun, 5), range(2, 5)
    expected = {**{("end", i): 1 for i in ends}, **{("start", i): 1 for i in starts}}
    assert calls.counts == expected


def test_an_end_that_fails_is_run_again(tmp_path):
    """The module's own: nothing of it came into the checkpoint."""

    class Fails(Logs):
        def on_train_epoch_end(self):
            super().on_train_epoch_end()
            if self.current_epoch == 1:
                raise InterruptedError

    path = tmp_path / "x.ckpt"
    saves = Saves(path, "on_fit_end", -1, on_exception=True)
    stopping = EarlyStopping("x", patience=2)
    trainer = quiet_trainer(callbacks=[stopping, saves], max_epochs=8, num_sanity_val_steps=0)
    with pytest.raises(InterruptedError):
        trainer.fit(Fails(hook="on_train_epoch_end"), batches(BATCHES), batches(2))
    assert fit(AT_END, ckpt=path) == uninterrupted(AT_END)


@pytest.mark.parametrize("limit_val_batches", [2, 0])
def test_a_logger_that_fails_after_an_epochs_last_batch(limit_val_batches, tmp_path):
    """All its batches are completed: Lightning would train another one where none is validated."""

    class Fails(Records):
        def log_metrics(self, metrics, step):
            if step == 9:
                raise InterruptedError

    path, settings = tmp_path / "x.ckpt", {"limit_val_batches": limit_val_batches}
    fit("mean, each step too, short name", Saves(path, "on_fit_end", -1, on_exception=True),
        logger=Fails(), **settings)  # fmt: skip
    way = "mean, each step too, short name"
    assert fit(way, ckpt=path, **settings) == fit(way, **settings)


def test_a_stop_by_the_late_validation_waits_for_the_epochs_end(tmp_path):
    arguments = {"monitor": "val_loss", "patience": 1, "check_on_train_epoch_end": False}
    settings = {"arguments": arguments}
    whole, path = fit(AT_END, **settings), tmp_path / "x.ckpt"
    assert (whole["step"], whole["epochs"]) == (10, 2)
    fit(AT_END, Saves(path, "on_train_batch_end", 10), **settings)
    assert fit(AT_END, ckpt=path, **settings) == whole


class LogsMore(Logs):
    """Something, too, that early stopping does not keep."""

    def training_step(self, batch, batch_idx):
        self.log("more", 1.0, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)


def test_a_checkpoint_by_a_value_that_is_not_logged_again(tmp_path):
    """Other callbacks find it where Lightning has such values; for others it warns."""

    def train(name, ckpt=None):
        savers = [
            ModelCheckpoint(tmp_path / name, "{x:.4f}", monitor="x", save_top_k=-1),
            ModelCheckpoint(tmp_path / name, "{more}", monitor="more", save_top_k=-1),
            ModelCheckpoint(tmp_path / "steps", "{step}", every_n_train_steps=1, save_top_k=-1),
        ]
        trainer = quiet_trainer(
            max_epochs=3, callbacks=[EarlyStopping("x", patience=9), *savers],
            enable_checkpointing=True, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(LogsMore(), batches(BATCHES), batches(2), ckpt_path=ckpt)
        return {path.name for path in (tmp_path / name).glob("x=*")}

    whole = train("whole")
    assert len(whole) == 3
    with (
        pytest.warns(UserWarning, match="The dirpath has changed"),
        pytest.warns(UserWarning, match="monitor='more'.* could not find the monitored key"),
    ):
        assert train("resumed", tmp_path / "steps" / "step=5.ckpt") == whole


class Plateau(Logs):
    """Halves its rate after each epoch whose value is not the best."""

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": "x"},
        }


@pytest.mark.parametrize("settings", ["epochs", "max_steps"])
def test_the_first_epoch_of_a_resumed_run_counts_for_a_schedule(settings, tmp_path):
    def rate(saves=None, ckpt=None):
        trainer = quiet_trainer(
            callbacks=[EarlyStopping("x", patience=2), *([saves] if saves else [])],
            num_sanity_val_steps=0, enable_checkpointing=saves is not None,
            **{"max_epochs": 8, **SETTINGS[settings]},
        )  # fmt: skip
        trainer.fit(
            Plateau(hook="on_train_epoch_end"), batches(BATCHES), batches(2), ckpt_path=ckpt
        )
        return trainer.optimizers[0].param_groups[0]["lr"]

    path = tmp_path / "x.ckpt"
    with pytest.raises(InterruptedError):
        rate(SavesBehind(path, "on_train_epoch_end", 15))
    assert rate(ckpt=path) == rate() == 0.125


@pytest.mark.parametrize("first", [False, True])
def test_steps_of_a_number_of_batches_that_changes(first, tmp_path):
    def steps(saves=None, ckpt=None):
        callbacks = [EarlyStopping("x", patience=9), GradientAccumulationScheduler({1: 2})]
        trainer = quiet_trainer(max_epochs=3, num_sanity_val_steps=0,
                                callbacks=[*callbacks[:: -1 if first else 1], *saves])  # fmt: skip
        with pytest.raises(InterruptedError) if saves else nullcontext():
            trainer.fit(Logs(), batches(BATCHES), batches(2), ckpt_path=ckpt)
        return trainer.global_step, trainer.accumulate_grad_batches, len(trainer.callbacks)

    path = tmp_path / "x.ckpt"
    steps([Saves(path, "on_train_batch_start", 6)])
    assert steps([], path) == steps([]) == (11, 2, 2)


# What is mended here, without early stopping. A Lightning that has mended it itself fails these.


def steps_of_lightning(saves=None, ckpt=None, **settings):
    trainer = quiet_trainer(**{"max_epochs": 4, **settings}, callbacks=saves or [],
                            num_sanity_val_steps=0)  # fmt: skip
    try:
        trainer.fit(Logs(), batches(BATCHES), batches(2), ckpt_path=ckpt)
    except InterruptedError:
        return None
    return trainer.global_step


def test_lightning_trains_an_epoch_again_that_is_interrupted_after_one_saved_at_its_end(tmp_path):
    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    steps_of_lightning(Saves(first, "on_train_batch_end", 5))
    steps_of_lightning(Saves(second, "on_train_batch_end", 8), first)
    assert (steps_of_lightning(), steps_of_lightning(ckpt=second)) == (20, 23)


def test_lightning_leaves_an_epoch_out_that_is_interrupted_as_it_begins(tmp_path):
    path = tmp_path / "x.ckpt"
    steps_of_lightning(Saves(path, "on_train_epoch_start", 10))
    assert steps_of_lightning(ckpt=path) == 15


def test_a_release_with_other_loops_is_a_warning_and_no_error(monkeypatch):
    def changed(trainer):
        raise AttributeError("'FitLoop' object has no attribute 'restarted_on_epoch_start'")

    expected = uninterrupted("mean", "epochs")
    monkeypatch.setattr(
        "torchvitals.callbacks.stopping.resuming.missed_epoch_end._begin_next", changed
    )
    with pytest.warns(UserWarning, match="This release of Lightning tracks its progress"):
        assert fit("mean", **SETTINGS["epochs"]) == expected
