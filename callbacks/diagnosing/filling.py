"""The records of the monitors and of validation, as vital signs."""

import math

import torch

from ..activation_monitor import ActivationMonitor
from ..dead_relu_monitor import DeadReLUMonitor
from ..gradient_norm_monitor import GradientNormMonitor
from ..update_ratio_monitor import UpdateRatioMonitor
from .brought_monitors import BroughtMonitors
from .validation import ValidationCurve
from .vital_signs.vitals import Vitals

_MIN_SHARE_OF_MEAN_TARGET = 0.05


def fill(vitals: Vitals, monitors: BroughtMonitors, validation: ValidationCurve) -> None:
    """Add what was recorded so far to the vital signs.

    The records of a monitor that failed are out of date and left out.

    Args:
        vitals: Vital signs, changed in place.
        monitors: The doctor's monitors.
        validation: All validation checks so far.
    """
    if not monitors.gradients.failed:
        _fill_gradients(vitals, monitors.gradients)
    if not monitors.updates.failed:
        _fill_updates(vitals, monitors.updates)
    if not monitors.activations.failed:
        _fill_activations(vitals, monitors.activations)
    if not monitors.dead_relus.failed:
        vitals.dead = monitors.dead_relus._reporter.records["dead_relu"]
        vitals.mute_outputs = _count_mute(vitals, monitors.dead_relus)
    # The right one among the samples of a batch is harder to find in a larger batch.
    vitals.validation_losses = [] if vitals.objective.of_positions else validation.losses
    vitals.validation_name, vitals.validation_scores = validation.name, validation.scores
    vitals.validation_estimate = validation.estimated_from
    vitals.scores_are_accuracies = validation.are_accuracies
    vitals.training_score = validation.training_score
    vitals.wants_order, vitals.wants_decisions = validation.ranks, validation.decides
    vitals.validation_epochs = validation.epochs
    vitals.training_epoch_losses = validation.training_losses
    vitals.not_finite_layer = _not_finite(vitals.variances.last, vitals.gradients.last)


def _fill_gradients(vitals: Vitals, monitor: GradientNormMonitor) -> None:
    vitals.gradients = monitor._reporter.records["grad_norm"]
    vitals.gradient_profile = monitor.profile if monitor.steps else {}
    vitals.total_gradients = monitor._reporter.summary.of("grad_norm/total")


def _fill_updates(vitals: Vitals, monitor: UpdateRatioMonitor) -> None:
    vitals.updates = monitor._reporter.records["update_ratio"]
    vitals.total_updates = monitor._reporter.summary.of("update_ratio/total")
    vitals.growth, vitals.unmoved = monitor.growth, monitor.unmoved


def _fill_activations(vitals: Vitals, monitor: ActivationMonitor) -> None:
    records = monitor._reporter.records
    vitals.saturated, vitals.dormant = records["saturated"], records["dormant"]
    vitals.drift, vitals.variances = records["drift"], records["activation_variance"]
    vitals.last_activation_is_output = not monitor._observer.ends_in_layer


def _count_mute(vitals: Vitals, monitor: DeadReLUMonitor) -> int:
    means = torch.tensor(vitals.target_means, dtype=torch.float64)
    if not monitor.dead_units or vitals.objective.output != "relu":
        return 0
    dead = next(reversed(monitor.dead_units.values())).cpu()
    if dead.shape != means.shape:
        return 0
    return int((dead & (means > _MIN_SHARE_OF_MEAN_TARGET * means.abs().mean())).sum())


def _not_finite(variances: dict[str, float], gradients: dict[str, float]) -> str | None:
    """Return the first layer with a non-finite output or, in the backward pass, gradient.

    Empty if all of them are non-finite, as weights were lost before; None if none is.
    """
    on_the_way_back = dict(reversed(gradients.items()))
    lost = False
    for values in (variances, on_the_way_back):
        names = [name for name, value in values.items() if not math.isfinite(value)]
        if names and len(names) < len(values):
            return names[0]
        lost |= bool(names)
    return "" if lost else None
