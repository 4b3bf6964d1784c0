"""Nothing learned, and no sharper cause found.

After a fair number of steps the loss of a batch is not below that of the best constant predictor
(ln C for C balanced classes, the variance of a regression's targets).
"""

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a loss that is no better than a constant's and does not fall."""
    if (
        not vitals.one_loss
        or not vitals.had_a_long_chance
        or vitals.has_learned
        or vitals.is_falling
    ):
        return []
    constant = vitals.objective.constant_loss
    # Without the loss of a constant a slow start looks the same.
    known = constant == constant or vitals.step > vitals.planned_steps / 2
    if not vitals.gain <= 0.02 or not known:
        return []
    than = (
        f"{vitals.recent_data_loss:.4g}, no better than the {constant:.4g} of a constant prediction"
        if constant == constant and vitals.data_losses
        else f"{vitals.recent_loss:.4g}, no better than the {vitals.initial_loss:.4g} of the start"
    )
    remedies = (
        Remedy(
            "See whether the network can learn 16 samples by heart.", "Trainer(overfit_batches=1)"
        ),
        Remedy(
            "Try learning rates ten times as large and as small.", "Tuner(trainer).lr_find(...)"
        ),
        Remedy("Look at inputs and labels side by side, as the network gets them."),
    )
    figures = {"gain": vitals.gain, "loss": vitals.recent_loss}
    evidence = f"After {vitals.step} steps the loss is {than}."
    return [Symptom(Problem.NOT_LEARNING, "critical", evidence, figures, remedies, reports=3)]
