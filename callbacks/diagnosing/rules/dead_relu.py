"""ReLU units that no input activates.

A unit is dead if no input made it positive (Lu et al. 2019) in any batch of a short window, or in
fifty or more of a long one; ordinary sparsity, the source of most false alarms of other tools, does
not count. Over half of a layer (SageMaker Debugger) costs capacity where training goes badly; a
layer that is entirely dead cuts the network in two, and one that was so before the first step is
the cause of all else. Where training goes well it is only worth knowing, as is a part of a layer
where nothing at all is learned.
"""

import math

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.vitals import Vitals

_MAX_SHARE_DEAD = 0.5  # SageMaker Debugger.
_MIN_SHARE_OF_UNITS_LEFT = 0.2
_MAX_GAIN_OF_NOTHING_LEARNED = 0.05
_SHARE_OF_ALMOST_ALL_UNITS = 0.9
_MIN_FALL_IF_CUT = 0.1


def examine(vitals: Vitals) -> Finding | None:
    """Find dead outputs, or the layer with the largest share of dead units above a half."""
    if vitals.mute_outputs:
        return _of_outputs(vitals)
    dead = {site: share for site, share in vitals.dead.last.items() if share > _MAX_SHARE_DEAD}
    if not dead:
        return None
    # The first layer that is entirely dead makes later ones dead, too.
    site = max(dead, key=dead.__getitem__)
    share, total = dead[site], len(vitals.dead.last)
    evidence = f"{share:.0%} of the units of {site} are dead: no observed input activates them."
    if len(dead) > 1:
        evidence += f" More than half are dead in {len(dead)} of {total} layers."
    # With a fifth of its units left, a network learns something: what prevents that also silences
    # units.
    left = math.prod(1 - share for share in dead.values())
    idle = left > _MIN_SHARE_OF_UNITS_LEFT and abs(vitals.gain) < _MAX_GAIN_OF_NOTHING_LEARNED
    severity = "info" if idle else _severity(vitals, share)
    figures = {"dead_share": share, "layers": float(len(dead))}
    is_root = share == 1.0 and _was_cut_at_first(vitals)
    return Finding(severity, evidence, figures, _remedies(vitals), site, is_root=is_root)


def _was_cut_at_first(vitals: Vitals) -> bool:
    """Whether the first layer got no gradient before the first step, despite random weights."""
    first = vitals.first_gradient_profile[:1]
    return first == [0.0] and not any(layer.identical_units for layer in vitals.layers)


def _is_cut(vitals: Vitals) -> bool:
    """Whether most of the layers get no gradient at all."""
    sizes = vitals.gradient_profile.values()
    return 2 * sum(size == 0 for size in sizes) > len(sizes) > 1


def _of_outputs(vitals: Vitals) -> Finding:
    """Report dead outputs, of which each one counts."""
    mute, outputs = vitals.mute_outputs, len(vitals.target_means)
    site = next(reversed(vitals.dead.last), None)
    evidence = (
        f"{mute} of {outputs} outputs are 0 for every observed input although their targets are "
        "not: behind a ReLU they no longer get a gradient."
    )
    remedies = (
        Remedy("Remove the ReLU at the output.", "nn.Identity()"),
        Remedy("Or use an activation that is never flat.", "nn.Softplus()"),
    )
    figures = {"outputs": float(mute)}
    return Finding("warning", evidence, figures, remedies, site)


def _severity(vitals: Vitals, share: float) -> Severity:
    good = Gain.VERY_GOOD if share > _SHARE_OF_ALMOST_ALL_UNITS else Gain.GOOD
    known = not math.isnan(vitals.gain) and vitals.one_loss
    learns = vitals.gain > good if known else vitals.is_well
    # With no constant prediction to compare with, a fall may be due to the last layer alone; with
    # one, the loss may have been below it from the start, as that of a network which corrects its
    # input.
    tells = vitals.objective.constant_loss > 0 and vitals.learned > _MIN_FALL_IF_CUT
    learns &= tells or not (share == 1.0 and _is_cut(vitals))
    # The rest of a layer may suffice, as long as the loss falls with it.
    half_way = vitals.step > vitals.planned_steps / 2
    learns |= share < 1.0 and vitals.has_learned and vitals.is_falling and not half_way
    learns |= share < 1.0 and vitals.has_learned_to_contrast
    if learns or not (vitals.had_a_long_chance if vitals.has_learned else vitals.had_a_chance):
        return "info"
    return "critical" if share == 1.0 and not vitals.has_learned else "warning"


def _remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    return (
        Remedy(
            "Use an activation that passes gradients for negative inputs, too.",
            'activation="leaky_relu"',
        ),
        Remedy("Lower the learning rate.", vitals.rate_as_code(0.1)),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Use an initialisation that suits ReLU.", 'init="kaiming_normal"'),
    )
