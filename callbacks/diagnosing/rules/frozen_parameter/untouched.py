"""A run in which no weight moves: no steps, no gradients, or none left at the step."""

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.vitals import Vitals

_BATCHES_TO_TELL_LOSSES_APART = 20
_LARGE_SHARE_OF_DEAD_UNITS = 0.5


def find_untouched(vitals: Vitals) -> Finding | None:
    """Find a run in which no weight has moved."""
    if not vitals.untouched:
        return None
    if vitals.steps_are_made and vitals.has_gradients:
        if not _are_cleared(vitals):
            return None  # The steps are too small to change a weight.
        why = "all gradients are 0 whenever the optimiser makes a step"
        remedy = Remedy(
            "Zero the gradients before the backward pass, not between it and the step.",
            "optimizer.zero_grad(); loss.backward(); optimizer.step()",
        )
    elif vitals.steps_are_made:
        why = "the optimiser makes its steps, but no loss was differentiated"
        remedy = Remedy("Return the loss from `training_step`.", "return loss")
    else:
        why = "no optimiser has made a step"
        remedy = Remedy(
            "With `automatic_optimization = False`, `training_step` has to make the steps.",
            "optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
        )
    evidence = f"No weight has changed in {vitals.untouched} batches: {why}."
    figures = {"batches": float(vitals.untouched)}
    return Finding("critical", evidence, figures, (remedy,), reports=1, is_root=True)


def _are_cleared(vitals: Vitals) -> bool:
    """Whether gradients are 0 at each step although the losses must have had some.

    Dead units let none through, and a loss that is always the same has none.
    """
    norms, losses = vitals.total_gradients, vitals.losses[-_BATCHES_TO_TELL_LOSSES_APART:]
    dead = max(vitals.dead.last.values(), default=0.0)
    are_zero = bool(norms) and all(norm == 0 for norm in norms)
    return are_zero and len(set(losses)) > 1 and not dead > _LARGE_SHARE_OF_DEAD_UNITS
