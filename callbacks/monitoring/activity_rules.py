"""Which activations are watched for dead units, and from which output on a unit is active."""

from collections.abc import Iterable, Mapping, Sequence

from ...functional.dead_units import ACTIVITY_RULES, ActivityRule
from .activation_kinds import ACTIVATION_MODULES


def choose_rules(activations: Sequence[str] | Mapping[str, float]) -> dict[str, ActivityRule]:
    """Rules by name, from names or from thresholds by name.

    Args:
        activations: As the user gives them.

    Raises:
        TypeError: If it is one string.
        ValueError: If an activation is not known, or has no rule without a threshold.
    """
    if isinstance(activations, str):
        raise TypeError(
            f"Expected `activations` to be a list or a mapping, but got {activations!r}: "
            f"write [{activations!r}]."
        )
    if isinstance(activations, Mapping):
        _check_names(activations, ACTIVATION_MODULES)
        return {name: _rule(name, threshold) for name, threshold in activations.items()}
    _check_names(activations, ACTIVITY_RULES)
    return {name: ACTIVITY_RULES[name] for name in activations}


def _rule(name: str, threshold: float) -> ActivityRule:
    known = ACTIVITY_RULES.get(name)
    return ActivityRule(float(threshold), known is not None and known.magnitude)


def _check_names(names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if name not in allowed:
            fix = f": give its threshold, as in {{{name!r}: 0.0}}" * (name in ACTIVATION_MODULES)
            raise ValueError(
                f"Expected `activations` to be among {list(allowed)}, but got {name!r}{fix}."
            )
