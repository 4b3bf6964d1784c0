"""When training stops and why, as tables run by a real Trainer; case n is of EDGE_CASES."""

import math
import pickle

import pytest
import torch
from helpers.scripted import Scripted, batches
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from torchvitals.callbacks import EarlyStopping, StoppingReason

NAN, INF = float("nan"), float("inf")
Reason = StoppingReason


def fit(stopping, losses, model=None, steps=2, train_batches=2, **arguments):
    """Fit to the end of the script at most; give back the model and the Trainer."""
    model = model or Scripted({"val_loss": losses}, steps)
    epochs = len(losses) * steps // train_batches
    settings = {"max_epochs": epochs, "num_sanity_val_steps": 0, "callbacks": stopping}
    trainer = quiet_trainer(**{**settings, **arguments})
    trainer.fit(model, batches(train_batches), batches(2))
    return model, trainer


# losses, arguments of EarlyStopping, of the Trainer, epochs trained, best epoch, reason
PATIENCE = {
    "patience": ([3, 2, 1, 2, 3, 4], {"patience": 2}, {}, 5, 2, Reason.PATIENCE_EXHAUSTED),
    "case 10: to the end": ([3, 2, 1, 2, 3, 4], {"patience": 9}, {}, 6, 2, Reason.NOT_STOPPED),
    "never exhausted": ([3, 2, 1, 0.5, 0.2], {"patience": 2}, {}, 5, 4, Reason.NOT_STOPPED),
    "patience 0": ([3, 2, 2, 1], {"patience": 0}, {}, 3, 1, Reason.PATIENCE_EXHAUSTED),
    "max": ([1, 2, 3, 2, 1, 0], {"patience": 2, "mode": "max"}, {}, 5, 2,
            Reason.PATIENCE_EXHAUSTED),
    # What is too small to renew patience is not the best either.
    "min_delta": ([3, 2, 1.9, 1.8], {"patience": 2, "min_delta": 0.5}, {}, 4, 1,
                  Reason.PATIENCE_EXHAUSTED),
    "case 1: min_epochs, then it improves": (
        [3, 4, 2, 1, 0.5, 1, 1], {"patience": 1}, {"min_epochs": 4}, 6, 4,
        Reason.PATIENCE_EXHAUSTED),
    "case 1: min_epochs, and it does not": (
        [3, 4, 4, 4, 4], {"patience": 1}, {"min_epochs": 3}, 3, 0, Reason.PATIENCE_EXHAUSTED),
    "case 1: checks in validation": (
        [3, 4, 4, 4, 4], {"patience": 1, "check_on_train_epoch_end": False}, {"min_epochs": 3},
        3, 0, Reason.PATIENCE_EXHAUSTED),
    "case 1: min_steps": (
        [3, 4, 2, 1, 2, 1], {"patience": 1}, {"min_steps": 5}, 5, 3, Reason.PATIENCE_EXHAUSTED),
    "case 4: stale metric": (
        [3, 3, 3, 3, 3, 3, 3, 3], {"patience": 2, "check_on_train_epoch_end": True},
        {"check_val_every_n_epoch": 2}, 6, 1, Reason.PATIENCE_EXHAUSTED),
    "case 7: NaN is no improvement": (
        [3, NAN, NAN, 2, 1, 1], {"patience": 3, "check_finite": False}, {}, 6, 4,
        Reason.NOT_STOPPED),
    "case 7: infinity is never best": (
        [3, -INF, 2, -INF, -INF], {"patience": 2, "check_finite": False}, {}, 5, 2,
        Reason.PATIENCE_EXHAUSTED),
    "case 11: nothing ever improved": (
        [NAN, NAN, NAN], {"patience": 2, "check_finite": False}, {}, 2, -1,
        Reason.PATIENCE_EXHAUSTED),
    "case 14: warm-up epochs": (
        [0.1, 0.2, 3, 2, 1, 2, 3, 4], {"patience": 2, "start_from_epoch": 2}, {}, 7, 4,
        Reason.PATIENCE_EXHAUSTED),
    "case 14: warm-up steps": (
        [0.1, 0.2, 3, 2, 1, 2, 3, 4], {"patience": 2, "start_from_step": 5}, {}, 7, 4,
        Reason.PATIENCE_EXHAUSTED),
    "case 14: patience begins after warm-up": (
        [NAN] * 8, {"patience": 2, "start_from_epoch": 3, "check_finite": False,
                    "patience_unit": "epochs"}, {}, 5, -1, Reason.PATIENCE_EXHAUSTED),
    "case 14: relative min_delta": (
        # 10% of 100 is 10, of 2 is 0.2: 95 and 1.9 are no improvements, 1.7 is.
        [100, 95, 2, 1.9, 1.7, 1.69, 1.68], {"patience": 2, "min_delta": 0.1,
        "min_delta_mode": "relative"}, {}, 7, 4, Reason.PATIENCE_EXHAUSTED),
    "case 14: relative min_delta, max": (
        [1, 1.05, 1.2, 1.25, 1.3], {"patience": 2, "min_delta": 0.1, "mode": "max",
        "min_delta_mode": "relative"}, {}, 5, 2, Reason.PATIENCE_EXHAUSTED),
    "case 14: relative min_delta below zero": (
        # The best is -10: 10% of its size is 1.
        [-10, -10.5, -12, -12.5, -13], {"patience": 2, "min_delta": 0.1,
        "min_delta_mode": "relative"}, {}, 5, 2, Reason.PATIENCE_EXHAUSTED),
    "case 14: patience renewed by the baseline only": (
        [3, 2.9, 2.8, 2.7], {"patience": 2, "baseline": 1.0}, {}, 2, 1, Reason.PATIENCE_EXHAUSTED),
    "case 14: past the baseline": (
        [3, 0.9, 0.8, 1, 1, 1], {"patience": 2, "baseline": 1.0}, {}, 5, 2,
        Reason.PATIENCE_EXHAUSTED),
    "case 14: baseline by an epoch": (
        [3, 2.9, 2.8, 2.7, 2.6], {"patience": 1, "baseline": 1.0, "baseline_by_epoch": 4}, {},
        4, 3, Reason.BASELINE_MISSED),
    "case 14: baseline reached in time": (
        [3, 0.9, 2, 2, 2, 2], {"patience": 3, "baseline": 1.0, "baseline_by_epoch": 3}, {},
        5, 1, Reason.PATIENCE_EXHAUSTED),
    "case 14: median of a window": (
        # Medians of 3: 5, 4.5, 4, 4, 6, 6.
        [5, 4, 1, 6, 7, 6, 9], {"patience": 2, "smoothing": "median", "smoothing_window": 3}, {},
        5, 2, Reason.PATIENCE_EXHAUSTED),
    "case 14: moving average": (
        # Span 3, a = 1/2: 4, 2.667, 2.286, 3.733, 2.581, ... The lucky 1.5 renews no patience.
        [4, 2, 2, 5, 1.5, 5, 9], {"patience": 3, "smoothing": "ema", "smoothing_window": 3}, {},
        6, 4, Reason.PATIENCE_EXHAUSTED),
    "stopping_threshold": (
        [3, 2, 0.4, 0.1], {"stopping_threshold": 0.5}, {}, 3, 2, Reason.STOPPING_THRESHOLD),
    "divergence_threshold": (
        [3, 2, 9, 0.1], {"divergence_threshold": 8.0}, {}, 3, 1, Reason.DIVERGENCE_THRESHOLD),
    "divergence_threshold, max": (
        [3, 2, -9, 0.1], {"divergence_threshold": -8.0, "mode": "max"}, {}, 3, 0,
        Reason.DIVERGENCE_THRESHOLD),
    "not finite": ([3, NAN, 1], {"patience": 3}, {}, 2, 0, Reason.NON_FINITE_METRIC),
    "infinite": ([3, INF, 1], {"patience": 3}, {}, 2, 0, Reason.NON_FINITE_METRIC),
    "k times its best": (
        [3, 1, 2.9, 3.1, 1], {"patience": 9, "max_loss_ratio": 3.0}, {}, 4, 1, Reason.DIVERGED),
    "k times a best below zero means nothing": (
        [3, -1, 2, 2, 2], {"patience": 3, "max_loss_ratio": 3.0}, {}, 5, 1,
        Reason.PATIENCE_EXHAUSTED),
}  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "arguments", "settings", "epochs", "best", "reason"),
    PATIENCE.values(),
    ids=PATIENCE.keys(),
)
def test_stops_and_restores(losses, arguments, settings, epochs, best, reason):
    stopping = EarlyStopping("val_loss", **arguments)
    model, trainer = fit(stopping, losses, **settings)
    assert (trainer.current_epoch, stopping.best_epoch) == (epochs, best)
    assert trainer.early_stopping_callback is stopping
    assert stopping.stopping_reason is reason
    assert model.restored == 2 * (best + 1 if best >= 0 else epochs)
    stopped = reason is not Reason.NOT_STOPPED
    assert (stopping.stopping_reason_message is not None) == stopped
    assert stopping.stopped_epoch == (epochs - 1 if stopped else 0)
    if best >= 0:
        assert float(stopping.best_score) == pytest.approx(losses[best])


