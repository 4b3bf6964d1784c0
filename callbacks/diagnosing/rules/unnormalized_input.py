"""Inputs that are orders of magnitude away from mean 0 and standard deviation 1.

What counts is the input of the first layer with weights, after any normalisation in the network.
Images in 0..1, standardised images, counts and embeddings are all fine; pixels in 0..255, a column
in the thousands beside one of tenths, or raw years are not.
"""

import math
from dataclasses import replace

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.vitals import Vitals

_LARGE_ROOT_MEAN_SQUARE = 15.0
_MIN_RATIO_OF_DEVIATIONS = 100.0
_MAX_RATIO_OF_HIDDEN_DEVIATION = 1e-3
_MIN_RATIO_OF_MEAN_TO_DEVIATION = 30.0


def examine(vitals: Vitals) -> Finding | None:
    """Find inputs whose scale the weights were not initialised for."""
    inputs, reason = vitals.inputs, _reason(vitals)
    if reason is None:
        return _beside(vitals)
    figures = {
        "largest_mean": inputs.largest_mean, "largest_std": inputs.largest_std,
        "smallest_std": inputs.smallest_std,
    }  # fmt: skip
    return _finding(vitals, inputs.layer, reason, figures)


def _beside(vitals: Vitals) -> Finding | None:
    """Find raw inputs of later layers: a second input, or columns joined to the others."""
    for layer, side in vitals.side_inputs.items():
        if side.is_raw:
            reason = (
                f"their root mean square is {side.rms:.3g}, that of one feature {side.largest:.3g} "
                f"and of half of them below {side.usual:.2g}"
            )
            figures = {"rms": side.rms, "largest": side.largest, "usual": side.usual}
            return replace(_finding(vitals, layer, reason, figures), is_root=True)
    return None


def _finding(vitals: Vitals, layer: str, reason: str, figures: dict[str, float]) -> Finding:
    # A fall from a first loss that such inputs inflated is no sign of success.
    fell = vitals.gain >= Gain.HARMLESS and vitals.objective.constant_loss > 0
    evidence = f"The inputs of {layer} are not normalised: {reason}."
    remedies = (
        Remedy(
            "Standardise the inputs by the mean and deviation of the training data.",
            'TabularDataModule(scaling="standard")',
        ),
        Remedy("Divide pixels by 255.", "x = x.float() / 255"),
        Remedy("Start the network with a normalisation layer.", "nn.BatchNorm1d(features)"),
    )
    return Finding("info" if fell else "warning", evidence, figures, remedies, layer, reports=1)


def _reason(vitals: Vitals) -> str | None:
    inputs = vitals.inputs
    if not math.isfinite(inputs.rms):
        return None  # `non_finite` reports that.
    if vitals.has_faint_inputs and (vitals.faint_units or not inputs.is_data):
        return None  # Units or weights have made them so.
    if inputs.level > _LARGE_ROOT_MEAN_SQUARE:
        return f"their root mean square is {inputs.level:.3g}"
    if vitals.has_faint_inputs:
        return f"their root mean square is {inputs.rms:.1e}"
    if inputs.features > 1 and inputs.largest_std > max(
        3.0, _MIN_RATIO_OF_DEVIATIONS * inputs.smallest_std
    ):
        return (
            f"standard deviations of features range from {inputs.smallest_std:.2g} to "
            f"{inputs.largest_std:.3g}"
        )
    # Half of the features may be nearly constant beside the one with the largest scale.
    hides = 0 < inputs.usual_std < _MAX_RATIO_OF_HIDDEN_DEVIATION * inputs.largest_std
    learns = vitals.gain > Gain.LITTLE or not vitals.had_a_long_chance
    if inputs.features > 2 and hides and not learns:
        return (
            f"one feature has a standard deviation of {inputs.largest_std:.3g}, and half of them "
            f"{inputs.usual_std:.2g} or less"
        )
    if inputs.largest_mean > max(3.0, _MIN_RATIO_OF_MEAN_TO_DEVIATION * inputs.largest_std):
        return (
            f"the mean of a feature is {inputs.largest_mean:.3g}, its standard deviation at most "
            f"{inputs.largest_std:.2g}"
        )
    return None
