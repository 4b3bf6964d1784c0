"""Nothing learned, and no more specific cause found.

After a fair number of steps the loss of a batch is not below that of the best constant prediction
(ln C for C balanced classes, the variance of a regression's targets).

The simplest cause is targets so far from 0 that no prediction will come near them in the planned
steps: reaching their level takes longer than learning the rest.

Another is batches mistaken for sequences: recurrent layers and attention treat the first dimension
as time unless told otherwise, and raise no error where it is the batch.
"""

import math
import statistics

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.vitals import Vitals

_MIN_SIZE_OF_FAR_TARGETS = 10.0
_MIN_SHARE_OF_SIZE_REACHED = 0.5
_LEAST_USUAL_UPDATE_RATIO = 3e-4
_EARLY_SHARE_OF_STEPS = 0.5  # Of the planned steps.
_MAX_SHARE_OF_ROUNDING = 1e-5  # Of the size of means that are summed in a different order.
_FEWEST_STEPS = 100  # Many networks make no progress for a few dozen.
_FIRST_BATCHES = 5
_MAX_ERROR_SHARE_TO_BE_SURE = 0.1  # Of the mean loss of those batches.


def examine(vitals: Vitals) -> Finding | None:
    """Find a batch taken for time, identical inputs, targets out of reach, or no progress."""
    return _crossed(vitals) or _blind(vitals) or _out_of_reach(vitals) or _stuck(vitals)


def _crossed(vitals: Vitals) -> Finding | None:
    """Find sequence layers that run over the samples of a batch, each with its own target."""
    mixed = {
        name: (time, batch)
        for name, (time, batch) in vitals.time_axes.items()
        if time == vitals.batch_size and 1 < batch != time and _by_sample(vitals, time, batch)
    }
    if not mixed or vitals.gain > Gain.GOOD or not vitals.had_a_long_chance:
        return None
    layer, (time, batch) = next(iter(mixed.items()))
    evidence = (
        f"{layer} takes the first dimension as time and gets {time} by {batch}, while a batch has "
        f"{time} samples: it runs across the samples, not through each of them."
    )
    remedies = (Remedy("Tell the layer that the batch comes first.", "batch_first=True"),)
    figures = {"times": float(time), "sequences": float(batch)}
    return Finding("warning", evidence, figures, remedies, layer, is_root=True)


def _by_sample(vitals: Vitals, time: int, batch: int) -> bool:
    """Whether the time steps are samples: each has one target, or the loader shuffles them.

    Otherwise, targets for each time step may be a series cut into windows of that length.
    """
    shape = vitals.objective.target_shape
    if math.prod(shape) % (time * batch):
        return shape[:1] == (time,)
    return vitals.shuffled and shape[:1] in ((time,), (time * batch,))


def _blind(vitals: Vitals) -> Finding | None:
    """Find inputs that are the same for all samples, so that the predictions are, too."""
    inputs = vitals.inputs
    alike = inputs.largest_std <= _MAX_SHARE_OF_ROUNDING * inputs.rms and vitals.ignores_inputs
    alike &= not any(layer.identical_units for layer in vitals.layers)
    if not alike or vitals.has_learned or not vitals.had_a_chance:
        return None
    evidence = (
        f"The inputs of {inputs.layer} are the same for all samples, with a mean of "
        f"{inputs.largest_mean:.3g}, and so are the predictions."
    )
    remedies = (Remedy("Inspect the inputs as the network gets them."),)
    figures = {"mean": inputs.largest_mean}
    return Finding("critical", evidence, figures, remedies, inputs.layer, is_root=True)