# Four checks an epoch; losses, arguments, checks made, best check
QUARTERS = {
    "case 6: checks": ([3, 2, 1] + [2] * 20, {"patience": 3}, 6, 2),
    # The best is at 0.75 epochs: 3 epochs later is check 15.
    "case 6: epochs": ([3, 2, 1] + [2] * 20, {"patience": 3, "patience_unit": "epochs"}, 15, 2),
    "case 6: a fraction": (
        [3, 2, 1] + [2] * 20, {"patience": 0.5, "patience_unit": "epochs"}, 5, 2),
    "steps": ([3, 2, 1] + [2] * 20, {"patience": 5, "patience_unit": "steps"}, 8, 2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "arguments", "checks", "best"), QUARTERS.values(), ids=QUARTERS.keys()
)
def test_four_checks_an_epoch(losses, arguments, checks, best):
    stopping = EarlyStopping("val_loss", **arguments)
    model, trainer = fit(
        stopping, losses, steps=1, train_batches=4, max_epochs=5, val_check_interval=0.25
    )
    assert (trainer.global_step, model.restored) == (checks, best + 1)
    assert stopping.stopping_reason is Reason.PATIENCE_EXHAUSTED


STRIPS = {"criterion": "PQ", "strip_length": 2, "alpha": 0.1}
# losses, training losses, arguments, epochs, best
OVERFITTING = {
    # 2.1/2 is 5%, which is not above 5; 2.2/2 is 10%.
    "GL": ([3, 2, 2.1, 2.2, 2], None, {"criterion": "GL", "alpha": 5.0}, 4, 1),
    "GL on a smoothed curve": (
        # Medians of 3: 3, 2.5, 2, 2, 2.2; the 9 alone is an outlier.
        [3, 2, 2, 9, 2.2, 9], None, {"criterion": "GL", "alpha": 9.0, "smoothing": "median",
        "smoothing_window": 3}, 5, 1),
    # Strips end on 2 and 2.5: GL = 25%. Training 1.4, 1.0 gives P = 200 and PQ = 0.125.
    "PQ": ([4, 2, 2.2, 2.5, 9], [3, 2, 1.4, 1.0, 1], STRIPS, 4, 1),
    # Training 2.0, 1.0 gives P = 500 and PQ = 0.05: it goes on, to GL = 50%, P = 100, PQ = 0.5.
    "PQ waits while training gains": (
        [4, 2, 2.2, 2.5, 9, 3, 9], [3, 2, 2.0, 1.0, 1.2, 1.0, 1], STRIPS, 6, 1),
    # Ends of the strips: 2, 2.5, 3.
    "UP": ([4, 2, 2.2, 2.5, 1, 3, 9], None,
           {"criterion": "UP", "strip_length": 2, "patience": 2}, 6, 4),
}  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "training", "arguments", "epochs", "best"),
    OVERFITTING.values(),
    ids=[f"case 14: {name}" for name in OVERFITTING],
)
def test_over_fitting_is_the_reason(losses, training, arguments, epochs, best):
    stopping = EarlyStopping("val_loss", **arguments)
    model = Scripted({"val_loss": losses}, training=training)
    fit(stopping, losses, model)
    assert (stopping.stopped_epoch, stopping.best_epoch) == (epochs - 1, best)
    assert stopping.stopping_reason is Reason.OVERFITTING
    assert stopping.stopping_reason_message.startswith("Over-fitting: ")
    assert arguments["criterion"] in stopping.stopping_reason_message
    assert model.restored == 2 * (best + 1)


