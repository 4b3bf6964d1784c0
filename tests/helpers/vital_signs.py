"""Vital signs for the rules: a classifier of ten classes, as healthy as it needs to be."""

import math
from dataclasses import replace

from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import Objective
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals
from torchvitals.callbacks.monitoring.recording.record import Record

LN10 = math.log(10)
FALLING = [2.3 * 0.99**i + 0.01 * (-1) ** i for i in range(300)]
FLAT = [2.3 + 0.05 * (-1) ** i for i in range(300)]
SMALL = [0.2 + 0.01 * (-1) ** i for i in range(300)]


def record(**layers):
    """One series for each layer."""
    found = Record()
    for i in range(len(next(iter(layers.values())))):
        found.add(i, 0, {name: values[i] for name, values in layers.items()})
    return found


def vitals(losses=FALLING, **more):
    """A classifier of ten classes after 300 of 1,000 steps."""
    classes = Objective(
        "classification", "cross_entropy", classes=10, constant_loss=LN10,
        target_counts=[30.0] * 10, predicted_counts=[30.0] * 10, target_range=(0.0, 9.0),
    )  # fmt: skip
    basis = Vitals(
        step=len(losses), planned_steps=1000, batches_per_epoch=50, learning_rate=0.01,
        learning_rate_peak=0.01, losses=list(losses), data_losses=list(losses[::10]),
        objective=classes, total_updates=[1e-3] * 10,
    )  # fmt: skip
    return replace(basis, **more)


def found(signs):
    """Problem and severity of each symptom."""
    return {symptom.problem: symptom.severity for symptom in examine(signs)}
