"""Which signs of wrong labels are looked for, and in which order."""

from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .constant import find_constant
from .harder_targets import find_harder_targets, find_moved_masks
from .memorized import find_accuracy_at_chance, find_memorized
from .suspicion import suspect_labels
from .wrong_share import find_wrong_share


def examine(vitals: Vitals) -> Finding | None:
    """Find a network that does not generalise at all, or that stays at the constant baseline."""
    if vitals.objective.ascends:
        return suspect_labels(
            vitals,
            "The loss is maximised: its sign is flipped on the way to the step.",
            "Return the loss itself, not its negative.",
            reports=1,
            is_root=True,
        )
    if vitals.objective.of_inputs:
        return None
    if vitals.overfits_on_purpose:
        return find_constant(vitals)  # Nothing is meant to generalise.
    found = find_memorized(vitals) or find_accuracy_at_chance(vitals) or find_constant(vitals)
    found = found or find_wrong_share(vitals) or find_harder_targets(vitals)
    return found or find_moved_masks(vitals)
