"""A network that behaves differently in evaluation than in training.

BatchNorm uses the batch's own statistics in training and running statistics in evaluation. Where
batches are tiny or the running statistics are stale, the two disagree. A batch of one has no
variance. Or the inputs themselves are prepared differently.
"""

import math

from ...problem import Problem
from ...remedy import Remedy
from ..rounding import in_two_digits
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

# Between running statistics and a batch's own.
_MIN_GAP_OF_MOMENTS = 1.0
_MIN_GAP_OF_MOMENTS_OF_ONE = 0.3  # In batches of one.
_MIN_GAP_OF_SLOW_MOMENTS = 0.3
_MAX_SHARE_LEFT_AT_ARRIVAL = 0.02
_MIN_SHARE_LEFT_IN_THE_END = 0.2
_MIN_MOMENTUM_OF_LAST_BATCH = 0.8
_MIN_BATCHES_OF_TRAINING = 50
_TOO_FEW_VALUES = 3

# Of the validation loss to the training loss.
_MIN_RATIO_TO_TRAINING = 3.0
_MIN_RATIO_TO_TRAINING_EARLY = 2.0
_MIN_RATIO_IF_VALIDATION_PAYS = 1.5

# Between the inputs in validation and in training: of deviations, and of means in deviations.
_MIN_RATIO_OF_OTHER_INPUTS = 2.5
_MIN_SHIFT_OF_OTHER_INPUTS = 2.0
_MIN_GAP_OF_ACCURACIES = 0.15

_RECENT_CHECKS = 2
_CHECKS_TO_COMPARE = 5
_TOO_FEW_CHECKS_WITH_NORM = 3
_MAX_EPOCHS_OF_EARLY_CHECKS = 2
_GOOD_GAIN = 0.5
_MIN_SHARE_OF_SCALE = 0.3
_MAX_RATIO_OF_STEP_DOWN = 0.7
_MIN_RATIO_OF_A_SUM = 3.0


def examine(vitals: Vitals) -> list[Symptom]:
    """Find BatchNorm statistics, or anything else, that make evaluation differ from training."""
    remedies = (
        Remedy("Use batches of 16 or more.", "batch_size=32"),
        Remedy("Normalise each sample separately, as a whole or in groups.", 'norm="layer"'),
        Remedy(
            "Let the running statistics follow faster.", "nn.BatchNorm2d(channels, momentum=0.1)"
        ),
    )
    found = _too_few(vitals, remedies) or _in_evaluation_mode(vitals) or _slow(vitals, remedies)
    found = found or _last_batch_only(vitals)
    # Sums over batches of different sizes cannot be compared.
    if found or vitals.sum_of > _MIN_RATIO_OF_A_SUM:
        return found
    if sure := _other_inputs(vitals) or _unfed(vitals):
        return sure
    if _will_converge(vitals):
        return []
    return _stale(vitals, remedies) or _apart_early(vitals, remedies)


def _too_few(vitals: Vitals, remedies: tuple[Remedy, ...]) -> list[Symptom]:
    """Find batches too small for meaningful statistics."""
    fewest, most = vitals.fewest_norm_values, vitals.most_norm_values
    figures, problem = {"values": fewest}, Problem.TRAIN_EVAL_MISMATCH
    if fewest < 2:
        evidence = "BatchNorm gets a batch of one, which has no variance."
        return [Symptom(problem, "critical", evidence, figures, remedies, reports=1)]
    if most > _TOO_FEW_VALUES or vitals.gain > _GOOD_GAIN:
        return []
    evidence = (
        f"BatchNorm normalises over {most:.0f} values: any two of them become 1 and -1, and "
        "evaluation uses other statistics."
    )
    return [Symptom(problem, "warning", evidence, figures, remedies, is_root=True)]


