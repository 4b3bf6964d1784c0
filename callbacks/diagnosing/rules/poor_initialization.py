"""Initial weights with which signals do not keep their scale.

The first loss is far above that of a constant prediction (cs231n: expect ln C at the start), the
variance changes by orders of magnitude across the activations (SageMaker Debugger: 10), recurrent
weights amplify a state at every time step, or the first predictions of a regression spread a
thousand times as wide as its targets. Or, where nothing else shows it, most weights were
initialised several times as large as by any usual scheme, or a few hundredths as large.
"""

import math
import statistics

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding, worst
from ..vital_signs.levels import Gain
from ..vital_signs.signs import share_of
from ..vital_signs.vitals import LOUD, Vitals

_MIN_RATIO_OF_VARIANCES = 1e4
_MIN_RATIO_OF_VARIANCES_IF_WIDE = 1e2
_MIN_RECURRENT_GAIN = 3.0
_MIN_HARMLESS_LITTLE_GAIN = 0.02
_EXTREME_DROPOUT = 0.8
_RECENT_LOOKS = 3

# Of the range of the first predictions to that of the targets.
_MIN_RATIO_OF_RANGES = 3.0
_MIN_RATIO_IF_LOUD = 10.0
_ABSURD_RATIO_OF_RANGES = 1e3


def examine(vitals: Vitals) -> Finding | None:
    """Find a first loss or predictions of a badly scaled output, or signals that fade or grow."""
    first = _first_loss(vitals) or _first_values(vitals) or _absurd(vitals)
    later = (_faint(vitals), _misinitialized(vitals), _recurrent(vitals), _signals(vitals))
    return worst([first, *later])


def _remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("Use an initialisation that suits the activation.", 'init="auto"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
    )


def _first_loss(vitals: Vitals) -> Finding | None:
    if not vitals.starts_far or vitals.dropout >= _EXTREME_DROPOUT:
        return None  # Such a dropout amplifies what it lets through.
    objective, first = vitals.objective, vitals.first_data_loss
    usual = objective.usual_loss
    # A network that was trained for something else begins with confident errors.
    little = objective.task == "binary" or vitals.adapts
    good = _MIN_HARMLESS_LITTLE_GAIN if little else Gain.HARMLESS
    waits = vitals.is_falling and not vitals.had_a_long_chance
    # Labels that are weighted have no known baseline to gain on.
    is_back = vitals.recent_data_loss < usual
    lasts = vitals.had_a_chance and not waits and not (vitals.gain > good and is_back)
    broke = not all(math.isfinite(loss) for loss in vitals.losses[-5:])
    severity: Severity = "warning" if lasts or broke else "info"
    evidence = (
        f"The first loss is {first:.4g}; an untrained network should have about {usual:.3g}, "
        f"{'ln 2 per label' if objective.task == 'binary' else 'ln C for C classes'}."
    )
    if severity == "warning" and vitals.recent_data_loss > usual:
        evidence += f" After {vitals.step} steps it is still {vitals.recent_data_loss:.4g}."
    figures = {"first_loss": first, "expected_loss": usual}
    return Finding(severity, evidence, figures, _remedies(), reports=1, is_root=True)


def _first_values(vitals: Vitals) -> Finding | None:
    """Find first predictions of a regression that spread far wider than its targets."""
    (low, high), ranges = vitals.objective.target_range, vitals.prediction_ranges
    if vitals.objective.task != "regression" or not ranges or not vitals.had_a_long_chance:
        return None
    if vitals.dropout >= _EXTREME_DROPOUT:
        return None  # It amplifies what it lets through.
    # Worse than the best constant prediction, or as wide as before, means not recovered yet.
    wide, very_wide = (n * (high - low) for n in (_MIN_RATIO_OF_RANGES, _MIN_RATIO_IF_LOUD))
    is_loud = any(layer.weight_gain > LOUD for layer in vitals.layers) or _grow(vitals)
    least = Gain.GOOD if is_loud and ranges[0] > very_wide else 0.0
    gain = min(vitals.gain, vitals.validated_gain)
    if not ranges[0] > wide > 0 or not (gain < least or min(ranges[-_RECENT_LOOKS:]) > wide):
        return None
    after = "still above" if gain < 0 else f"{max(0.0, gain):.0%} below"
    which = "validation loss" if gain < vitals.gain else "loss"
    evidence = (
        f"The first predictions spread over {ranges[0]:.3g} and the targets over "
        f"{high - low:.3g}, and after {vitals.step} steps the {which} is {after} that of the best "
        "constant prediction."
    )
    figures = {"first_range": ranges[0], "target_range": high - low}
    return Finding("warning", evidence, figures, _remedies(), is_root=True)


