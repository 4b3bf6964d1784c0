"""When training stops and why, as tables run by a real Trainer; case n is of EDGE_CASES."""

import pytest
from helpers.scripted import Scripted, fit

from torchvitals.callbacks import EarlyStopping, StoppingReason

NAN, INF = float("nan"), float("inf")
Reason = StoppingReason


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
    "min_epochs between two strips": (
        [*[1] * 5, *[2] * 5, *[3] * 5, *[2.9] * 10], {"patience": 2, "criterion": "UP"},
        {"min_epochs": 17}, 17, 0, Reason.OVERFITTING),
    "min_epochs between two strips, and a new best": (
        [*[1] * 5, *[2] * 5, *[3] * 5, *[0.5] * 10], {"patience": 2, "criterion": "UP"},
        {"min_epochs": 17}, 25, 15, Reason.NOT_STOPPED),
    "min_epochs, and it had diverged": (
        [1, 100, *[2] * 8], {"patience": 99, "divergence_threshold": 50.0}, {"min_epochs": 4}, 4, 0,
        Reason.DIVERGENCE_THRESHOLD),
    "min_epochs, and it had jumped": (
        [1, 100, *[2] * 8], {"patience": 99, "max_loss_ratio": 50.0}, {"min_epochs": 4}, 4, 0,
        Reason.DIVERGED),
    "min_epochs, and it had been NaN": (
        [1, NAN, *[2] * 8], {"patience": 99}, {"min_epochs": 4}, 4, 0, Reason.NON_FINITE_METRIC),
    "min_epochs, and it recovered from NaN": (
        [1, NAN, 0.5, *[2] * 3], {"patience": 99}, {"min_epochs": 4}, 6, 2, Reason.NOT_STOPPED),
    "min_epochs, and the goal had been reached": (
        [1, 0.1, *[2] * 8], {"patience": 99, "stopping_threshold": 0.5}, {"min_epochs": 4}, 4, 1,
        Reason.STOPPING_THRESHOLD),
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


@pytest.mark.filterwarnings("ignore:Expected val_loss to be positive for `max_loss_ratio`")
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


def test_a_ratio_to_a_best_below_zero_says_so():
    with pytest.warns(UserWarning, match="positive for `max_loss_ratio`, but its best is -1"):
        fit(EarlyStopping("val_loss", max_loss_ratio=3.0), [1.0, -1.0, 9.0])


def test_of_all_monitors_each_has_strips_of_its_own():
    """One that is logged from the second check on ends its strips a check later."""
    rising = [1.0 + i for i in range(30)]
    curves = {"val_loss": rising, "b": [float("nan"), *rising]}
    late = Scripted(curves)

    def validation_step(batch, batch_idx):
        check = late.global_step // late.steps - 1
        for name in ("val_loss", "b") if check else ("val_loss",):
            late.log(name, curves[name][check])

    late.validation_step = validation_step
    stopping = EarlyStopping(
        ["val_loss", "b"], criterion="UP", patience=1, require="all", strict=False
    )
    fit(stopping, rising, late)
    # The second strip of five checks of the later one ends with the eleventh of all.
    assert stopping.stopped_epoch == 10


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
            "torchvitals.callbacks.stopping.resuming.progress.time.monotonic", lambda: self.now
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
