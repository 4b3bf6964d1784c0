"""BatchNorm whose statistics are of too few values, or not those of the batches in evaluation."""

import math
from itertools import pairwise

from ....remedy import Remedy
from ...rounding import in_two_digits
from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.vitals import Vitals

_TOO_FEW_VALUES = 3

# Between running statistics and a batch's own.
_MIN_GAP_OF_MOMENTS = 1.0
_MIN_GAP_OF_MOMENTS_OF_ONE = 0.3  # In batches of one.
_MIN_GAP_OF_SLOW_MOMENTS = 0.3

_MAX_SHARE_LEFT_AT_ARRIVAL = 0.02
_MIN_SHARE_LEFT_IN_THE_END = 0.2
_MIN_MOMENTUM_OF_LAST_BATCH = 0.8
_MIN_BATCHES_OF_TRAINING = 50

# Of the validation loss to the training loss.
_MIN_RATIO_TO_TRAINING = 3.0
_MIN_RATIO_IF_VALIDATION_PAYS = 1.5
_MIN_RATIO_OF_SWINGS = 2.0  # Of a check to the one before.
_RECENT_CHECKS = 2
_CHECKS_TO_COMPARE = 5


def find_tiny_batches(vitals: Vitals) -> Finding | None:
    """Find batches too small for meaningful statistics."""
    fewest, most = vitals.fewest_norm_values, vitals.most_norm_values
    figures = {"values": fewest}
    if fewest < 2:
        evidence = "BatchNorm gets a batch of one, which has no variance."
        return Finding("critical", evidence, figures, norm_remedies(), reports=1)
    if most > _TOO_FEW_VALUES or vitals.gain > Gain.GOOD:
        return None
    evidence = (
        f"BatchNorm normalises over {most:.0f} values: any two of them become 1 and -1, and "
        "evaluation uses other statistics."
    )
    return Finding("warning", evidence, figures, norm_remedies(), is_root=True)


def find_norms_in_evaluation_mode(vitals: Vitals) -> Finding | None:
    """Find BatchNorm layers in evaluation mode from the start, with their initial statistics."""
    names = vitals.norms_in_evaluation_mode
    if not names or not vitals.had_a_chance or vitals.gain > Gain.GOOD:
        return None
    others = f" and {len(names) - 1} more BatchNorm layers are" if len(names) > 1 else " is"
    evidence = (
        f"{names[0]}{others} in evaluation mode during training, with initial statistics: inputs "
        "are assumed to have mean 0 and variance 1."
    )
    remedies = (
        Remedy("Remove `eval()` before training, or undo it.", "model.train()"),
        Remedy("Load pretrained running statistics along with the weights."),
    )
    figures = {"layers": float(len(names))}
    return Finding("warning", evidence, figures, remedies, names[0], is_root=True)


def will_converge(vitals: Vitals) -> bool:
    """Whether running statistics with a small momentum have yet to converge, and will in time.

    Keras' momentum of 0.99 is 0.01 here: a third of the initial value is left after 100 batches.
    """
    slowest = min(vitals.norm_momenta.values(), default=1.0)
    now, in_the_end = ((1 - slowest) ** n for n in (len(vitals.losses), _batches(vitals)))
    return bool(in_the_end < _MAX_SHARE_LEFT_AT_ARRIVAL < now)


def find_slow_statistics(vitals: Vitals) -> Finding | None:
    """Find running statistics that will not reach those of the batches by the end of training."""
    batches = _batches(vitals)
    if not _MIN_BATCHES_OF_TRAINING <= batches < math.inf or vitals.step < vitals.planned_steps / 2:
        return None
    left = {
        name: (1 - momentum) ** batches
        for name, momentum in vitals.norm_momenta.items()
        if vitals.statistics_gap.get(name, 0.0) > _MIN_GAP_OF_SLOW_MOMENTS
    }
    layer = max(left, key=left.__getitem__, default="")
    if not left or left[layer] < _MIN_SHARE_LEFT_IN_THE_END:
        return None
    momentum, gap = vitals.norm_momenta[layer], vitals.statistics_gap[layer]
    evidence = (
        f"{layer} takes {momentum:.1g} of its running statistics from each batch: after all "
        f"{batches:.0f}, {left[layer]:.0%} of them will still be the initial values. They are "
        f"{in_two_digits(gap)} from a batch's own (means in standard deviations, or the logarithm "
        "of the ratio of standard deviations)."
    )
    figures = {"left": left[layer], "gap": gap}
    advice = (
        Remedy("Use a momentum of 0.1 (0.9 in Keras).", "momentum=0.1"),
        *norm_remedies()[:2],
    )
    return Finding("warning", evidence, figures, advice, layer)