@pytest.mark.parametrize(
    ("losses", "training", "criterion", "match"),
    [
        ([1.0, -1.0, 0.0], None, "GL", "val_loss to be positive for criterion='GL'.* -1"),
        ([1.0, -1.0, 0.0], None, "PQ", "val_loss to be positive for criterion='PQ'"),
        ([1.0, 2.0, 3.0], [NAN] * 3, "PQ", "`training_step` to return its loss"),
    ],
)
def test_a_criterion_that_could_never_stop_says_so(losses, training, criterion, match):
    model = Scripted({"val_loss": losses}, training=training)
    with pytest.warns(UserWarning, match=match):
        fit(EarlyStopping("val_loss", criterion=criterion, strip_length=1), losses, model)


LOSS, ACCURACY = [3, 2, 1, 2, 2, 2, 2, 2], [1, 2, 2, 3, 4, 3, 3, 3]


@pytest.mark.parametrize(
    ("require", "monitors", "modes", "epochs", "best"),
    [
        ("any", ["val_loss", "accuracy"], ["min", "max"], 5, 2),
        ("all", ["val_loss", "accuracy"], ["min", "max"], 7, 2),
        ("all", ["accuracy", "val_loss"], ["max", "min"], 7, 4),
        ("any", ["val_loss", "same"], "min", 5, 2),
    ],
)
def test_case_14_several_monitors(require, monitors, modes, epochs, best):
    model = Scripted({"val_loss": LOSS, "accuracy": ACCURACY, "same": LOSS})
    stopping = EarlyStopping(monitors, mode=modes, patience=2, require=require)
    fit(stopping, LOSS, model)
    assert (stopping.stopped_epoch, stopping.best_epoch) == (epochs - 1, best)
    assert stopping.monitor == monitors[0]
    assert model.restored == 2 * (best + 1)
    for name in monitors:
        assert (name in stopping.stopping_reason_message) or require == "any"