def _in_evaluation_mode(vitals: Vitals) -> list[Symptom]:
    """Find BatchNorm layers in evaluation mode from the start, with their initial statistics."""
    names = vitals.norms_in_evaluation_mode
    if not names or not vitals.had_a_chance or vitals.gain > _GOOD_GAIN:
        return []
    others = f" and {len(names) - 1} more BatchNorm layers are" if len(names) > 1 else " is"
    evidence = (
        f"{names[0]}{others} in evaluation mode during training, with initial statistics: inputs "
        "are assumed to have mean 0 and variance 1."
    )
    remedies = (
        Remedy("Remove `eval()` before training, or undo it.", "model.train()"),
        Remedy("Load pretrained running statistics along with the weights."),
    )
    figures, problem = {"layers": float(len(names))}, Problem.TRAIN_EVAL_MISMATCH
    return [Symptom(problem, "warning", evidence, figures, remedies, names[0], is_root=True)]


def _other_inputs(vitals: Vitals) -> list[Symptom]:
    """Find inputs that are scaled or shifted in training alone, or in validation alone."""
    inputs, known = vitals.inputs, vitals.validated_inputs
    if not (known and inputs.is_data and inputs.std > 0):
        return []
    if not all(map(math.isfinite, known)):
        return []  # NaN in the validation data is another problem.
    mean, std = known
    ratio = max(std / inputs.std, inputs.std / std) if std > 0 else math.inf
    shift = abs(mean - inputs.mean) / max(std, inputs.std)
    differs = ratio > _MIN_RATIO_OF_OTHER_INPUTS or shift > _MIN_SHIFT_OF_OTHER_INPUTS
    price = _price(vitals)
    if not (differs and price):
        return []
    evidence = (
        f"The inputs of {inputs.layer} have a mean of {mean:.3g} and a standard deviation of "
        f"{std:.3g} in validation, but of {inputs.mean:.3g} and {inputs.std:.3g} in training. "
        f"{price}."
    )
    remedies = (
        Remedy(
            "Prepare the inputs in `forward`, or alike in both data sets.",
            "x = (x - self.mean) / self.std",
        ),
        Remedy("Do in `validation_step` what only `training_step` does to its inputs."),
    )
    figures, problem = {"ratio": ratio, "shift": shift}, Problem.TRAIN_EVAL_MISMATCH
    return [
        Symptom(
            problem, "warning", evidence, figures, remedies, inputs.layer, reports=1, is_root=True
        )
    ]  # fmt: skip


