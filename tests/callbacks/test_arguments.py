"""Which arguments the monitors and the doctor take, and what they say of others."""

import numpy as np
import pytest
import torch
from helpers.training import quiet_trainer

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)

NAN, INF = float("nan"), float("inf")
CALLBACKS = (
    ActivationMonitor, DeadReLUMonitor, GradientNormMonitor, TrainingDoctor, UpdateRatioMonitor,
)  # fmt: skip


@pytest.mark.parametrize("value", ["a", 2.5, True, NAN, [5]])
@pytest.mark.parametrize("callback", CALLBACKS)
def test_an_interval_that_is_no_whole_number_is_refused(callback, value):
    with pytest.raises(TypeError, match="`every_n_steps` to be a whole number, but got"):
        callback(value)


@pytest.mark.parametrize("value", [0, -1, np.int64(0)])
@pytest.mark.parametrize("callback", CALLBACKS)
def test_an_interval_of_no_step_is_refused(callback, value):
    with pytest.raises(ValueError, match="`every_n_steps` to be at least 1, but got"):
        callback(value)


@pytest.mark.parametrize("value", [np.int64(5), torch.tensor(5)])
@pytest.mark.parametrize("callback", CALLBACKS)
def test_other_kinds_of_whole_numbers_mean_the_same(callback, value):
    taken, plain = callback(value), callback(5)
    assert (taken.every_n_steps, type(taken.every_n_steps)) == (5, int)
    assert taken.state_key == plain.state_key


@pytest.mark.parametrize("callback", [DeadReLUMonitor, GradientNormMonitor, UpdateRatioMonitor])
def test_monitors_of_two_intervals_go_together(callback):
    monitors = [callback(1), callback(5), callback()]
    quiet_trainer(callbacks=monitors)
    assert len({monitor.state_key for monitor in monitors}) == 3


@pytest.mark.parametrize(
    ("callback", "arguments", "error", "match"),
    [
        (GradientNormMonitor, {"norm_type": "two"}, TypeError, "`norm_type` to be a number"),
        (GradientNormMonitor, {"norm_type": True}, TypeError, "`norm_type` to be a number"),
        (GradientNormMonitor, {"norm_type": NAN}, ValueError, "`norm_type` to be above 0"),
        (
            GradientNormMonitor,
            {"noise_scale": "no"},
            TypeError,
            "`noise_scale` to be True or False",
        ),
        (GradientNormMonitor, {"noise_scale": 1}, TypeError, "`noise_scale` to be True or False"),
        (GradientNormMonitor, {"noise_scale": None}, TypeError, "`noise_scale` to be True or"),
        (ActivationMonitor, {"dormant_threshold": "a"}, TypeError, "`dormant_threshold` to be a"),
        (DeadReLUMonitor, {"observe_every_n_batches": 1.5}, TypeError, "`observe_every_n_batches`"),
        (DeadReLUMonitor, {"activations": []}, ValueError, "`activations` to name at least one"),
        (DeadReLUMonitor, {"activations": {}}, ValueError, "`activations` to name at least one"),
        (DeadReLUMonitor, {"activations": 3}, TypeError, "`activations` to be a list or a mapping"),
        (DeadReLUMonitor, {"activations": [3]}, TypeError, "`activations` to be a name, but got 3"),
        (
            DeadReLUMonitor,
            {"activations": {"gelu": -1}},
            ValueError,
            r"`activations\['gelu'\]` to be at least 0, but got -1",
        ),
        (
            DeadReLUMonitor,
            {"activations": {"gelu": "x"}},
            TypeError,
            r"`activations\['gelu'\]` to be a number, but got 'x'",
        ),
        (
            DeadReLUMonitor,
            {"activations": {"elu": NAN}},
            ValueError,
            r"`activations\['elu'\]` to be a number, but got nan",
        ),
        (TrainingDoctor, {"validation_loss": 3}, TypeError, "`validation_loss` to be a name"),
        (TrainingDoctor, {"validation_score": ""}, ValueError, "`validation_score` to be a name"),
        (TrainingDoctor, {"verbose": "no"}, TypeError, "`verbose` to be True or False"),
        (TrainingDoctor, {"log_figures": 0}, TypeError, "`log_figures` to be True or"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(callback, arguments, error, match):
    with pytest.raises(error, match=match):
        callback(**arguments)


@pytest.mark.parametrize("norm_type", ["inf", INF, np.float32("inf")])
def test_the_largest_magnitude_can_be_asked_for(norm_type):
    monitor = GradientNormMonitor(norm_type=norm_type)
    assert monitor.norm_type == INF
    assert monitor.state_key == GradientNormMonitor(norm_type=INF).state_key


def test_a_threshold_of_outputs_may_be_negative():
    thresholds = {"elu": np.float64(-0.5)}
    plain = DeadReLUMonitor(activations={"elu": -0.5})
    assert DeadReLUMonitor(activations=thresholds).state_key == plain.state_key
