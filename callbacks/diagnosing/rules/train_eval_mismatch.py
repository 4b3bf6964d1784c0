"""A network that is another one in evaluation than in training.

BatchNorm takes the batch's own moments in training and running ones in evaluation. Where batches
are tiny, or the running moments are stale, the two disagree. A batch of one has no moments.
"""

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_GAP, _CHECKS, _WORSE = 1.0, 2, 3.0


def examine(vitals: Vitals) -> list[Symptom]:
    """Find running moments that are not those of the batches, where validation pays for it."""
    remedies = (
        Remedy("Take batches of 16 or more.", "batch_size=32"),
        Remedy("Normalise each sample by itself.", 'norm="layer", or norm="group"'),
        Remedy("Let the running moments follow faster.", "nn.BatchNorm2d(channels, momentum=0.1)"),
    )
    if vitals.smallest_batch < 2:
        evidence = "A batch of one reaches BatchNorm, which has no variance of it."
        figures = {"batch_size": vitals.smallest_batch}
        return [
            Symptom(Problem.TRAIN_EVAL_MISMATCH, "critical", evidence, figures, remedies, reports=1)
        ]
    checks, training = vitals.validation_losses[-_CHECKS:], vitals.training_epoch_losses[-_CHECKS:]
    if not vitals.statistics_gap or len(checks) < _CHECKS or len(training) != len(checks):
        return []
    layer = max(vitals.statistics_gap, key=vitals.statistics_gap.__getitem__)
    gap = vitals.statistics_gap[layer]
    worse = min(v / t for t, v in zip(training, checks, strict=True)) if min(training) > 0 else 0.0
    if gap < _GAP or worse < _WORSE:
        return []
    evidence = (
        f"The running means of {layer} are {gap:.2g} standard deviations from the batches' own, "
        f"and the validation loss is {worse:.1f} times that of training."
    )
    figures = {"gap": gap, "ratio": worse}
    return [Symptom(Problem.TRAIN_EVAL_MISMATCH, "warning", evidence, figures, remedies, layer)]
