"""What counts as better, as reached, as diverged: to the digit, in a warm-up, on any rank."""

import math

import pytest
import torch
from helpers.scripted import Scripted, batches, fit
from helpers.training import quiet_trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import GradientAccumulationScheduler, ModelCheckpoint
from torch.utils.data import DataLoader, IterableDataset

from torchvitals.callbacks import EarlyStopping, StoppingReason
from torchvitals.callbacks.stopping.judging.curve import Position


def epochs_of(stopping, losses, **more):
    return fit(stopping, losses, **more)[0].current_epoch


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("limit", [0.9, 0.7, 0.3, 0.1])
def test_a_threshold_is_passed_where_lightning_sees_it_passed(mode, limit):
    curve = [1.0, 0.7, 0.7, 0.3, 0.1, 0.05] if mode == "min" else [0.1, 0.3, 0.3, 0.7, 0.9, 0.95]
    arguments = {"stopping_threshold": limit, "mode": mode, "patience": 99}
    lightnings = lightning_callbacks.EarlyStopping("val_loss", **arguments)
    assert epochs_of(EarlyStopping("val_loss", **arguments), curve) == epochs_of(lightnings, curve)


@pytest.mark.parametrize("curve", [[1.0, 0.9, 0.8, 0.7], [10.0, 9.9, 9.8, 9.7]])
def test_what_improves_by_min_delta_and_not_by_more_is_no_improvement(curve):
    stopping = EarlyStopping("val_loss", min_delta=0.1, patience=1)
    assert epochs_of(stopping, curve) == 2
    assert stopping.best_score == curve[0]


@pytest.mark.parametrize(
    ("curve", "more", "stops"),
    [
        ([3, 2, 1.0, 1, 1], {"baseline_by_epoch": 3}, False),  # to the digit
        ([3, 2, 1.001, 1, 1], {"baseline_by_epoch": 3}, True),
        ([1.3, 0.95, 1.2, 1.2, 1.2], {"baseline_by_epoch": 3, "min_delta": 0.5}, False),
        ([1.3, 0.95, 0.9, 0.9], {"min_delta": 0.5, "patience": 3}, False),
    ],
)
def test_a_baseline_is_reached_by_any_value(curve, more, stops):
    stopping = EarlyStopping("val_loss", **{"baseline": 1.0, "patience": 99, **more})
    fit(stopping, curve)
    assert (stopping.stopping_reason is not StoppingReason.NOT_STOPPED) is stops


def test_a_baseline_left_behind_is_not_said_to_be_missed():
    stopping = EarlyStopping("val_loss", baseline=1.0, patience=2, min_delta=0.5)
    fit(stopping, [1.3, 0.95, 0.94, 0.93, 0.92])
    assert stopping.stopping_reason_message.startswith("val_loss did not improve on 0.95 by 0.5")


def test_nan_stops_in_the_warm_up_too():
    stopping = EarlyStopping("val_loss", start_from_epoch=4)
    assert epochs_of(stopping, [3, math.nan, 2, 2, 2, 2]) == 2
    assert stopping.stopping_reason is StoppingReason.NON_FINITE_METRIC
    left = EarlyStopping("val_loss", start_from_epoch=4, check_finite=False)
    assert epochs_of(left, [3, math.nan, 2, 2, 2, 2]) == 6


def judged(stopping, *checks):
    for step, values in enumerate(checks):
        at = Position(step, step + 1, step, 0.0)
        stopping.judge.add({"val_loss": values}, at)
    return stopping.judge.verdict(at)


def test_ranks_diverge_from_their_own_best():
    def arguments():
        return EarlyStopping("val_loss", max_loss_ratio=1.5, patience=99)

    assert judged(arguments(), (0.5, 3.0), (0.49, 2.9), (0.52, 3.1)) is None
    verdict = judged(arguments(), (0.5, 3.0), (0.8, 2.9))
    assert verdict.reason is StoppingReason.DIVERGED
    assert verdict.sentence == "val_loss = 0.8 is over 1.5 times its best on that rank, 0.5."
    assert judged(arguments(), (0.5, 3.0), (0.8,)) is None  # resumed on fewer ranks


def test_ranks_go_on_from_their_own_best_after_a_checkpoint():
    stopping = EarlyStopping("val_loss", max_loss_ratio=1.5, patience=99)
    judged(stopping, (0.5, 3.0))
    resumed = EarlyStopping("val_loss", max_loss_ratio=1.5, patience=99)
    resumed.judge.load_state_dict(stopping.judge.state_dict())
    assert judged(resumed, (0.6, 3.1)) is None
    assert judged(resumed, (0.9, 3.1)).reason is StoppingReason.DIVERGED


def test_a_run_with_a_deferred_stop_goes_on_with_fewer_ranks():
    stopping = EarlyStopping("val_loss", max_loss_ratio=1.5, patience=99)
    assert judged(stopping, (0.5, 0.5), (0.5, 3.0)).reason is StoppingReason.DIVERGED
    resumed = EarlyStopping("val_loss", max_loss_ratio=1.5, patience=99)
    resumed.judge.load_state_dict(stopping.judge.state_dict())
    assert judged(resumed, (0.6,), (0.6,)) is None


