"""A validation loss far above the training loss before anything can be memorised."""

import math

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .batch_norms import norm_remedies

_MIN_RATIO_TO_TRAINING_EARLY = 2.0
_TOO_FEW_CHECKS_WITH_NORM = 3
_CHECKS_TO_KNOW_UNITS = 6
_MAX_EPOCHS_OF_EARLY_CHECKS = 2
_MIN_SHARE_OF_SCALE = 0.3
_MAX_RATIO_OF_STEP_DOWN = 0.7


def find_early_gap(vitals: Vitals) -> Finding | None:
    """Find a validation loss far above the training loss before anything can be memorised."""
    pairs = vitals.checked_losses
    if len(pairs) < 3 or vitals.is_imbalanced or vitals.evaluates_late:
        return None
    if max(vitals.validation_epochs[:3], default=math.inf) > _MAX_EPOCHS_OF_EARLY_CHECKS:
        return None
    # With BatchNorm, single validations may be far off in an otherwise healthy run.
    has_norm = math.isfinite(vitals.fewest_norm_values)
    if has_norm and len(pairs) <= _TOO_FEW_CHECKS_WITH_NORM:
        return None
    early = pairs[1:] if has_norm else [*pairs[1:3], pairs[-1]]
    ratio = min(check / loss if loss > 0 else 0.0 for check, loss in early)
    worse = ratio / _most_by_batch_size(vitals)
    poor = min(check for check, _ in early) >= _MIN_SHARE_OF_SCALE * vitals.scale
    if not (worse >= _MIN_RATIO_TO_TRAINING_EARLY and poor and vitals.has_learned):
        return None
    if _memorized_the_first_epoch(vitals) or _may_be_of_other_units(vitals):
        return None
    check, loss = pairs[1]
    evidence = (
        f"The validation loss was {check:.4g} at its second check and the training loss "
        f"{loss:.4g}, too early for memorisation: in evaluation the network gets other "
        "inputs, or is a different network."
    )
    advice = (
        Remedy("Do in `forward` what only `training_step` does to its inputs."),
        Remedy("Use nn.Dropout: a hand-written dropout must rescale what it keeps.", "dropout=0.3"),
        *norm_remedies(),
    )
    figures = {"ratio": worse}
    return Finding("warning", evidence, figures, advice, reports=1)


def _may_be_of_other_units(vitals: Vitals) -> bool:
    """Whether validation falls in step with training, so that their units may differ.

    Without a baseline, several checks must tell that it does not.
    """
    if vitals.falls_along:
        return True
    few = len(vitals.validation_losses) < _CHECKS_TO_KNOW_UNITS
    return few and not vitals.objective.constant_loss > 0


def _most_by_batch_size(vitals: Vitals) -> float:
    """Return the ratio of validation to training loss that sums over a batch may explain."""
    is_known = vitals.objective.kind is not None or not vitals.batch_size
    return 1.0 if is_known else max(1.0, vitals.validation_batch_size / vitals.batch_size)


def _memorized_the_first_epoch(vitals: Vitals) -> bool:
    """Whether the loss dropped as the second epoch began: samples seen once were memorised."""
    if not math.isfinite(vitals.batches_per_epoch):
        return False
    n = int(vitals.batches_per_epoch)
    k = max(3, n // 5)
    windows = [vitals.losses[max(0, start) : start + k] for start in (n - 2 * k, n - k, n)]
    if not all(len(window) == k for window in windows):
        return False
    before, end, start = (sum(window) / k for window in windows)
    # It must drop by more than it was already falling.
    return start * max(before, end) < _MAX_RATIO_OF_STEP_DOWN * end * end