class Clock:
    """Minutes that go by with the optimiser's steps."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(
            "torchvitals.callbacks.stopping.progress.time.monotonic", lambda: self.now
        )

    def module(self, losses):
        clock = self

        class Slow(Scripted):
            def on_train_batch_start(self, batch, batch_idx):
                clock.now += 30
                super().on_train_batch_start(batch, batch_idx)

        return Slow({"val_loss": losses})


@pytest.mark.parametrize(
    ("arguments", "epochs", "reason"),
    [
        ({"patience": 2.5, "patience_unit": "minutes"}, 6, Reason.PATIENCE_EXHAUSTED),
        ({"max_minutes": 4.0, "patience": 9}, 4, Reason.TIME_BUDGET_SPENT),
        ({"max_minutes": 4.0, "patience": 9, "start_from_epoch": 9}, 4, Reason.TIME_BUDGET_SPENT),
    ],
)
def test_case_14_minutes(arguments, epochs, reason, monkeypatch):
    losses = [3, 2, 1, 2, 3, 4, 5, 6, 7]
    stopping = EarlyStopping("val_loss", **arguments)
    fit(stopping, losses, Clock(monkeypatch).module(losses))
    assert (stopping.stopped_epoch, stopping.stopping_reason) == (epochs - 1, reason)


def test_case_2_a_second_fit_starts_afresh():
    stopping = EarlyStopping("val_loss", patience=2)
    for losses, epochs, best in (([1, 2, 3, 4], 3, 0), ([9, 8, 7, 8, 9, 10], 5, 2)):
        model, trainer = fit(stopping, losses)
        assert (trainer.current_epoch, stopping.best_epoch) == (epochs, best)
        assert model.restored == 2 * (best + 1)
    # Without a stop, the first fit's reason is gone.
    fit(stopping, [3, 2])
    assert stopping.stopping_reason is Reason.NOT_STOPPED
    assert stopping.stopping_reason_message is None
    assert stopping.stopped_epoch == 0


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_case_3_where_checks_belong_is_found_again(order):
    stopping = EarlyStopping("val_loss", patience=2)
    for every in order:
        losses = [3, 3, 3, 3, 3, 3, 3, 3]
        _, trainer = fit(stopping, losses, check_val_every_n_epoch=every)
        assert trainer.current_epoch == 3 * every


def test_checks_belong_to_the_training_epoch_without_validation():
    class Training(LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch, batch_idx):
            self.log("train_loss", 1.0, on_step=False, on_epoch=True)
            return self.layer(batch).sum() * 0

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    trainer = quiet_trainer(
        max_epochs=9,
        callbacks=EarlyStopping("train_loss", patience=2),
        check_val_every_n_epoch=2,
    )
    trainer.fit(Training(), batches(2))
    assert trainer.current_epoch == 3


def test_case_4_a_training_metric_is_counted_once_an_epoch():
    stopping = EarlyStopping("train_loss", patience=2, strict=False)
    losses = [1.0] * 40
    _, trainer = fit(
        stopping, losses, steps=1, train_batches=4, max_epochs=9, val_check_interval=0.25
    )
    # The mean of an epoch is there in the next one's first check: epochs 1, 2 and 3.
    assert trainer.global_step == 13


@pytest.mark.parametrize("both", [False, True])
def test_case_13_two_instances(both):
    losses, other = [3, 2, 1, 2, 2, 2, 2], [1, 2, 3, 3, 3, 3, 3] if both else [1, 2, 3, 4, 5, 6, 7]
    first = EarlyStopping("accuracy", patience=2, mode="max")
    second = EarlyStopping("val_loss", patience=2)
    model = Scripted({"val_loss": losses, "accuracy": other})
    _, trainer = fit([first, second], losses, model)
    assert first.state_key != second.state_key
    assert trainer.current_epoch == 5
    assert second.stopping_reason is Reason.PATIENCE_EXHAUSTED
    assert first.stopping_reason is (Reason.PATIENCE_EXHAUSTED if both else Reason.NOT_STOPPED)
    # The weights are those of the one that stopped training.
    assert model.restored == 6


def test_criteria_beside_each_other_have_state_keys_of_their_own():
    keys = {
        EarlyStopping("val_loss", criterion=name).state_key for name in ("patience", "GL", "PQ")
    }
    assert len(keys) == 3
    lightning = lightning_callbacks.EarlyStopping("val_loss")
    assert EarlyStopping("val_loss", smoothing="ema").state_key == lightning.state_key


def random_curve(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 30, (20,), generator=generator).div(4).tolist()


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("seed", range(4))
def test_lightnings_arguments_mean_what_they_do_there(seed, mode):
    arguments = {
        "patience": 1 + seed,
        "mode": mode,
        "min_delta": 0.25 * (seed % 2),
        "stopping_threshold": 0.25 if mode == "min" else 7.0,
    }
    losses, found = random_curve(seed), []
    for kind in (EarlyStopping, lightning_callbacks.EarlyStopping):
        stopping = kind("val_loss", **arguments)
        _, trainer = fit(stopping, losses)
        found.append((trainer.current_epoch, stopping.stopped_epoch, stopping.stopping_reason.name))
        if stopping.stopping_reason != EarlyStoppingReason.STOPPING_THRESHOLD:
            found[-1] += (stopping.wait_count, float(stopping.best_score))
    assert found[0] == found[1]


def test_reasons_equal_lightnings_of_the_same_name():
    for reason in EarlyStoppingReason:
        ours = StoppingReason[reason.name]
        assert ours == reason
        assert reason == ours
        assert {ours: 1}[reason] == 1
        assert ours.nearest_in_lightning is reason
    assert StoppingReason.OVERFITTING not in list(EarlyStoppingReason)
    assert {reason.nearest_in_lightning for reason in StoppingReason} == set(EarlyStoppingReason)


def test_a_missing_metric():
    with pytest.raises(RuntimeError, match=r"got 'val_los'.*use one of .*'val_loss'"):
        fit(EarlyStopping("val_los"), [3, 2])
    _, trainer = fit(EarlyStopping("val_los", strict=False), [3, 2])
    assert trainer.current_epoch == 2
    with pytest.warns(RuntimeWarning, match="val_los"):
        fit(EarlyStopping("val_los", strict=False, verbose=True), [3, 2])


def test_a_trial_run_and_other_loops_are_not_checked():
    stopping = EarlyStopping("val_loss", patience=0)
    fit(stopping, [3, 3, 3], fast_dev_run=True)
    assert stopping.best_epoch == -1
    model, trainer = fit(stopping, [3, 2, 1], num_sanity_val_steps=1)
    assert stopping.judge.first.values == [3, 2, 1]
    trainer.validate(model, batches(2), verbose=False)
    assert stopping.judge.first.values == [3, 2, 1]


@pytest.mark.parametrize(
    ("losses", "arguments", "sentence"),
    [
        ([3, 2, 1.9, 1.8], {"patience": 2, "min_delta": 0.5},
         "val_loss did not improve on 2 (epoch 1) by 0.5 for 2 checks (patience 2)."),
        ([3, 2, 1], {"patience": 2, "min_delta": 0.9, "min_delta_mode": "relative"},
         "val_loss did not improve on 3 (epoch 0) by 0.9 of it for 2 checks (patience 2)."),
        ([5, 4, 1, 6, 7], {"patience": 2, "smoothing": "median", "smoothing_window": 3},
         "smoothed val_loss did not improve on 4 (best: 1 (epoch 2)) for 2 checks (patience 2)."),
        ([3, 2, 1.9], {"patience": 3, "baseline": 1.0},
         "val_loss did not get past 1, the baseline (best: 1.9 (epoch 2)), for 3 checks "
         "(patience 3)."),
        ([NAN, NAN], {"patience": 2, "check_finite": False},
         "val_loss was never finite for 2 checks (patience 2)."),
        ([3, 2, 1, 2, 2], {"patience": 3.5, "patience_unit": "steps"},
         "val_loss did not improve on 1 (epoch 2) for 4 steps (patience 3.5)."),
        ([3, 2, NAN], {}, "val_loss = nan is not finite (best: 2 (epoch 1))."),
        ([3, 2, 7], {"max_loss_ratio": 3.0},
         "val_loss = 7 is over 3 times its best, 2 (epoch 1)."),
        ([3, 2], {"stopping_threshold": 2.5}, "val_loss = 2 is better than 2.5, the goal."),
        ([3, 9], {"divergence_threshold": 8.5}, "val_loss = 9 is worse than 8.5."),
        ([3, 2], {"baseline": 1.0, "baseline_by_epoch": 2},
         "val_loss did not get past the baseline 1 by epoch 2: its best is 2 (epoch 1)."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_was_watched_and_waited_for(losses, arguments, sentence):
    stopping = EarlyStopping("val_loss", **arguments)
    fit(stopping, losses)
    assert stopping.stopping_reason_message == sentence


def test_the_log_says_what_happened(caplog):
    caplog.set_level("INFO")
    stopping = EarlyStopping("val_loss", patience=2, verbose=True)
    fit(stopping, [3, 2, 1, 2, 3, 4])
    assert "Stopped in epoch 4, step 10: val_loss did not improve on 1 (epoch 2) for 2 checks" in (
        caplog.text
    )
    assert "val_loss = 2 is the best so far; before: 3 (epoch 0)." in caplog.text
    assert "gave back the weights of the best val_loss, 1 (epoch 2)" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"patience": -1}, "`patience` to be at least 0, but got -1"),
        ({"patience": NAN}, "`patience` to be at least 0, but got nan"),
        ({"min_delta": -0.1}, "`min_delta` to be at least 0"),
        ({"start_from_epoch": -1}, "`start_from_epoch` to be at least 0"),
        ({"start_from_step": -1}, "`start_from_step` to be at least 0"),
        ({"smoothing_window": 0}, "`smoothing_window` to be at least 1"),
        ({"strip_length": 0}, "`strip_length` to be at least 1"),
        ({"max_minutes": 0}, "`max_minutes` to be above 0"),
        ({"max_loss_ratio": 1.0}, "`max_loss_ratio` to be above 1"),
        ({"criterion": "GL", "alpha": 0.0}, "`alpha` to be above 0"),
        ({"alpha": 1.0}, "`alpha` with `criterion` 'GL' or 'PQ'"),
        ({"mode": "mim"}, "`mode` to be one of 'min', 'max', but got 'mim'. Did you mean 'min'"),
        ({"mode": ["min", "max"]}, "`mode` to be one or as many as the 1 monitors, but got 2"),
        ({"monitor": []}, "`monitor` to be a name or several"),
        ({"monitor": ["a", "a"]}, "`monitor` to name each metric once"),
        ({"patience_unit": "epoch"}, "`patience_unit` to be one of .*Did you mean 'epochs'"),
        ({"smoothing": "mean"}, "`smoothing` to be one of"),
        ({"min_delta_mode": "rel"}, "`min_delta_mode` to be one of"),
        ({"require": "one"}, "`require` to be one of"),
        ({"criterion": "gl"}, "`criterion` to be one of"),
        ({"best_weights": "disk"}, "`best_weights` to be one of"),
        ({"criterion": "PQ", "mode": "max"}, "`mode` to be 'min' with `criterion='PQ'`"),
        ({"max_loss_ratio": 3.0, "mode": "max"}, "`mode` to be 'min' with `max_loss_ratio`"),
        ({"baseline_by_epoch": 3}, "`baseline` with `baseline_by_epoch`"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(arguments, match):
    with pytest.raises(ValueError, match=match):
        EarlyStopping(**{"monitor": "val_loss", **arguments})


def test_the_callback_can_be_sent_to_another_process():
    stopping = pickle.loads(pickle.dumps(EarlyStopping("val_loss", patience=2)))
    stopping.patience = 1
    _, trainer = fit(stopping, [3, 2, 2, 2])
    assert trainer.current_epoch == 3


def test_arguments_come_from_yaml(tmp_path):
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_class_arguments(EarlyStopping, "stopping")
    config = tmp_path / "config.yaml"
    config.write_text(
        "stopping:\n  monitor: [val_loss, accuracy]\n  mode: [min, max]\n  patience: 2.5\n"
        "  patience_unit: minutes\n  min_delta_mode: relative\n  smoothing: ema\n  require: any\n"
        "  baseline: 0.5\n  baseline_by_epoch: 3\n  max_minutes: 5\n  best_weights: file\n"
    )
    parser.add_argument("--config", action="config")
    stopping = parser.instantiate_classes(parser.parse_args([f"--config={config}"])).stopping
    assert stopping.monitors == ["val_loss", "accuracy"]
    assert (stopping.patience, stopping.patience_unit) == (2.5, "minutes")


def test_plot_shows_curve_best_stop_and_saved_epochs():
    import matplotlib

    matplotlib.use("agg")
    stopping = EarlyStopping("val_loss", patience=2, smoothing="median", smoothing_window=3)
    with pytest.raises(ValueError, match="run fit first"):
        stopping.plot()
    fit(stopping, [5, 4, 1, 6, 7, 6, 9])
    ax = stopping.plot()
    raw, smoothed = ax.lines[:2]
    assert raw.get_ydata().tolist() == [5, 4, 1, 6, 7]
    assert smoothed.get_ydata().tolist() == [5, 4.5, 4, 4, 6]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [
        "val_loss",
        "smoothed (median, 3 checks)",
        "best so far, weights kept",
        "best: 1, epoch 2",
        "stopped after epoch 5",
        "2 of 7 epochs saved",
    ]
    assert math.isclose(ax.lines[2].get_xdata()[0], 5)
