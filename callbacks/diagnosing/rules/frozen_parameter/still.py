"""What an optimiser has and what stays as it was: no gradient, rounded updates, or no call."""

from ....diagnosis import Severity
from ....monitoring.layers import plain_layer
from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.vitals import Vitals
from .left_out import freezing_code

_STEPS_TO_BE_SURE = 50
_NEGLIGIBLE_SHARE_OF_WEIGHTS = 0.01
# By dtype: the `precision` that keeps the parameters in single precision.
_HALF_TYPES = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}


def find_still_parameters(vitals: Vitals) -> Finding | None:
    """Find embeddings and parameters outside of layers that stay at their initial values."""
    layers = {layer.name for layer in vitals.layers}
    others = [name for name in vitals.unmoved if name.rpartition(".")[0] not in layers]
    names = [name for name in others if _never_moved(vitals, name)]
    moves = any(update > 0 for update in vitals.total_updates[-3:])
    if not names or not moves or vitals.step < _STEPS_TO_BE_SURE or not vitals.had_a_chance:
        return None
    if 1.0 in vitals.dead.last.values():
        return None  # A layer whose units are all dead passes no gradient to earlier layers.
    if cut := [name for name in names if name not in vitals.pushed]:
        return _unreached(vitals, cut)
    # In single precision, the cause is steps that are too small for all parameters.
    rounded = [name for name in names if vitals.pushed[name] in _HALF_TYPES]
    return _rounded(vitals, rounded) if rounded else None


def _never_moved(vitals: Vitals, name: str) -> bool:
    """Whether it never moved, rather than stopped as units died or waits for another factor."""
    if "bias" in name.rpartition(".")[2] or name in vitals.waiting:
        return False  # A later layer may cancel a bias.
    # A matrix of a custom module is recorded under its own name.
    own = vitals.updates.of(plain_layer(name))
    owner = plain_layer(name.rpartition(".")[0]) or "root"
    steps = own or vitals.updates.of(owner)
    return not (steps and steps[0] > 0 and steps[-1] == 0)


def _unreached(vitals: Vitals, names: list[str]) -> Finding:
    more = _nor("do", "does", len(names) - 1)
    evidence = f"{names[0]} does not change{more}, although an optimiser has it."
    remedies = (
        Remedy(
            "Check whether the loss depends on it: a comparison, `round`, `argmax` or `detach` "
            "blocks the gradient."
        ),
        Remedy("Or remove it, or freeze it explicitly.", freezing_code("get_parameter", names)),
    )
    share = _share(vitals, names)
    figures = {"parameters": float(len(names)), "share": share}
    return Finding(_severity_of(vitals, share), evidence, figures, remedies, names[0])


def _rounded(vitals: Vitals, names: list[str]) -> Finding:
    """Find parameters with gradients whose steps are below half a unit in the last place.

    An example is a norm's weights, which start at 1: in bfloat16 the next number is 0.4% below.
    Matrices, whose entries are far smaller, move, so that anything else found has other causes.
    """
    kind, share = vitals.pushed[names[0]], _share(vitals, names)
    more = _nor("do", "does", len(names) - 1)
    evidence = (
        f"{names[0]} does not change{more}, although it gets a gradient: its updates are below "
        f"the resolution of {kind}, and are rounded away."
    )
    remedies = (
        Remedy(
            "Keep the parameters in single precision, and compute in half precision.",
            f'Trainer(precision="{_HALF_TYPES[kind]}")',
        ),
        Remedy("Or keep only the normalisation layers in single precision."),
    )
    figures = {"parameters": float(len(names)), "share": share}
    severity = _severity_of(vitals, share)
    return Finding(severity, evidence, figures, remedies, names[0], stands_alone=True)


def _share(vitals: Vitals, names: list[str]) -> float:
    every = sum(vitals.entries.values())
    return sum(vitals.entries.get(name, 0) for name in names) / every if every else 1.0


def _severity_of(vitals: Vitals, share: float) -> Severity:
    """Return ``"info"`` for a negligible share, or where the network learns well.

    A published network may have a token that is of no use here.
    """
    harmless = share < _NEGLIGIBLE_SHARE_OF_WEIGHTS or vitals.gain > Gain.HARMLESS
    return "info" if harmless else "warning"


def find_uncalled(vitals: Vitals) -> Finding | None:
    """Find layers that an optimiser has, but that are never called."""
    idle = [
        layer.name
        for layer in vitals.layers
        if layer.trained and layer.optimized and not layer.ran and not layer.has_gradient
    ]
    if not idle or vitals.step < _STEPS_TO_BE_SURE or not vitals.had_a_long_chance:
        return None
    others = _nor("were", "was", len(idle) - 1)
    evidence = (
        f"{idle[0]} was not called in any observed training batch{others}, and gets no gradient."
    )
    remedies = (Remedy("Call it in `forward`, or remove it."),)
    figures = {"layers": float(len(idle))}
    return Finding("info", evidence, figures, remedies, idle[0])


def _nor(verb: str, singular: str, others: int) -> str:
    """Return words on how many others do not, either; empty for none."""
    if others == 0:
        return ""
    return f", nor {singular} 1 other" if others == 1 else f", nor {verb} {others} others"
