"""A resumed run stops at the step of an uninterrupted one, with its reason and its weights."""

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from helpers.scripted import Scripted, batches
from helpers.training import quiet_trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
    TQDMProgressBar,
)
from torch import nn

from torchvitals.callbacks import EarlyStopping, StoppingReason
from torchvitals.callbacks.stopping.resuming.averages import Averages

LOSSES = [3.0, 2.0, 1.0, 2.0, 0.9, 3.0, 4.0, 3.0, 5.0, 6.0, 7.0, 8.0] + [9.0] * 20
TRAINING = [5.0, 3.0, 2.0, 1.5, 1.2, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] + [1.0] * 20
EVERYTHING = {
    "patience in checks": {"patience": 3},
    "patience in epochs": {"patience": 0.75, "patience_unit": "epochs"},
    "patience in steps": {"patience": 5, "patience_unit": "steps"},
    "moving average": {"patience": 3, "smoothing": "ema", "smoothing_window": 3},
    "median": {"patience": 3, "smoothing": "median", "smoothing_window": 3},
    "warm-up": {"patience": 3, "start_from_step": 7},
    "several monitors": {"monitor": ["val_loss", "other"], "patience": 2},
    "baseline": {"patience": 9, "baseline": 0.5, "baseline_by_epoch": 2},
    "divergence": {"patience": 99, "max_loss_ratio": 5.0},
    "GL": {"criterion": "GL", "alpha": 250.0},
    "PQ": {"criterion": "PQ", "alpha": 2.0, "strip_length": 3},
    "UP": {"criterion": "UP", "patience": 2, "strip_length": 2},
    "file": {"patience": 3, "best_weights": "file"},
}


class Saves(Callback):
    """Saves a checkpoint in a given hook of a given step, then interrupts the run."""

    def __init__(self, path, hook, step):
        self.path, self.step = path, step
        setattr(self, hook, self.save)

    def save(self, trainer, *_):
        if trainer.global_step == self.step and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)
            raise InterruptedError


