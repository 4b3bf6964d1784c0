"""Units whose outputs are negligible beside the others of their layer (Sokar et al. 2023).

With any activation; the share is worth knowing where it grows, or where hardly a unit is left. Also
units that no gradient ever reaches, as with top-k selection or a mixture of experts, and custom
units that hardly respond to any input, as radial basis functions far from their centres.
"""

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.vitals import Vitals

_MAX_SHARE_OF_UNITS = 0.5  # That are dormant, dead or idle.
_SHARE_OF_ALMOST_ALL_UNITS = 0.9
_MIN_GROWTH_OF_SHARE = 0.2
_RECENT_REPORTS = 5


def examine(vitals: Vitals) -> Finding | None:
    """Find a layer whose units are all silent or faint, mostly or increasingly dormant, or idle."""
    return _silent(vitals) or _faint(vitals) or _dormant(vitals) or _idle(vitals)


def _silent(vitals: Vitals) -> Finding | None:
    """Find a layer all of whose units have output 0 so far, such as a GELU far below 0."""
    if not vitals.silent or vitals.has_learned or not vitals.had_a_chance:
        return None
    site = vitals.silent[0]
    evidence = f"No unit of {site} has ever had an output other than 0, which passes no gradient."
    remedies = (
        Remedy(
            "Start with active units: biases of 0, and weights that suit the activation.",
            'init="auto"',
        ),
        Remedy("Normalise the layer's input.", 'norm="batch"'),
    )
    figures = {"dormant_share": 1.0}
    return Finding("critical", evidence, figures, remedies, site, is_root=True)


def _faint(vitals: Vitals) -> Finding | None:
    """Find custom units that hardly respond to any input, where nothing is learned."""
    name = vitals.faint_units
    if not name or vitals.has_learned or not vitals.had_a_chance:
        return None
    rms = vitals.custom_units[name]
    evidence = (
        f"The units of {name} hardly respond to any input: the root mean square of their outputs "
        f"is {rms:.1e}."
    )
    remedies = (
        Remedy("Widen the units, or place their centres on training samples."),
        Remedy("Normalise their outputs, so that they sum to 1 for each sample."),
    )
    figures = {"rms": rms}
    return Finding("critical", evidence, figures, remedies, name, is_root=True)


def _dormant(vitals: Vitals) -> Finding | None:
    record = vitals.dormant
    if len(record.steps) < _RECENT_REPORTS:
        return None
    grown, few = {}, False
    for site, shares in record.history.items():
        known = [share for share in shares if share == share]
        grows = (
            known
            and known[-1] > _MAX_SHARE_OF_UNITS
            and known[-1] - known[0] > _MIN_GROWTH_OF_SHARE
        )
        lone = known and min(known[-_RECENT_REPORTS:]) > _SHARE_OF_ALMOST_ALL_UNITS
        if grows or lone:
            grown[site], few = (known[0], known[-1]), few or bool(lone)
    if not grown:
        return None
    site, (first, last) = max(grown.items(), key=lambda item: item[1][1])
    # Without a known loss, nothing shows that it does harm.
    learns = vitals.is_well or vitals.has_learned_to_contrast
    suffers = bool(vitals.losses) and not learns
    pays = suffers or (few and vitals.gain < Gain.GOOD)
    # Units that recover did no harm: large first steps make many dormant for a while.
    severity: Severity = "warning" if pays and vitals.had_a_long_chance else "info"
    grew = last - first > _MIN_GROWTH_OF_SHARE
    before = f", up from {first:.0%} at first" if grew else f" ({first:.0%} at first)"
    evidence = f"{last:.0%} of the units of {site} are dormant{before}."
    is_penalized = vitals.has_other_terms and not vitals.has_data_loss_alone
    decays = vitals.weight_decay > 0 or is_penalized
    less = Remedy("Reduce L1 or weight decay, which drive units to 0.", "l1=0.0, l2=0.0")
    remedies = (
        Remedy("Lower the learning rate.", vitals.rate_as_code(0.1)),
        Remedy(
            "Use an activation that passes gradients for negative inputs, too.",
            'activation="leaky_relu"',
        ),
        *([less] if decays else []),
    )
    figures = {"dormant_share": last, "first_share": first}
    return Finding(severity, evidence, figures, remedies, site)


def _idle(vitals: Vitals) -> Finding | None:
    """Find the layer with most units that are never selected; dead ReLUs are another matter."""
    shut = any(share > _MAX_SHARE_OF_UNITS for share in vitals.dead.last.values())
    trained = [layer for layer in vitals.layers if layer.trained]
    # Some answers are seldom asked for, or never used, as N-BEATS' last backcast.
    hidden = [layer for layer in trained[:-1] if not layer.is_last]
    layers = [layer for layer in hidden if _MAX_SHARE_OF_UNITS < layer.idle_share < 1]
    if shut or not layers or not vitals.had_a_long_chance:
        return None
    worst = max(layers, key=lambda layer: layer.idle_share)
    severity: Severity = "info" if vitals.gain > Gain.HARMLESS else "warning"
    evidence = f"{worst.idle_share:.0%} of the units of {worst.name} never got a gradient."
    remedies = (
        Remedy(
            "Start with biases of 0, so that no unit has a head start.",
            "nn.init.zeros_(layer.bias)",
        ),
        Remedy("Add a load-balancing term to the loss, or make the selection random."),
    )
    figures = {"idle_share": worst.idle_share}
    return Finding(severity, evidence, figures, remedies, worst.name)