def _price(vitals: Vitals) -> str:
    """Describe how much worse validation is than training; empty if it is not clearly worse."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if checks and len(training) == len(checks):
        if not checks[-1] > _MIN_RATIO_IF_VALIDATION_PAYS * training[-1] > 0:
            return ""
        return f"The validation loss is {checks[-1]:.4g} and the training loss {training[-1]:.4g}"
    scores, told = vitals.validation_scores, vitals.confirmed_training_accuracy
    if checks or not (scores and vitals.scores_are_accuracies):
        return ""
    if not told - scores[-1] > _MIN_GAP_OF_ACCURACIES:
        return ""
    return f"The validation accuracy is {scores[-1]:.0%} and the training accuracy {told:.0%}"


def _unfed(vitals: Vitals) -> list[Symptom]:
    """Find BatchNorm layers used in validation that no training batch has reached."""
    names, price = vitals.unfed_norms, _price(vitals)
    if not names or not price:
        return []
    others = f" and {len(names) - 1} more BatchNorm layers have" if len(names) > 1 else " has"
    evidence = (
        f"{names[0]}{others} a running mean of 0 and a variance of 1 in validation, the initial "
        f"values: no training batch has reached them. {price}."
    )
    remedies = (
        Remedy(
            "Average or copy the buffers along with the weights.",
            "AveragedModel(model, use_buffers=True)",
        ),
        Remedy(
            "Recompute the running statistics in another pass over the data.",
            "swa_utils.update_bn(train_loader, average)",
        ),
    )
    figures, problem = {"layers": float(len(names))}, Problem.TRAIN_EVAL_MISMATCH
    return [
        Symptom(
            problem, "warning", evidence, figures, remedies, names[0], reports=1, is_root=True
        )
    ]  # fmt: skip


def _batches(vitals: Vitals) -> float:
    """Return the number of batches of the whole training run; infinite if unknown."""
    return vitals.planned_steps * max(1.0, len(vitals.losses) / max(1, vitals.step))


def _will_converge(vitals: Vitals) -> bool:
    """Whether running statistics with a small momentum have yet to converge, and will in time.

    Keras' momentum of 0.99 is 0.01 here: a third of the initial value is left after 100 batches.
    """
    slowest = min(vitals.norm_momenta.values(), default=1.0)
    now, in_the_end = ((1 - slowest) ** n for n in (len(vitals.losses), _batches(vitals)))
    return bool(in_the_end < _MAX_SHARE_LEFT_AT_ARRIVAL < now)


def _slow(vitals: Vitals, remedies: tuple[Remedy, ...]) -> list[Symptom]:
    """Find running statistics that will not reach those of the batches by the end of training."""
    batches = _batches(vitals)
    if not _MIN_BATCHES_OF_TRAINING <= batches < math.inf or vitals.step < vitals.planned_steps / 2:
        return []
    left = {
        name: (1 - momentum) ** batches
        for name, momentum in vitals.norm_momenta.items()
        if vitals.statistics_gap.get(name, 0.0) > _MIN_GAP_OF_SLOW_MOMENTS
    }
    layer = max(left, key=left.__getitem__, default="")
    if not left or left[layer] < _MIN_SHARE_LEFT_IN_THE_END:
        return []
    momentum, gap = vitals.norm_momenta[layer], vitals.statistics_gap[layer]
    evidence = (
        f"{layer} takes {momentum:.1g} of its running statistics from each batch: after all "
        f"{batches:.0f}, {left[layer]:.0%} of them will still be the initial values. They are "
        f"{in_two_digits(gap)} from a batch's own (means in standard deviations, or the logarithm "
        "of the ratio of standard deviations)."
    )
    figures, problem = {"left": left[layer], "gap": gap}, Problem.TRAIN_EVAL_MISMATCH
    advice = (
        Remedy("Use a momentum of 0.1 (0.9 in Keras).", "momentum=0.1"),
        *remedies[:2],
    )
    return [Symptom(problem, "warning", evidence, figures, advice, layer)]


def _last_batch_only(vitals: Vitals) -> list[Symptom]:
    """Find running statistics of the last batch alone, as from a momentum in Keras' convention."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    hasty = [
        name for name, share in vitals.norm_momenta.items() if share > _MIN_MOMENTUM_OF_LAST_BATCH
    ]
    if not hasty or len(checks) <= _RECENT_CHECKS or len(training) != len(checks):
        return []
    recent = zip(checks[-_CHECKS_TO_COMPARE:], training[-_CHECKS_TO_COMPARE:], strict=True)
    pays = [check > _MIN_RATIO_IF_VALIDATION_PAYS * loss > 0 for check, loss in recent]
    # The statistics of a single batch may happen to suffice.
    if not all(pays[-_RECENT_CHECKS:]) and 2 * sum(pays) <= len(pays):
        return []
    share = vitals.norm_momenta[hasty[0]]
    evidence = (
        f"{hasty[0]} takes {share:.2g} of its running statistics from each batch: evaluation uses "
        f"those of the last one. The validation loss is {checks[-1]:.4g} and the training loss "
        f"{training[-1]:.4g}."
    )
    advice = (Remedy("Use a momentum of 0.1 (0.9 in Keras).", "momentum=0.1"),)
    figures, problem = {"momentum": share}, Problem.TRAIN_EVAL_MISMATCH
    return [
        Symptom(
            problem, "warning", evidence, figures, advice, hasty[0], reports=1, is_root=True
        )
    ]  # fmt: skip


