"""Gradients that vanish on their way back, where nothing is learned.

AUTOTRAINER compares the norms of the first and the last layer (ratio below 1e-3, first below 1e-4).
Here norms are per parameter, so that a layer's size does not matter, and a network that learns well
is not reported: residual and normalised ones learn with such ratios. Where the loss of the best
constant prediction (the constant baseline) is unknown, a network whose loss fell at once and then
plateaus has learned no more than the bias of its last layer. Where nothing is learned through
sigmoids, it is enough that each layer gets less than the next. Through time, the gradients of a
recurrent layer's last output with respect to its inputs are compared (Pascanu et al. 2013).
"""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from ....functional.gradient_flow import vanishing_from
from ...diagnosis import Severity
from ...remedy import Remedy
from ..rounding import as_multiple
from ..symptom import Finding, worst
from ..vital_signs.levels import Gain, UpdateRatio
from ..vital_signs.vitals import Vitals

_FACTOR_IF_VANISHED_AT_FIRST = 1e-2
_MAX_RATIO_OF_FORGOTTEN_TIME = 1e-4
_MAX_SHARE_OF_TIME_REACHED = 0.4
_MIN_WINDOWS = 12
_WINDOWS_OF_A_MEAN = 3
_MIN_RATIO_STANDING_STILL = 0.99
_MIN_RATIO_AT_PLATEAU = 0.97
_MIN_SHARE_OF_TRAINING_LOST = 0.2
_MAX_GAIN_AT_A_CONSTANT = 0.02
_MAX_GAIN_THROUGH_SIGMOIDS = 0.6
_MIN_LAYERS_TO_FADE = 4
_MAX_RATIO_OF_FADED_GRADIENT = 1e-3


def examine(vitals: Vitals) -> Finding | None:
    """Find the layer, or the time step of a sequence, from which on gradients are lost."""
    lost = _through_layers(vitals) or _at_first(vitals)
    lost = lost or _through_sigmoids(vitals) or _from_layer_to_layer(vitals)
    return worst([lost, _through_time(vitals)])


def _through_time(vitals: Vitals) -> Finding | None:
    profile = vitals.time_profile
    if len(profile) < 3 or vitals.has_learned or vitals.is_falling or not vitals.had_a_long_chance:
        return None
    first, last = profile[0], profile[-1]
    if not statistics.median(vitals.update_ratios[-5:] or [0.0]) > UpdateRatio.TINY:
        return None
    reach = sum(size >= _MAX_RATIO_OF_FORGOTTEN_TIME * last for size in profile)
    # Reaching back two fifths of a sequence, as LSTMs do by default, is enough to learn something.
    is_long = reach >= _MAX_SHARE_OF_TIME_REACHED * len(profile)
    if is_long or not first < _MAX_RATIO_OF_FORGOTTEN_TIME * last:
        return None
    evidence = (
        f"{vitals.recurrent_layer} cannot learn long-range dependencies: the gradient reaches "
        f"back {reach} of {len(profile)} time steps, and at the first it is "
        f"{as_multiple(first / last)} that at the last."
    )
    remedies = (
        Remedy("Use a gated recurrent layer.", "nn.LSTM(features, hidden)"),
        Remedy("Initialise the recurrent weights orthogonally.", "nn.init.orthogonal_(weight_hh)"),
        Remedy("Start an LSTM with open forget gates: a bias of 1 or more."),
        Remedy("Shorten the path: attention over all time steps, or the mean of the outputs."),
    )
    figures = {"ratio": first / last, "reach": float(reach)}
    layer = vitals.recurrent_layer
    return Finding("critical", evidence, figures, remedies, layer, reports=3)


def _through_layers(vitals: Vitals) -> Finding | None:
    begins = _vanish_from(vitals)
    if begins is None or not vitals.one_loss or not vitals.had_a_chance:
        return None
    if vitals.gain > Gain.GOOD and not _stands(vitals):
        return None
    if not vitals.layers or vitals.silent:
        return None  # Embeddings are parallel, not stacked; silent activations let nothing through.
    layers, values = list(vitals.gradient_profile), list(vitals.gradient_profile.values())
    ratio = values[0] / values[-1]
    severity: Severity = "warning" if vitals.has_learned else "critical"
    share = f"{as_multiple(ratio)} that of {layers[-1]}" if ratio else "0"
    evidence = (
        f"Gradients vanish from {layers[begins]} on towards the input: per parameter, that of "
        f"{layers[0]} is {share}."
    )
    # A decay that outweighs the gradients leaves weights that let none through, as do weights
    # initialised so, and inputs in the thousands or huge first steps saturate what follows them.
    is_root = vitals.vanished_from_the_start and not (
        vitals.decay_outweighs
        or vitals.has_raw_inputs
        or vitals.misinitialized
        or vitals.had_loss_spike
    )
    figures, layer = {"ratio": ratio}, layers[begins]
    return Finding(severity, evidence, figures, _remedies(), layer, reports=3, is_root=is_root)


def _vanish_from(vitals: Vitals) -> int | None:
    """Return the layer from which gradients vanish, or, if they did at first, nearly do."""
    profile = list(vitals.gradient_profile.values())
    begins = vanishing_from(profile)
    if begins is None and vitals.vanished_from_the_start and vitals.had_a_long_chance:
        return vanishing_from(profile, _FACTOR_IF_VANISHED_AT_FIRST)
    return begins