def run(arguments, saves=None, ckpt=None, more=(), checks=4, **settings):
    """Four batches an epoch, two steps a check or more."""
    stopping = EarlyStopping(**{"monitor": "val_loss", **arguments})
    other = [1, 2, 0.5] + [2.0] * 50
    model = Scripted({"val_loss": LOSSES, "other": other}, 4 // checks, training=TRAINING)
    interval = {"val_check_interval": 1 / checks} if checks > 1 else {}
    settings = {"max_epochs": len(LOSSES) // checks, **interval, **settings}
    callbacks = [stopping, *more, *([saves] if saves else [])]
    trainer = quiet_trainer(callbacks=callbacks, num_sanity_val_steps=0, **settings)
    if saves:
        with pytest.raises(InterruptedError):
            trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
    else:
        trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
    return {
        "step": trainer.global_step,
        "reason": stopping.stopping_reason,
        "sentence": stopping.stopping_reason_message,
        "epoch": stopping.stopped_epoch,
        "best": (stopping.best_epoch, float(stopping.best_score)),
        "restored": model.restored,
        "values": stopping.judge.first.values,
    }


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize(
    ("checks", "hook", "steps"),
    [
        # At even steps a validation is due, which Lightning then leaves out.
        (2, "on_train_batch_end", (5, 6, 8, 11, 14)),
        (2, "on_validation_end", (4, 10)),
        (2, "on_train_epoch_end", (8,)),
        (1, "on_train_batch_end", (7, 8, 20)),
        (1, "on_validation_end", (12,)),
        (1, "on_train_epoch_end", (4, 20)),
    ],
)
@pytest.mark.parametrize("arguments", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_resume_is_exact(arguments, checks, hook, steps, tmp_path):
    whole = run(arguments, checks=checks)
    assert whole["reason"] is not StoppingReason.NOT_STOPPED
    for step in steps:
        if step >= whole["step"]:
            continue
        path = tmp_path / f"{step}.ckpt"
        run(arguments, Saves(path, hook, step), checks=checks)
        assert run(arguments, ckpt=path, checks=checks) == whole, step


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize("bar", [None, TQDMProgressBar, RichProgressBar])
@pytest.mark.parametrize(
    ("arguments", "checks", "averaged"),
    [({}, 2, False), ({"check_on_train_epoch_end": True}, 1, False), ({}, 2, True)],
)
def test_checkpoints_by_the_step_where_validation_is_due(
    arguments, checks, averaged, bar, tmp_path
):
    """Before, behind and with another callback that watches something else."""

    def train(ckpt=None):
        others = [
            EarlyStopping("other", patience=9),
            EarlyStopping("val_loss", criterion="GL", alpha=1e9),
        ]
        saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1)
        more = [*others, saver, *([EMAWeightAveraging(decay=0.5)] if averaged else [])]
        more += [bar()] if bar else []
        settings = {"enable_checkpointing": True, "enable_progress_bar": bar is not None}
        found = run({"patience": 3, **arguments}, None, ckpt, more, checks, **settings)
        return {**found, "other": others[0].judge.first.values}

    whole = train()
    assert (whole["step"], whole["best"][1]) == (16 if checks == 2 else 32, pytest.approx(0.9))
    for step in range(4, whole["step"], 4):
        assert train(tmp_path / f"step={step}.ckpt") == whole, step


@pytest.mark.parametrize("averaged", [False, True])
def test_a_checkpoint_between_a_validation_and_its_check(averaged, tmp_path):
    """Validation at 3/4 of the epoch, its check at the end: value and weights go with the state."""

    def at_three_quarters(saves=None, ckpt=None):
        more = [EMAWeightAveraging(decay=0.5)] if averaged else []
        return run(
            {"patience": 3, "check_on_train_epoch_end": True}, saves, ckpt, more, checks=1,
            val_check_interval=0.75,
        )  # fmt: skip

    whole = at_three_quarters()
    for hook, step in (("on_validation_end", 7), ("on_validation_end", 11)):
        path = tmp_path / f"{step}.ckpt"
        at_three_quarters(Saves(path, hook, step))
        with pytest.warns(UserWarning, match="ended before the epoch ended"):
            assert at_three_quarters(ckpt=path) == whole


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    "hook",
    ["on_validation_start", "on_validation_epoch_start", "on_validation_batch_end",
     "on_validation_epoch_end"],
)  # fmt: skip
def test_averages_that_are_in_the_modules_place(hook, others, tmp_path):
    """Interrupted twice in a validation, where they are swapped in, out again, or not yet."""

    def train(saves=None, ckpt=None):
        more = [EarlyStopping("val_loss", criterion="GL", alpha=1e9) for _ in range(others)]
        return run({"patience": 3}, saves, ckpt, [*more, EMAWeightAveraging(decay=0.5)], checks=2)

    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    train(Saves(first, hook, 4))
    train(Saves(second, hook, 8), first)
    assert train(ckpt=first) == train(ckpt=second) == train()


def test_one_that_has_not_begun_tells_of_a_validation_that_another_runs_late():
    module, averaging = nn.Linear(2, 1), EMAWeightAveraging()
    averaging._average_model = SimpleNamespace(module=nn.Linear(2, 1))
    trainer = SimpleNamespace(callbacks=[averaging], lightning_module=module)
    averages = Averages()
    averages.load_state({"away": None})
    assert averages.state(trainer) == {"away": None}
    own = module.bias.detach().clone()
    averages.begin_validation(trainer)
    assert averages.state(trainer) == {"away": None}
    module.bias.data.copy_(averaging._average_model.module.bias)
    assert averages.state(trainer) == {"away": {"name": "bias", "value": own}}


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("step", [3, 4, 8])
def test_a_step_that_was_not_averaged_yet(step, others, tmp_path):
    def train(saves=None, ckpt=None):
        stopping = [EarlyStopping("val_loss", criterion="GL", alpha=1e9) for _ in range(others)]
        averaging = EMAWeightAveraging(decay=0.5, update_every_n_steps=1)
        before = [saves] if saves else []
        model = Scripted({"val_loss": LOSSES})
        callbacks = [EarlyStopping("val_loss", patience=3), *stopping, *before, averaging]
        trainer = quiet_trainer(max_epochs=6, callbacks=callbacks, num_sanity_val_steps=0,
                                val_check_interval=0.5)  # fmt: skip
        with pytest.raises(InterruptedError) if saves else nullcontext():
            trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
        return trainer.global_step, model.restored

    path = tmp_path / "x.ckpt"
    train(Saves(path, "on_train_batch_end", step))
    assert train(ckpt=path) == train()


@pytest.mark.parametrize("averaging", [False, True])
@pytest.mark.parametrize("epochs", [1, 3, 5, 7])
def test_a_model_checkpoint_of_any_epoch(epochs, averaging, tmp_path):
    def train(max_epochs, ckpt=None):
        more = [ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)]
        more += [EMAWeightAveraging(decay=0.5)] if averaging else []
        settings = {"max_epochs": max_epochs, "enable_checkpointing": True}
        return run({"patience": 2}, None, ckpt, more, checks=1, **settings)

    whole = train(9)
    assert (whole["step"], whole["epoch"], whole["best"][0]) == (28, 6, 4)
    assert train(9, tmp_path / f"epoch={epochs - 1}.ckpt") == whole


