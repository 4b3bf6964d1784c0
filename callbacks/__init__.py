"""Callbacks that show how training goes, for any Trainer and any LightningModule."""

from .activation_monitor import ActivationMonitor
from .dead_relu_monitor import DeadReLUMonitor
from .early_stopping import EarlyStopping
from .gradient_norm_monitor import GradientNormMonitor
from .stopping.reason import StoppingReason
from .update_ratio_monitor import UpdateRatioMonitor

__all__ = [
    "ActivationMonitor",
    "DeadReLUMonitor",
    "EarlyStopping",
    "GradientNormMonitor",
    "StoppingReason",
    "UpdateRatioMonitor",
]