def _most_by_batch_size(vitals: Vitals) -> float:
    """Return the ratio of validation to training loss that sums over a batch may explain."""
    is_known = vitals.objective.kind is not None or not vitals.batch_size
    return 1.0 if is_known else max(1.0, vitals.validation_batch_size / vitals.batch_size)


def _apart_early(vitals: Vitals, remedies: tuple[Remedy, ...]) -> list[Symptom]:
    """Find a validation loss far above the training loss before anything can be memorised."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if len(checks) < 3 or len(training) != len(checks) or vitals.is_imbalanced:
        return []
    if vitals.evaluates_late:
        return []
    if max(vitals.validation_epochs[:3], default=math.inf) > _MAX_EPOCHS_OF_EARLY_CHECKS:
        return []
    pairs = list(zip(training, checks, strict=True))
    # With BatchNorm, single validations may be far off in an otherwise healthy run.
    has_norm = math.isfinite(vitals.fewest_norm_values)
    if has_norm and len(pairs) <= _TOO_FEW_CHECKS_WITH_NORM:
        return []
    early = pairs[1:] if has_norm else [*pairs[1:3], pairs[-1]]
    times = _most_by_batch_size(vitals)
    worse = min(v / t for t, v in early) / times if min(t for t, _ in early) > 0 else 0.0
    poor = min((v for _, v in early), default=math.nan) >= _MIN_SHARE_OF_SCALE * vitals.scale
    if not (worse >= _MIN_RATIO_TO_TRAINING_EARLY and poor and vitals.has_learned):
        return []
    if _memorized_the_first_epoch(vitals):
        return []
    evidence = (
        f"The validation loss was {checks[1]:.4g} at its second check and the training loss "
        f"{training[1]:.4g}, too early for memorisation: in evaluation the network gets other "
        "inputs, or is a different network."
    )
    advice = (
        Remedy("Do in `forward` what only `training_step` does to its inputs."),
        Remedy("Use nn.Dropout: a hand-written dropout must rescale what it keeps.", "dropout=0.3"),
        *remedies,
    )
    figures, problem = {"ratio": worse}, Problem.TRAIN_EVAL_MISMATCH
    return [Symptom(problem, "warning", evidence, figures, advice, reports=1)]


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
    return start < _MAX_RATIO_OF_STEP_DOWN * end * min(1.0, end / before)


def _stale(vitals: Vitals, remedies: tuple[Remedy, ...]) -> list[Symptom]:
    checks, training = (
        vitals.validation_losses[-_RECENT_CHECKS:],
        vitals.training_epoch_losses[-_RECENT_CHECKS:],
    )
    if not vitals.statistics_gap or len(checks) < _RECENT_CHECKS or len(training) != len(checks):
        return []
    layer = max(vitals.statistics_gap, key=vitals.statistics_gap.__getitem__)
    gap = vitals.statistics_gap[layer]
    worse = min(v / t for t, v in zip(training, checks, strict=True)) if min(training) > 0 else 0.0
    if (
        vitals.batch_size == 1
        and gap > _MIN_GAP_OF_MOMENTS_OF_ONE
        and checks[-1] > _MIN_RATIO_TO_TRAINING * training[-1] > 0
    ):
        worse = checks[-1] / training[-1]
    elif gap < _MIN_GAP_OF_MOMENTS or worse < _MIN_RATIO_TO_TRAINING:
        return []
    evidence = (
        f"The running statistics of {layer} are {in_two_digits(gap)} from a batch's own (means in "
        "standard deviations, or the logarithm of the ratio of standard deviations), and the "
        f"validation loss is {worse:.1f} times the training loss."
    )
    figures = {"gap": gap, "ratio": worse}
    problem = Problem.TRAIN_EVAL_MISMATCH
    reports = 2 if vitals.evaluates_late else 1
    return [Symptom(problem, "warning", evidence, figures, remedies, layer, reports=reports)]