@pytest.mark.parametrize(
    ("patience", "step"),
    [
        # Stopped at epoch 5; the checkpoint is of that very check.
        (2, 20),
        # case 5: this run's patience counts, not the checkpoint's.
        (3, 24),
        (4, 28),
        # Less than has been waited for: nothing more to wait for.
        (1, 20),
    ],
)
def test_case_5_a_changed_patience_wins(patience, step, tmp_path):
    losses = [3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]

    def train(patience, ckpt=None):
        stopping = EarlyStopping("val_loss", patience=patience)
        saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        model = Scripted({"val_loss": losses}, 4)
        trainer = quiet_trainer(
            max_epochs=9, callbacks=[stopping, saver], enable_checkpointing=True,
            num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(model, batches(4), batches(2), ckpt_path=ckpt)
        return trainer, stopping, model

    train(2)
    trainer, stopping, model = train(patience, tmp_path / "epoch=4.ckpt")
    assert (trainer.global_step, stopping.patience) == (step, patience)
    assert (stopping.stopped_epoch, stopping.best_epoch) == (step // 4 - 1, 2)
    assert stopping.stopping_reason is StoppingReason.PATIENCE_EXHAUSTED
    assert model.restored == 12


FALLS = [5.0, 4.0, 3.0, 2.0, *[1.9 - 0.01 * i for i in range(20)]]


@pytest.mark.parametrize(
    "limits",
    [
        {"baseline": 1.0},
        {"baseline": 2.5},
        {"min_delta": 0.5},
        {"smoothing": "ema"},
        {"smoothing": "median", "smoothing_window": 3, "min_delta": 0.1},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "before", [{"baseline": 1.5}, {"min_delta": 2.0}, {"smoothing": "ema"}, {}], ids=str
)
def test_case_5_other_limits_win_too(before, limits, tmp_path):
    def train(limits, ckpt=None, epochs=24):
        stopping = EarlyStopping("val_loss", patience=6, **limits)
        saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        arguments = {"max_epochs": epochs, "callbacks": [stopping, saver]}
        trainer = quiet_trainer(enable_checkpointing=True, num_sanity_val_steps=0, **arguments)
        trainer.fit(Scripted({"val_loss": FALLS}, 4), batches(4), batches(2), ckpt_path=ckpt)
        return trainer.global_step, stopping.stopping_reason_message

    train(before, epochs=4)
    resumed = train(limits, tmp_path / "epoch=3.ckpt")
    assert resumed[0] == train(limits)[0]


def test_case_5_is_not_undone_by_a_patience_of_ten(tmp_path):
    stopping = EarlyStopping("val_loss", patience=2)
    state = stopping.state_dict()
    other = EarlyStopping("val_loss", patience=10)
    other.load_state_dict(state)
    assert other.patience == 10


def test_a_stop_that_waits_for_min_epochs_is_part_of_the_state(tmp_path):
    whole = run({"patience": 1}, checks=1, min_epochs=8)
    path = tmp_path / "x.ckpt"
    run({"patience": 1}, Saves(path, "on_validation_end", 28), checks=1, min_epochs=8)
    assert run({"patience": 1}, ckpt=path, checks=1, min_epochs=8) == whole
    assert whole["step"] == 32


def test_a_stop_in_the_warm_up_holds_when_it_is_resumed(tmp_path):
    def train(ckpt=None):
        stopping = EarlyStopping("val_loss", start_from_epoch=4)
        saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        arguments = {"max_epochs": 6, "callbacks": [stopping, saver], "enable_checkpointing": True}
        trainer = quiet_trainer(num_sanity_val_steps=0, **arguments)
        model = Scripted({"val_loss": [3.0, 2.0, float("nan"), 1.0, 1.0, 1.0]})
        trainer.fit(model, batches(), batches(), ckpt_path=ckpt)
        return trainer.global_step, stopping.stopped_epoch, stopping.stopping_reason_message

    whole = train()
    assert whole[:2] == (6, 2)
    assert train(tmp_path / "epoch=2.ckpt") == whole


def test_minutes_go_on_after_an_interruption(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(
        "torchvitals.callbacks.stopping.resuming.progress.time.monotonic", lambda: now[0]
    )

    class Slow(Callback):
        def on_train_batch_start(self, *_):
            now[0] += 15

    arguments = {"patience": 99, "max_minutes": 5.0}
    whole = run(arguments, more=[Slow()], checks=1)
    path = tmp_path / "x.ckpt"
    run(arguments, Saves(path, "on_train_epoch_end", 12), more=[Slow()], checks=1)
    now[0] += 1e6  # the pause does not count
    assert run(arguments, ckpt=path, more=[Slow()], checks=1) == whole
    assert (whole["step"], whole["reason"]) == (20, StoppingReason.TIME_BUDGET_SPENT)


@pytest.mark.parametrize(
    ("saved_by", "loaded_by"),
    [
        (lightning_callbacks.EarlyStopping, EarlyStopping),
        (EarlyStopping, lightning_callbacks.EarlyStopping),
    ],
)
def test_checkpoints_go_over_from_and_to_lightnings_callback(saved_by, loaded_by, tmp_path):
    losses, path = [3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0], tmp_path / "x.ckpt"

    def train(kind, epochs, ckpt=None):
        stopping = kind("val_loss", patience=3)
        trainer = quiet_trainer(max_epochs=epochs, callbacks=stopping, num_sanity_val_steps=0)
        trainer.fit(Scripted({"val_loss": losses}), batches(2), batches(2), ckpt_path=ckpt)
        return trainer, stopping

    trainer, _ = train(saved_by, 5)
    trainer.save_checkpoint(path)
    trainer, stopping = train(loaded_by, 7, path)
    assert (trainer.current_epoch, float(stopping.best_score)) == (6, 1.0)
    if loaded_by is EarlyStopping:
        assert "did not improve on 1 (before the checkpoint) for" in (
            stopping.stopping_reason_message
        )


def test_checkpoints_load_with_weights_only(tmp_path):
    path = tmp_path / "x.ckpt"
    arguments = {"patience": 9, "check_on_train_epoch_end": False}
    run(arguments, Saves(path, "on_validation_end", 12), checks=1)
    state = torch.load(path, weights_only=True)["callbacks"]
    (found,) = [value for name, value in state.items() if name.startswith("EarlyStopping")]
    assert found["reason"] == "not_stopped"
    # The checkpoint's own weights are the best: they are not saved twice.
    assert found["best_weights"] is None
    run(arguments, Saves(path, "on_validation_end", 16), checks=1)
    state = torch.load(path, weights_only=True)["callbacks"]
    (found,) = [value for name, value in state.items() if name.startswith("EarlyStopping")]
    assert found["best_weights"]["weight"].item() == 12


def test_state_loaded_by_hand_is_kept():
    stopping = EarlyStopping("val_loss", patience=2)
    trainer = quiet_trainer(max_epochs=4, callbacks=stopping, num_sanity_val_steps=0)
    trainer.fit(Scripted({"val_loss": LOSSES}), batches(2), batches(2))
    other = EarlyStopping("val_loss", patience=2)
    other.load_state_dict(stopping.state_dict())
    assert (other.best_epoch, other.wait_count) == (2, 1)
    trainer = quiet_trainer(max_epochs=4, callbacks=other, num_sanity_val_steps=0)
    trainer.fit(Scripted({"val_loss": [5.0] * 9}), batches(2), batches(2))
    # One more check without improvement.
    assert trainer.current_epoch == 1


@pytest.mark.parametrize("interval", [timedelta(hours=1), {"hours": 1}])
def test_validation_by_the_clock_that_was_not_due(interval, tmp_path):
    """Of the epoch's last batch, too; checks belong to validation, as with any such interval."""

    def train(ckpt=None):
        stopping = EarlyStopping("val_loss")
        saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1)
        trainer = quiet_trainer(
            max_epochs=2, callbacks=[stopping, saver], enable_checkpointing=True,
            val_check_interval=interval, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(Scripted({"val_loss": LOSSES}), batches(4), batches(2), ckpt_path=ckpt)
        return trainer.global_step, stopping.judge.first.values

    assert train() == (8, [])
    assert train(tmp_path / "step=4.ckpt") == (8, [])


class Clock(Callback):
    """A minute a batch."""

    def __init__(self):
        self.now = 1_000.0

    def on_train_batch_start(self, *_):
        self.now += 60.0


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_validation_start", "on_validation_end"])
def test_validation_by_the_clock_is_as_often_as_without_a_break(hook, tmp_path, monkeypatch):
    """Three minutes apart: behind the third batch of the first epoch, the second of the next."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    settings = {"checks": 1, "more": [clock], "val_check_interval": timedelta(minutes=3)}
    whole = run({"patience": 2}, **settings)
    assert whole["step"] == 18
    for step in (1, 2, 3, 5, 6, 12, 17):
        if hook != "on_train_batch_end" and step % 3:
            continue
        path = tmp_path / f"{step}.ckpt"
        run({"patience": 2}, Saves(path, hook, step), **settings)
        clock.now += 10_000.0  # the computer was off
        assert run({"patience": 2}, ckpt=path, **settings) == whole, step