def _stands(vitals: Vitals) -> bool:
    """Whether a loss without a known constant baseline fell at once, and then plateaued."""
    curve = vitals.curve
    if vitals.whole_constant > 0 or len(curve) < _MIN_WINDOWS or not vitals.had_a_long_chance:
        return False
    if vanishing_from(vitals.first_gradient_profile) is None:
        return False
    third = len(curve) // 3
    return min(curve[-third:]) > (
        _MIN_RATIO_STANDING_STILL * statistics.fmean(curve[third : 2 * third])
    )


def _remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("Use an activation that does not saturate.", 'activation="relu"'),
        Remedy("Use an initialisation that suits the activation.", 'init="auto"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy(
            "Add skip connections, or use fewer layers.",
            "ResNetClassifier(in_channels, num_classes)",
        ),
    )


def _at_first(vitals: Vitals) -> Finding | None:
    """Find gradients that were lost for so long that much of the training was wasted."""
    constant, curve = vitals.whole_constant, vitals.curve
    begins = vanishing_from(vitals.first_gradient_profile)
    if not constant > 0 or begins is None or not vitals.vanished_from_the_start:
        return None
    if vitals.gain > Gain.LITTLE or vitals.has_added_terms or not vitals.had_a_long_chance:
        return None
    lost = next((i for i in range(len(curve)) if _is_left(curve[i:], constant)), len(curve))
    share = lost / len(curve) if curve else 0.0
    if math.isfinite(vitals.planned_steps):
        share *= min(1.0, vitals.step / vitals.planned_steps)
    if not vitals.has_learned or share < _MIN_SHARE_OF_TRAINING_LOST:
        return None
    layers, first = list(vitals.gradient_profile), vitals.first_gradient_profile
    if len(layers) != len(first):
        return None
    ratio = first[0] / first[-1]
    evidence = (
        f"For the first {share:.0%} of the training nothing was learned: gradients vanished from "
        f"{layers[begins]} on towards the input; per parameter, that of {layers[0]} was "
        f"{as_multiple(ratio)} that of {layers[-1]}."
    )
    figures = {"ratio": ratio, "share": share}
    layer = layers[begins]
    # Units that died once the weights had grown did so later.
    return Finding("warning", evidence, figures, _remedies(), layer, reports=3, is_root=True)


def _is_left(curve: Sequence[float], constant: float) -> bool:
    """Whether the loss is below the plateau from here on, and not by the noise of one window."""
    most = _MIN_RATIO_AT_PLATEAU * constant
    return curve[0] < most and statistics.fmean(curve[:_WINDOWS_OF_A_MEAN]) < most


def _from_layer_to_layer(vitals: Vitals) -> Finding | None:
    """Find gradients that shrink at each of several sigmoids or tanhs until nothing is left.

    A small gradient in the first layer alone is usual, but not one that fades all the way to it.
    """
    profile, sites = vitals.gradient_profile, list(vitals.saturated.history)
    layers, values = list(profile), list(profile.values())
    hidden = len(sites) - vitals.squashed_outputs
    if hidden < _MIN_LAYERS_TO_FADE or len(values) < _MIN_LAYERS_TO_FADE or not vitals.one_loss:
        return None
    if not vitals.had_a_long_chance or not vitals.gain < _MAX_GAIN_AT_A_CONSTANT:
        return None
    fades = (
        all(a < b for a, b in pairwise(values))
        and values[0] < _MAX_RATIO_OF_FADED_GRADIENT * values[-1]
    )
    if not fades or vitals.misinitialized or vitals.had_loss_spike:
        return None
    ratio = values[0] / values[-1]
    evidence = (
        f"Gradients fade from layer to layer: per parameter, that of {layers[0]} is "
        f"{as_multiple(ratio)} that of {layers[-1]}, through {hidden} saturating activations, and "
        "nothing is learned."
    )
    figures = {"ratio": ratio}
    return Finding("critical", evidence, figures, _remedies(), layers[0], reports=3)


def _through_sigmoids(vitals: Vitals) -> Finding | None:
    """Find hidden sigmoids, each passing a quarter of a gradient at most, that delay learning.

    Hardly any of the input signal reaches the layers after them before their weights have grown.
    """
    if not (vitals.sigmoids_hardly_varied_at_first and vitals.falls_as_fast_as_ever):
        return None
    if not vitals.has_learned or vitals.gain > _MAX_GAIN_THROUGH_SIGMOIDS:
        return None
    sites = list(vitals.saturated.history)
    first = vitals.variances.of(sites[0])[0]
    evidence = (
        f"{sites[0]} hardly varied at first (a variance of {first:.1g} over units and samples): a "
        f"sigmoid passes a quarter of the gradient at most. After {vitals.step} of "
        f"{vitals.planned_steps:.0f} steps the loss is only {vitals.gain:.0%} below that of the "
        "best constant prediction, and is falling as fast as ever."
    )
    figures = {"variance": first, "gain": vitals.gain}
    return Finding("warning", evidence, figures, _remedies(), sites[0], reports=3)
