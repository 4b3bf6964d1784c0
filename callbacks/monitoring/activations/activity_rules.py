"""Which activations are watched for dead units, and above which output a unit is active."""

from collections.abc import Iterable, Mapping, Sequence

from ....functional.arguments import number, text
from ....functional.dead_units import ACTIVITY_RULES, ActivityRule
from .activation_kinds import ACTIVATION_MODULES


def choose_rules(activations: Sequence[str] | Mapping[str, float]) -> dict[str, ActivityRule]:
    """Activity rule of each activation, from names or from thresholds by name.

    Args:
        activations: Names, or thresholds by name, as given by the user.

    Raises:
        TypeError: If it is a single string or not a collection of names, or a threshold is not a
            number.
        ValueError: If it is empty, if an activation is unknown or has no default threshold and none
            is given, or if a threshold is NaN, or negative for a magnitude.
    """
    if isinstance(activations, str) or not isinstance(activations, Iterable):
        fix = f": write [{activations!r}]" if isinstance(activations, str) else ""
        raise TypeError(
            f"Expected `activations` to be a list or a mapping, but got {activations!r}{fix}."
        )
    if not isinstance(activations, Mapping):
        activations = list(activations)
    if not activations:
        raise ValueError(f"Expected `activations` to name at least one, but got {activations!r}.")
    if isinstance(activations, Mapping):
        _check_names(activations, ACTIVATION_MODULES)
        return {name: _rule(name, threshold) for name, threshold in activations.items()}
    _check_names(activations, ACTIVITY_RULES)
    return {name: ACTIVITY_RULES[name] for name in activations}


def _rule(name: str, threshold: float) -> ActivityRule:
    known = ACTIVITY_RULES.get(name)
    magnitude = known is not None and known.magnitude
    least = 0 if magnitude else None
    return ActivityRule(float(number(f"activations[{name!r}]", threshold, least=least)), magnitude)


def _check_names(names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if text("activations", name) not in allowed:
            fix = f": give its threshold, as in {{{name!r}: 0.0}}" * (name in ACTIVATION_MODULES)
            raise ValueError(
                f"Expected `activations` to be among {list(allowed)}, but got {name!r}{fix}."
            )
