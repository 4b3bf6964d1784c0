"""What validation batches show: other inputs, or BatchNorm layers that training never reached.

It counts only if validation is clearly worse than training.
"""

import math

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.vitals import Vitals

# Between the inputs in validation and in training: of deviations, and of means in deviations.
_MIN_RATIO_OF_OTHER_INPUTS = 2.5
_MIN_SHIFT_OF_OTHER_INPUTS = 2.0

# Between validation and training: of losses, and of accuracies.
_MIN_RATIO_IF_VALIDATION_PAYS = 1.5
_MIN_GAP_OF_ACCURACIES = 0.15


def find_other_inputs(vitals: Vitals) -> Finding | None:
    """Find inputs that are scaled or shifted in training alone, or in validation alone."""
    inputs, known = vitals.inputs, vitals.validated_inputs
    if not (known and inputs.is_data and inputs.std > 0):
        return None
    if not all(map(math.isfinite, known)):
        return None  # NaN in the validation data is another problem.
    mean, std = known
    ratio = max(std / inputs.std, inputs.std / std) if std > 0 else math.inf
    shift = abs(mean - inputs.mean) / max(std, inputs.std)
    differs = ratio > _MIN_RATIO_OF_OTHER_INPUTS or shift > _MIN_SHIFT_OF_OTHER_INPUTS
    price = _price(vitals)
    # Where validation logs nothing to judge by, they must hardly overlap.
    unheard = not (vitals.validation_losses or vitals.validation_scores)
    if unheard and shift > _MIN_SHIFT_OF_OTHER_INPUTS:
        price = "No validation loss is logged that would tell what this costs"
    if not (differs and price):
        return None
    evidence = (
        f"The inputs of {inputs.layer} have a mean of {mean:.3g} and a standard deviation of "
        f"{std:.3g} in validation, but of {inputs.mean:.3g} and {inputs.std:.3g} in training. "
        f"{price}."
    )
    remedies = (
        Remedy(
            "Prepare the inputs in `forward`, or alike in both data sets.",
            "x = (x - self.mean) / self.std",
        ),
        Remedy("Do in `validation_step` what only `training_step` does to its inputs."),
    )
    figures = {"ratio": ratio, "shift": shift}
    return Finding("warning", evidence, figures, remedies, inputs.layer, reports=1, is_root=True)


def find_unfed_norms(vitals: Vitals) -> Finding | None:
    """Find BatchNorm layers used in validation that no training batch has reached."""
    names, price = vitals.unfed_norms, _price(vitals)
    if not names or not price:
        return None
    others = f" and {len(names) - 1} more BatchNorm layers have" if len(names) > 1 else " has"
    evidence = (
        f"{names[0]}{others} a running mean of 0 and a variance of 1 in validation, the initial "
        f"values: no training batch has reached them. {price}."
    )
    remedies = (
        Remedy(
            "Average or copy the buffers along with the weights.",
            "AveragedModel(model, use_buffers=True)",
        ),
        Remedy(
            "Recompute the running statistics in another pass over the data.",
            "swa_utils.update_bn(train_loader, average)",
        ),
    )
    figures = {"layers": float(len(names))}
    return Finding("warning", evidence, figures, remedies, names[0], reports=1, is_root=True)


def _price(vitals: Vitals) -> str:
    """Describe how much worse validation is than training; empty if it is not clearly worse."""
    for check, loss in vitals.checked_losses[-1:]:
        if not check > _MIN_RATIO_IF_VALIDATION_PAYS * loss > 0:
            return ""
        return f"The validation loss is {check:.4g} and the training loss {loss:.4g}"
    scores, told = vitals.validation_scores, vitals.confirmed_training_accuracy
    known = bool(scores) and vitals.scores_are_accuracies
    if not (known and told - scores[-1] > _MIN_GAP_OF_ACCURACIES):
        return ""
    return f"The validation accuracy is {scores[-1]:.0%} and the training accuracy {told:.0%}"