def _out_of_reach(vitals: Vitals) -> Finding | None:
    """Find targets too large for predictions to reach, although steps are as large as usual."""
    objective = vitals.objective
    (low, high), (least, most) = objective.predicted_range, objective.target_range
    steps = vitals.update_ratios
    if objective.task != "regression" or not low <= high or not math.isfinite(vitals.planned_steps):
        return None
    if vitals.has_learned or not vitals.had_a_long_chance or not steps:
        return None
    mean = statistics.fmean(vitals.target_means or [0.0])
    size = abs(mean) + math.sqrt(max(0.0, objective.target_variance))
    # Outputs to which all layers contribute grow with the square of the steps.
    done = vitals.step / vitals.planned_steps
    reach = _MIN_SHARE_OF_SIZE_REACHED * done**2 * size
    if done > _EARLY_SHARE_OF_STEPS and vitals.gain < 0 and (high < mean or mean < low):
        reach = done**2 * abs(mean)  # All predictions so far are on one side of it.
    arrives = not size > _MIN_SIZE_OF_FAR_TARGETS or max(abs(low), abs(high)) > reach
    if arrives or not statistics.median(steps) > _LEAST_USUAL_UPDATE_RATIO:
        return None  # Larger steps might have reached them.
    evidence = (
        f"Targets range from {least:.4g} to {most:.4g}, but all predictions so far from {low:.4g} "
        f"to {high:.4g}: at this pace they will not get there in {vitals.planned_steps:.0f} steps."
    )
    remedies = (
        Remedy(
            "Standardise the targets by the mean and deviation of the training data.",
            "TabularDataModule(standardize_target=True)",
        ),
        Remedy(
            "Or start the output bias at their mean.",
            "nn.init.constant_(last_layer.bias, y_train.mean())",
        ),
    )
    figures = {"least": least, "most": most, "lowest": low, "highest": high}
    return Finding("critical", evidence, figures, remedies, is_root=True)


def _begins_unsurely(vitals: Vitals) -> bool:
    """Whether the first batches differ too much for their mean loss to be a baseline.

    This happens with rare classes that have large weights.
    """
    first = [loss for loss in vitals.losses[:_FIRST_BATCHES] if math.isfinite(loss)]
    error = statistics.stdev(first) / math.sqrt(len(first)) if len(first) > 1 else 0.0
    return error > _MAX_ERROR_SHARE_TO_BE_SURE * abs(vitals.initial_loss)


def _compared(loss: float, other: float, of: str) -> str:
    better = "hardly better" if loss < other else "no better"
    return f"{loss:.4g}, {better} than the {other:.4g} {of}"


def _stuck(vitals: Vitals) -> Finding | None:
    if vitals.step < _FEWEST_STEPS or not vitals.had_a_long_chance_at_full_rate:
        return None
    if not vitals.one_loss or vitals.has_learned or vitals.falls_in_time:
        return None
    if not any(map(math.isfinite, vitals.losses[-5:])):
        return None  # All finite losses are older.
    constant = vitals.objective.constant_loss
    if math.isnan(vitals.gain) or not vitals.would_have_started:
        return None
    if math.isnan(constant) and (vitals.scores_improve or _begins_unsurely(vitals)):
        return None  # A loss on the hardest pairs alone may stay where it is.
    than = (
        _compared(vitals.recent_data_loss, constant, "of the best constant prediction")
        if constant == constant and vitals.data_losses
        else _compared(vitals.recent_loss, vitals.initial_loss, "at the start")
    )
    plateau = Remedy(
        "Use other activations than sigmoids, or add normalisation.", 'activation="relu"'
    )
    remedies = (
        *([plateau] if vitals.sigmoids_hardly_vary else []),
        Remedy("Check whether the network can memorise 16 samples.", "Trainer(overfit_batches=1)"),
        Remedy(
            "Try learning rates ten times larger and smaller.",
            "Tuner(trainer).lr_find(model, data)",
        ),
        Remedy("Inspect inputs and labels side by side, as the network gets them."),
    )
    figures = {"gain": vitals.gain, "loss": vitals.recent_loss}
    alike = " All samples get the same prediction." if vitals.ignores_inputs else ""
    evidence = f"After {vitals.step} steps the loss is {than}.{alike}"
    # Some networks leave a plateau late; without a planned length, no step is known to be early.
    is_early = vitals.step <= _EARLY_SHARE_OF_STEPS * vitals.planned_steps < math.inf
    return Finding("warning" if is_early else "critical", evidence, figures, remedies, reports=3)