@pytest.mark.parametrize(("mode", "value"), [("max", math.inf), ("min", -math.inf)])
def test_infinity_on_one_rank_is_not_finite_where_it_would_be_best(mode, value):
    verdict = judged(EarlyStopping("val_loss", mode=mode), (0.5, value))
    assert verdict.reason is StoppingReason.NON_FINITE_METRIC


class ChecksAtTheEpochsEnd(EarlyStopping):
    """As Lightning's documentation has it."""

    def on_validation_end(self, trainer, pl_module):
        pass

    def on_train_epoch_end(self, trainer, pl_module):
        self._run_early_stopping_check(trainer)


def test_a_subclass_may_check_where_it_likes(tmp_path):
    stopping = ChecksAtTheEpochsEnd("val_loss", patience=2)
    model = Scripted({"val_loss": [3, 2, 4, 5, 6, 7]})
    saves = ModelCheckpoint(tmp_path, save_on_train_epoch_end=True, save_last=True)
    settings = {"max_epochs": 6, "callbacks": [stopping, saves], "enable_checkpointing": True}
    trainer = quiet_trainer(**settings, num_sanity_val_steps=0)
    trainer.fit(model, batches(), batches(1))
    assert (trainer.current_epoch, stopping.best_epoch, model.restored) == (4, 1, 4.0)
    assert stopping.stopping_reason is StoppingReason.PATIENCE_EXHAUSTED


def test_the_training_loss_of_pq_does_not_follow_the_accumulation():
    model = Scripted({"val_loss": [1.0] * 4}, steps=1, training=[2.0] * 9)
    stopping = EarlyStopping("val_loss", criterion="PQ", strip_length=2)
    accumulates = GradientAccumulationScheduler({0: 1, 2: 2})
    trainer = quiet_trainer(max_epochs=4, callbacks=[stopping, accumulates])
    trainer.fit(model, batches(1), batches(1))
    assert stopping.judge.first.training_losses == [2.0] * 4


def test_the_picture_ends_where_training_did():
    import matplotlib

    matplotlib.use("agg")
    stopping = EarlyStopping(["a", "b"], patience=2, require="any")

    class OneSeldom(Scripted):
        def validation_step(self, batch, batch_idx):
            if self.current_epoch == 0:
                self.log("a", 1.0)
            self.log("b", [1.0, 2.0, 3.0, 4.0][self.current_epoch])

    fit(stopping, [], model=OneSeldom({}), max_epochs=4)
    labels = [text.get_text() for text in stopping.plot().get_legend().get_texts()]
    assert labels[-2:] == ["stopped after epoch 3", "1 of 4 epochs saved"]


def test_the_picture_ends_where_a_deferred_stop_was():
    import matplotlib

    matplotlib.use("agg")
    stopping = EarlyStopping("val_loss", patience=1)
    settings = {"max_epochs": 12, "min_epochs": 5, "check_val_every_n_epoch": 2}
    _, trainer = fit(stopping, [1.0, 2.0, 3.0, 4.0, 5.0], **settings)
    assert trainer.current_epoch == 5
    labels = [text.get_text() for text in stopping.plot().get_legend().get_texts()]
    assert labels[-2:] == ["stopped after epoch 5", "7 of 12 epochs saved"]


class Stream(IterableDataset):
    """Zeros, without a length."""

    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        return iter(torch.zeros(self.samples, 1))


def fit_to_stream(stopping, losses, samples, **arguments):
    model = Scripted({"val_loss": losses})
    settings = {"num_sanity_val_steps": 0, "val_check_interval": 2, "callbacks": stopping}
    trainer = quiet_trainer(**settings, **arguments)
    trainer.fit(model, DataLoader(Stream(samples)), batches(1))
    return trainer


def test_an_epoch_of_unknown_length_is_not_over_before_its_last_batch():
    stopping = EarlyStopping("val_loss", baseline=1.0, baseline_by_epoch=1, patience=99)
    trainer = fit_to_stream(stopping, [3, 2, 0.9, 0.8], samples=6, max_epochs=1)
    assert (trainer.global_step, stopping.stopping_reason) == (6, StoppingReason.NOT_STOPPED)
    missed = EarlyStopping("val_loss", baseline=0.5, baseline_by_epoch=1, patience=99)
    trainer = fit_to_stream(missed, [3, 2, 0.9, 0.8, 0.7], samples=6, max_epochs=2)
    assert (trainer.global_step, missed.stopping_reason) == (6, StoppingReason.BASELINE_MISSED)


def test_the_picture_of_an_epoch_without_an_end_is_by_steps():
    import matplotlib

    matplotlib.use("agg")
    stopping = EarlyStopping("val_loss", patience=2)
    fit_to_stream(stopping, [3, 2, 4, 5, 6, 7], samples=1_000, max_steps=12)
    ax = stopping.plot()
    assert ax.lines[0].get_xdata().tolist() == [2, 4, 6, 8]
    assert ax.get_xlabel() == "steps"
    # Nor is it known within later ones.
    twice = EarlyStopping("val_loss", patience=9)
    fit_to_stream(twice, [9, 8, 7, 6, 5, 4, 3, 2], samples=8, max_epochs=2)
    assert twice.plot().lines[0].get_xdata().tolist() == list(range(2, 17, 2))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[-1] == "stopped after step 8"
