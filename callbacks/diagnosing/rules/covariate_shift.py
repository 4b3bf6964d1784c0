"""Inputs of a layer that keep drifting away from what it has learned to expect.

Drift is measured between two reports, in standard deviations. There is no published threshold; a
median above one over many reports is extreme, and nothing less is reported. Batches whose means
differ more than the samples within them are not shuffled; nor are those whose means differ clearly
more than by chance, which counts if the network does not generalise. An augmentation that writes
back to the stored data makes the inputs drift without end.
"""

import math
import statistics

from ...remedy import Remedy
from ..rounding import in_two_digits
from ..symptom import Finding
from ..vital_signs.levels import RECENT_CHECKS, Gain
from ..vital_signs.vitals import Vitals

_EXTREME_SHIFT_IN_DEVIATIONS = 1.0  # There is no published threshold.
_RECENT_REPORTS = 6
_MIN_BATCHES_OF_INPUTS = 10
_MIN_SAMPLES_OF_A_QUARTER = 50
_MIN_DRIFT_IN_DEVIATIONS = 0.5
_MIN_GROWTH_OF_DEVIATION = 1.5
_EXTREME_DRIFT_IN_DEVIATIONS = 2.0
_EPOCHS_TO_KNOW_THE_DATA = 4
_MIN_RATIO_OF_LOSSES = 1.5
_MIN_RISE_SHARE = 0.05
_MIN_SPREAD_OVER_CHANCE = 2.5
_MIN_SPREAD_OF_A_FEATURE = 1.0
_SHUFFLE = Remedy("Shuffle the training data.", "DataLoader(dataset, shuffle=True)")


def examine(vitals: Vitals) -> Finding | None:
    """Find inputs that change between batches or over time, or a layer with extreme drift."""
    return _of_inputs(vitals) or _in_order(vitals) or _over_time(vitals) or _of_layers(vitals)


def _of_inputs(vitals: Vitals) -> Finding | None:
    inputs, samples = vitals.inputs, _samples(vitals)
    if inputs.batches < _MIN_BATCHES_OF_INPUTS or samples < 2 or vitals.gain > Gain.GOOD:
        return None
    # With few samples, the means differ by chance alone.
    if not inputs.batch_spread > _EXTREME_SHIFT_IN_DEVIATIONS * math.sqrt(1 + 1 / (samples - 1)):
        return None
    if not vitals.had_a_long_chance:
        return None
    evidence = (
        "The mean of the inputs varies from batch to batch by "
        f"{in_two_digits(inputs.batch_spread)} times the standard deviation within a batch."
    )
    remedies = (
        _SHUFFLE,
        Remedy("Standardise each sample separately.", "F.layer_norm(x, x.shape[1:])"),
    )
    figures = {"batch_spread": inputs.batch_spread}
    return Finding("warning", evidence, figures, remedies, inputs.layer, is_root=True)


def _in_order(vitals: Vitals) -> Finding | None:
    """Find batches that follow an order of the data, and a validation loss that pays for it."""
    inputs, samples = vitals.inputs, min(_samples(vitals), vitals.batch_size)
    recent = vitals.checked_losses[-RECENT_CHECKS:]
    if vitals.shuffled or inputs.batches < _MIN_BATCHES_OF_INPUTS or samples < 2:
        return None
    chance = 1 / math.sqrt(samples - 1)
    # Sorted by one column of a table, batches differ in that one alone.
    one = inputs.feature_spread > _MIN_SPREAD_OF_A_FEATURE
    spread = inputs.feature_spread if one else inputs.batch_spread
    if not (inputs.is_data and spread > _MIN_SPREAD_OVER_CHANCE * chance):
        return None
    if len(recent) < RECENT_CHECKS or not vitals.had_a_long_chance:
        return None
    if not all(check > _MIN_RATIO_OF_LOSSES * loss > 0 for check, loss in recent):
        return None
    check, loss = recent[-1]
    evidence = (
        f"The training data come in an order: the mean of {'a feature' if one else 'the inputs'} "
        f"varies from batch to batch by {in_two_digits(spread)} times its standard deviation "
        f"within a batch, where shuffled data would have at most {in_two_digits(chance)}. The "
        f"validation loss is {check:.4g} and the training loss {loss:.4g}."
    )
    figures = {"batch_spread": spread}
    return Finding("warning", evidence, figures, (_SHUFFLE,), inputs.layer, is_root=True)


