"""Reading a batch's loss: its targets, its data loss, and that of the best constant prediction."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ....functional.precision import widest
from .autograd_graph import LossCall

Task = Literal["classification", "binary", "regression"]
Measure = Callable[[Tensor, Tensor], Tensor]
Reading = tuple[dict[str, Tensor], Tensor, Tensor]
_TASKS: dict[str, Task] = {
    "cross_entropy": "classification",
    "nll": "classification",
    "bce": "binary",
    "bce_logits": "binary",
    "squared": "regression",
    "huber": "regression",
    "absolute": "regression",
}
# Enough to judge the balance of outputs in multi-label and multi-target training.
_MAX_COLUMNS = 1_000
_MIN_SAMPLES = 4
_END_SHARE_OF_RANGE = 0.02
_NAN = float("nan")
FIGURES = (
    "data_loss", "accuracy", "target_min", "target_max", "sum_min", "sum_max", "samples", "pairs",
    "spread", "apart", "constant", "placed", "absolute_error", "squared_error", "predicted_min",
    "predicted_max", "missed_below", "missed_above",
)  # fmt: skip
# For a regression: the range of its predictions, and how far those at either end are off.
ENDS = FIGURES[-4:]


def task_of(call: LossCall) -> Task:
    """Return the task that a loss is for."""
    return _TASKS[call.kind]


def read_loss(call: LossCall) -> Reading:
    """Read a batch's predictions and targets, without waiting for the device.

    Args:
        call: The batch's loss.

    Returns:
        Three things. First those of the :data:`FIGURES` that apply to the task. ``data_loss``
        weights the classes as the loss does; ``sum_min`` and ``sum_max`` are of the sums over the
        classes of the exponentials of what ``nll_loss`` gets; ``pairs`` is the share of pairs of
        samples that are of one class; ``spread`` the variance of a regression's targets; ``apart``
        the largest distance between two samples' predictions in one output; ``constant`` the loss
        of the best constant prediction, for a regression loss other than the squared error;
        ``placed`` the loss of predicting the mean at each place, if binary targets are images. The
        others are of a regression: ``absolute_error`` and ``squared_error`` are means,
        ``predicted_min`` and ``predicted_max`` the range of predictions, and ``missed_below`` and
        ``missed_above`` how far the targets of the predictions at that end lie beyond them, on
        average. Then the number of samples of each class; for other tasks count, sum and sum of
        squares of each column, flattened. At last the number of predictions of each class; empty
        for a regression.
    """
    with torch.no_grad():
        prediction, target = call.prediction.float(), call.target
        if task_of(call) == "classification":
            return _read_classes(prediction, target, call)
        if task_of(call) == "binary":
            return _read_binary(prediction, target.float(), call)
        return _read_values(prediction, target.float(), call.measure)


def _read_classes(prediction: Tensor, target: Tensor, call: LossCall) -> Reading:
    scores = prediction.movedim(1, -1) if prediction.ndim > 1 else prediction
    classes = scores.shape[-1]
    scores = scores.reshape(-1, classes)
    flat = target.reshape(-1).long()  # bytes index as a mask
    known = (flat >= 0) & (flat < classes)
    if call.ignored is not None:
        known &= flat != call.ignored
    safe = flat.clamp(0, classes - 1)
    counted = known.float()
    weight = counted if call.weight is None else counted * call.weight.float()[safe]
    best = scores.argmax(-1)
    none = counted.new_zeros(classes)
    if call.shares is None:
        losses, targets = -scores.gather(1, safe[:, None])[:, 0], none.index_add(0, safe, counted)
    else:
        losses, targets = -(scores * call.shares).sum(1), call.shares.sum(0)
    count = counted.sum()
    figures = {
        "data_loss": (losses * weight).sum() / weight.sum(),
        "accuracy": ((best == safe) * counted).sum() / count,
        **_range("target", flat),
        "samples": count,
        "pairs": (targets.square().sum() - count) / (count * (count - 1)),
        "apart": _largest_range(scores),
    }
    if call.kind == "nll":  # For a log-softmax they are 1.
        figures |= _range("sum", scores.exp().sum(-1))
    return figures, targets, none.index_add(0, best, counted)


def _range(name: str, values: Tensor) -> dict[str, Tensor]:
    low, high = values.aminmax()
    return {f"{name}_min": low, f"{name}_max": high}


def _read_binary(prediction: Tensor, target: Tensor, call: LossCall) -> Reading:
    is_logits = call.kind == "bce_logits"
    said, columns = prediction > (0.0 if is_logits else 0.5), columns_of(target)
    figures = {
        **_range("target", target),
        "samples": target.new_full((), float(len(columns))),
        "apart": _largest_range(prediction),
        "placed": _placed(target, len(columns)),
    }
    if prediction.shape == target.shape:
        figures["accuracy"] = (said == (target > 0.5)).float().mean()
        if is_logits:
            weight = None if call.weight is None else call.weight.float()
            losses = F.binary_cross_entropy_with_logits(prediction, target, pos_weight=weight)
        else:
            losses = _cross_entropy(prediction, target)
        figures["data_loss"] = losses
    said = columns_of(said)
    positive = said.float().sum(0)
    predicted = torch.cat([len(said) - positive, positive]) if len(positive) == 1 else positive
    return figures, moments_of(columns), predicted


def _cross_entropy(chances: Tensor, target: Tensor) -> Tensor:
    """Return what `binary_cross_entropy` does, or NaN for no chances, which it refuses."""
    yes, no = chances.log().clamp(min=-100), torch.log1p(-chances).clamp(min=-100)
    return -(target * yes + (1 - target) * no).mean()


def _placed(target: Tensor, rows: int) -> Tensor:
    """Return the binary cross-entropy of the mean at each place, where places count as rows."""
    samples = len(target) if target.ndim > 1 else 0
    if samples < _MIN_SAMPLES or rows == samples:
        return target.new_full((), _NAN)
    mean = target.clamp(0, 1).mean(0)
    entropy = torch.special.entr(mean) + torch.special.entr(1 - mean)
    # Means of the batch itself fit it a little too well.
    varies = ((mean > 0) & (mean < 1)).float().mean()
    placed: Tensor = entropy.mean() + varies / (2 * samples)
    return placed


def columns_of(labels: Tensor) -> Tensor:
    """Return one row for each sample or pixel, with one column for each of its labels."""
    if labels.ndim == 0:
        return labels[None, None]
    if labels.ndim > 3 or (labels.ndim == 3 and labels.shape[1] == 1):
        return labels.movedim(1, -1).reshape(-1, labels.shape[1])[:, :_MAX_COLUMNS]
    return labels.reshape(len(labels), -1)[:, :_MAX_COLUMNS]


def _read_values(prediction: Tensor, target: Tensor, measure: Measure | None) -> Reading:
    columns = (
        target.reshape(len(target), -1)[:, :_MAX_COLUMNS] if target.ndim else target[None, None]
    )
    figures = {
        **_range("target", target),
        "samples": target.new_full((), float(len(columns))),
        "apart": _largest_range(prediction),
    }
    if len(columns) > 1:
        figures["spread"] = columns.var(0).mean()
    if measure not in (None, F.mse_loss):
        figures["constant"] = _best_constant(columns, measure)
    if prediction.shape == target.shape:
        figures["data_loss"] = (measure or F.mse_loss)(prediction, target)
        figures["absolute_error"] = F.l1_loss(prediction, target)
        figures["squared_error"] = F.mse_loss(prediction, target)
        if prediction.numel():
            figures |= _ends(prediction, target)
    return figures, moments_of(columns), prediction.new_zeros(0)


def _ends(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Compute :data:`ENDS`."""
    low, high = prediction.aminmax()
    beyond, hair = target - prediction, _END_SHARE_OF_RANGE * (high - low)
    at_low, at_high = (prediction <= low + hair).float(), (prediction >= high - hair).float()
    below, above = ((beyond * at).sum() / at.sum() for at in (at_low, at_high))
    return dict(zip(ENDS, (low, high, -below, above), strict=True))


def _best_constant(columns: Tensor, measure: Measure) -> Tensor:
    """Return the loss of the better of mean and median, corrected as they are the batch's own."""
    count = len(columns)
    if count < _MIN_SAMPLES:
        return columns.new_full((), _NAN)
    guesses = (columns.mean(0), columns.median(0).values)
    reached = [measure(guess.expand_as(columns), columns) for guess in guesses]
    return torch.minimum(*reached) * (count / (count - 1))


def _largest_range(prediction: Tensor) -> Tensor:
    """Return the largest distance between two samples in one output."""
    if prediction.ndim == 0 or len(prediction) < 2:
        return prediction.new_full((), _NAN)
    low, high = prediction.aminmax(dim=0)
    return (high - low).max()


def moments_of(columns: Tensor) -> Tensor:
    """Return count, sum and sum of squares of each of the first thousand columns, flattened."""
    columns = columns[:, :_MAX_COLUMNS]
    columns = columns.to(widest(columns.device))
    count = columns.new_full((columns.shape[1],), float(len(columns)))
    return torch.stack([count, columns.sum(0), columns.square().sum(0)]).flatten()
