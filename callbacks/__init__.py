"""Callbacks that show how training is going, for any Trainer and any LightningModule."""

from .activation_monitor import ActivationMonitor
from .checkup import Checkup, checkup
from .dead_relu_monitor import DeadReLUMonitor
from .diagnosis import Diagnosis
from .early_stopping import EarlyStopping
from .gradient_norm_monitor import GradientNormMonitor
from .problem import Problem
from .remedy import Remedy
from .stopping.judging.reason import StoppingReason
from .training_doctor import TrainingDoctor
from .update_ratio_monitor import UpdateRatioMonitor

__all__ = [
    "ActivationMonitor",
    "Checkup",
    "DeadReLUMonitor",
    "Diagnosis",
    "EarlyStopping",
    "GradientNormMonitor",
    "Problem",
    "Remedy",
    "StoppingReason",
    "TrainingDoctor",
    "UpdateRatioMonitor",
    "checkup",
]