def _grow(vitals: Vitals) -> bool:
    """Whether signals grew tenfold through the network before the first step."""
    first = [variances[0] for variances in vitals.variances.history.values() if variances]
    return len(first) > 1 and first[-1] > _MIN_RATIO_OF_VARIANCES_IF_WIDE * first[0] > 0


def _absurd(vitals: Vitals) -> Finding | None:
    """Find first predictions of a regression too wide for signals that keep their scale."""
    (low, high), ranges = vitals.objective.target_range, vitals.prediction_ranges
    if vitals.objective.task != "regression" or not ranges or vitals.has_raw_inputs:
        return None
    if not ranges[0] > _ABSURD_RATIO_OF_RANGES * max(1.0, high - low):
        return None
    evidence = (
        f"The first predictions spread over {ranges[0]:.3g}, for inputs of usual size, and the "
        f"targets over {high - low:.3g}: signals grow on their way through the network."
    )
    figures = {"first_range": ranges[0], "target_range": high - low}
    severity: Severity = "info" if vitals.gain > Gain.HARMLESS else "warning"
    return Finding(severity, evidence, figures, _remedies(), reports=1, is_root=True)


def _faint(vitals: Vitals) -> Finding | None:
    """Find inputs that parameters before the first layer scale down to almost nothing."""
    inputs = vitals.inputs
    if inputs.is_data or vitals.faint_units or not vitals.has_faint_inputs:
        return None
    if vitals.gain > Gain.HARDLY_ANY or not vitals.had_a_long_chance:
        return None
    evidence = (
        f"The input of {inputs.layer} has a root mean square of {inputs.rms:.1e}, and half of its "
        f"features a standard deviation of {inputs.usual_std:.1e} or less: the parameters before "
        "it let hardly any signal through."
    )
    remedies = (
        Remedy("Spread centres and widths over the range of the data."),
        Remedy(
            "Initialise embeddings with a standard deviation near 1.",
            "nn.init.normal_(table.weight)",
        ),
    )
    figures = {"rms": inputs.rms}
    return Finding("warning", evidence, figures, remedies, inputs.layer, is_root=True)


def _misinitialized(vitals: Vitals) -> Finding | None:
    """Find initial weights that shrink a signal to hardly anything, or amplify it many times."""
    off = vitals.misinitialized
    # Where no gradient passes through them either, there is no need to wait.
    waited = vitals.had_a_chance if vitals.vanished_from_the_start else vitals.had_a_long_chance
    if not off or not waited or not vitals.gain <= Gain.GOOD:
        return None
    share = share_of(off, [layer for layer in vitals.layers if layer.ran])
    gain = statistics.median(layer.weight_gain for layer in off)
    evidence = (
        f"{share:.0%} of the weights were initialised so {'small' if gain < 1 else 'large'} that "
        f"a layer scales its signal by {gain:.1g}, first {off[0].name}."
    )
    figures = {"share": share, "weight_gain": gain}
    layer, is_root = off[0].name, vitals.vanished_from_the_start or gain > 1
    return Finding("warning", evidence, figures, _remedies(), layer, reports=1, is_root=is_root)


def _recurrent(vitals: Vitals) -> Finding | None:
    """Find recurrent weights that amplify states at each time step, until gates saturate."""
    gain = vitals.recurrent_gain
    if not gain > _MIN_RECURRENT_GAIN or vitals.gain > Gain.HARMLESS:
        return None
    evidence = (
        f"Before the first step, recurrent weights multiply the state by about {gain:.2g} at each "
        "time step; torch's default gives 0.58, and orthogonal weights preserve it."
    )
    remedies = (
        Remedy(
            "Initialise the recurrent weights orthogonally.",
            "nn.init.orthogonal_(lstm.weight_hh_l0)",
        ),
        *_remedies()[:1],
    )
    figures = {"recurrent_gain": gain}
    return Finding("warning", evidence, figures, remedies, reports=1)


def _signals(vitals: Vitals) -> Finding | None:
    history = {s: v[0] for s, v in vitals.variances.history.items() if v and v[0] > 0}
    if len(history) < 3 or vitals.has_learned or not vitals.had_a_long_chance:
        return None
    if math.isnan(vitals.gain):
        return None
    sites = list(history)
    ratio = history[sites[0]] / history[sites[-1]]
    if 1 / _MIN_RATIO_OF_VARIANCES < ratio < _MIN_RATIO_OF_VARIANCES:
        return None
    verb = "fade" if ratio > 1 else "grow"
    evidence = (
        f"Signals {verb} through the network: the variance is {history[sites[0]]:.2g} at "
        f"{sites[0]} and {history[sites[-1]]:.2g} at {sites[-1]}."
    )
    figures = {"variance_ratio": ratio}
    return Finding("warning", evidence, figures, _remedies(), sites[-1])