def _batches(vitals: Vitals) -> float:
    """Return the number of batches of the whole training run; infinite if unknown."""
    return vitals.planned_steps * max(1.0, len(vitals.losses) / max(1, vitals.step))


def find_hasty_statistics(vitals: Vitals) -> Finding | None:
    """Find running statistics of the last batch alone, as from a momentum in Keras' convention."""
    recent = vitals.checked_losses[-_CHECKS_TO_COMPARE:]
    hasty = [
        name for name, share in vitals.norm_momenta.items() if share > _MIN_MOMENTUM_OF_LAST_BATCH
    ]
    if not hasty or len(recent) <= _RECENT_CHECKS:
        return None
    pays = [check > _MIN_RATIO_IF_VALIDATION_PAYS * loss > 0 for check, loss in recent]
    # The statistics of a single batch may happen to suffice.
    often = all(pays[-_RECENT_CHECKS:]) or 2 * sum(pays) > len(pays)
    if not often and not _swings(vitals):
        return None
    share, (check, loss) = vitals.norm_momenta[hasty[0]], recent[-1]
    evidence = (
        f"{hasty[0]} takes {share:.2g} of its running statistics from each batch: evaluation uses "
        f"those of the last one. The validation loss is {check:.4g} and the training loss "
        f"{loss:.4g}."
    )
    advice = (Remedy("Use a momentum of 0.1 (0.9 in Keras).", "momentum=0.1"),)
    figures = {"momentum": share}
    return Finding("warning", evidence, figures, advice, hasty[0], reports=1, is_root=True)


def _swings(vitals: Vitals) -> bool:
    """Whether the validation loss doubled from one check to the next, and only that rose."""
    checks = vitals.validation_losses[-_CHECKS_TO_COMPARE:]
    doubled = any(after > _MIN_RATIO_OF_SWINGS * before for before, after in pairwise(checks))
    return doubled and not vitals.is_rising


def find_stale_statistics(vitals: Vitals) -> Finding | None:
    """Find running statistics far from a batch's own, with a validation loss far too high."""
    recent = vitals.checked_losses[-_RECENT_CHECKS:]
    if not vitals.statistics_gap or len(recent) < _RECENT_CHECKS:
        return None
    layer = max(vitals.statistics_gap, key=vitals.statistics_gap.__getitem__)
    gap = vitals.statistics_gap[layer]
    ratios = [check / loss if loss > 0 else 0.0 for check, loss in recent]
    # In batches of one, the last check and a smaller gap are enough.
    of_one = vitals.batch_size == 1 and gap > _MIN_GAP_OF_MOMENTS_OF_ONE
    worse = ratios[-1] if of_one and ratios[-1] > _MIN_RATIO_TO_TRAINING else min(ratios)
    if not (of_one or gap >= _MIN_GAP_OF_MOMENTS) or not worse >= _MIN_RATIO_TO_TRAINING:
        return None
    evidence = (
        f"The running statistics of {layer} are {in_two_digits(gap)} from a batch's own (means in "
        "standard deviations, or the logarithm of the ratio of standard deviations), and the "
        f"validation loss is {worse:.1f} times the training loss."
    )
    figures = {"gap": gap, "ratio": worse}
    reports = 2 if vitals.evaluates_late else 1
    return Finding("warning", evidence, figures, norm_remedies(), layer, reports=reports)


def norm_remedies() -> tuple[Remedy, ...]:
    """Return what helps where BatchNorm's statistics are unreliable."""
    return (
        Remedy("Use batches of 16 or more.", "batch_size=32"),
        Remedy("Normalise each sample separately, as a whole or in groups.", 'norm="layer"'),
        Remedy(
            "Let the running statistics follow faster.", "nn.BatchNorm2d(channels, momentum=0.1)"
        ),
    )