def _samples(vitals: Vitals) -> int:
    """Return the samples per batch, judging by the input sizes; 0 if unknown."""
    return vitals.inputs.sizes[0] if vitals.inputs.sizes else 0


def _over_time(vitals: Vitals) -> Finding | None:
    """Find inputs whose distribution shifted during training, strongly or at a cost."""
    inputs, checks, curve = vitals.inputs, vitals.validation_losses, vitals.curve
    scaled = (
        inputs.growth > _MIN_GROWTH_OF_DEVIATION or inputs.growth < 1 / _MIN_GROWTH_OF_DEVIATION
    )
    if not (inputs.drift > _MIN_DRIFT_IN_DEVIATIONS or scaled) or not vitals.objective.of_batch:
        return None
    if inputs.batches // 4 * _samples(vitals) < _MIN_SAMPLES_OF_A_QUARTER:
        return None
    if not (vitals.one_loss and inputs.is_data and vitals.had_a_long_chance and curve):
        return None
    # Each epoch has the same samples, so their mean does not move by itself.
    epochs = len(vitals.losses) / vitals.batches_per_epoch
    changed = inputs.drift > _EXTREME_DRIFT_IN_DEVIATIONS and epochs >= _EPOCHS_TO_KNOW_THE_DATA
    # What was learned on earlier inputs is lost on later ones.
    lost = vitals.recent_loss > _MIN_RATIO_OF_LOSSES * min(curve) > 0
    lost &= vitals.recent_loss - min(curve) > _MIN_RISE_SHARE * vitals.whole_scale
    lost_on_others = len(checks) > RECENT_CHECKS and (
        min(checks[-RECENT_CHECKS:]) > _MIN_RATIO_OF_LOSSES * min(checks)
    )
    if not (changed or lost or (lost_on_others and vitals.is_rising)):
        return None
    evidence = (
        "From the first to the last quarter of the batches, the mean of the input of "
        f"{inputs.layer} moved by {in_two_digits(inputs.drift)} standard deviations, and its "
        f"standard deviation to {in_two_digits(inputs.growth)} times its first value. The loss is "
        f"{vitals.recent_loss:.4g}; its best was {min(curve):.4g}."
    )
    remedies = (
        Remedy(
            "Have the augmentation return new data instead of changing the stored data in place.",
            "x + d",
        ),
        Remedy(
            "Check whether the data source drifts: normalise by current statistics, or retrain."
        ),
    )
    figures = {"drift": inputs.drift, "growth": inputs.growth, "loss": vitals.recent_loss}
    return Finding("warning", evidence, figures, remedies, inputs.layer, reports=3, is_root=True)


def _of_layers(vitals: Vitals) -> Finding | None:
    if len(vitals.drift.steps) < _RECENT_REPORTS or vitals.is_well or vitals.is_falling:
        return None
    usual = {}
    for site, drifts in vitals.drift.history.items():
        known = [drift for drift in drifts[-_RECENT_REPORTS:] if drift == drift]
        usual[site] = statistics.median(known) if len(known) >= _RECENT_REPORTS - 1 else 0.0
    site = max(usual, key=usual.__getitem__, default="")
    if not usual.get(site, 0.0) > _EXTREME_SHIFT_IN_DEVIATIONS:
        return None
    evidence = (
        f"The mean activations of {site} shift by {in_two_digits(usual[site])} standard "
        "deviations from one report to the next."
    )
    remedies = (
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Lower the learning rate.", vitals.rate_as_code(0.1)),
    )
    figures = {"drift": usual[site]}
    return Finding("info", evidence, figures, remedies, site)
