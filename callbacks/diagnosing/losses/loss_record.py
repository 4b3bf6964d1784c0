"""The losses of a training and what they are of, left on the device until they are read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from ..inputs.batch_tensors import are_same
from ..vital_signs.signs import Objective
from .autograd_graph import LossCall, find_loss_calls, has_graph, own_shape
from .batch_reading import BatchReading, join_batch, on_host, read_batch
from .entropies_by_hand import are_labels, find_entropies
from .errors_by_hand import find_errors
from .loss_reading import ENDS, Task, columns_of, task_of
from .overlap_losses import is_overlap_of_logits
from .paired_losses import find_pairs
from .special_losses import describe_special
from .target_record import TargetRecord
from .validation_targets import ValidationTargets

# Curves of figures of the inspected batches, which skip a batch unless all of a group are finite.
_CURVES_OF_FIGURES = (
    {"accuracies": "accuracy"},
    {"same_class_pairs": "pairs"},
    {"target_spreads": "spread"},
    {"prediction_ranges": "apart"},
    {"absolute_errors": "absolute_error", "squared_errors": "squared_error"},
    dict(zip(ENDS, ENDS, strict=True)),
)
_CURVES = (
    "data_losses", "other_terms", "penalty_shares",
    *(name for group in _CURVES_OF_FIGURES for name in group),
)  # fmt: skip


@dataclass(frozen=True)
class LossNews:
    """What one rank has collected since the last time.

    Attributes:
        losses: Loss of each batch.
        readings: Readings of the inspected batches.
        described: The objective and its class weights, when first known.
        validated: Sums of a validation's targets, see `ValidationTargets`; None for nothing new.
        has_unread: See `Objective`.
    """

    losses: list[float]
    readings: list[BatchReading[float]]
    described: tuple[Objective, Tensor | None] | None
    validated: Tensor | None
    has_unread: bool


class LossRecord:
    """Record the loss of each batch, and inspect some batches more closely.

    Each rank records its own batches; the records of all ranks are then merged.

    Attributes:
        losses: Loss of each merged batch, the mean over the ranks.
        curves: Figures of the inspected batches, by their name in `ObservedSigns`.
        objective: The training objective, as of the last `judge`.
        validation: The targets of a validation.
        factor: What the losses that are not merged yet are multiplied by.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.curves: dict[str, list[float]] = {name: [] for name in _CURVES}
        self.objective = Objective()
        self._looks = 0
        self._has_looked = self._has_unread = False
        self._reads_entropies = False
        self._pending: list[Tensor | float] = []
        self.factor = 1.0
        self._readings: list[BatchReading[Tensor]] = []
        self._described: tuple[Objective, Tensor | None] | None = None
        self._fresh: list[dict[str, float]] = []
        self._targets = TargetRecord()
        self.validation = ValidationTargets()

    @property
    def seen(self) -> int:
        """Number of losses, including those that are not merged yet."""
        return len(self.losses) + len(self._pending)

    def add(self, outputs: Any, factor: float) -> None:
        """Record what a training step returned; ``factor`` undoes the division by accumulation."""
        # The slower check of an abstract class comes last: the Trainer usually gives a dictionary.
        is_mapping = type(outputs) is dict or isinstance(outputs, Mapping)
        loss = outputs.get("loss") if is_mapping else outputs
        if isinstance(loss, Tensor) and loss.numel() == 1:
            loss = loss.detach()
            at_hand = type(loss) is Tensor and loss.is_cpu
            if factor != self.factor:
                self._pending = [known * (self.factor / factor) for known in self._pending]
            self._pending.append(float(loss) if at_hand else loss.clone())
            self.factor = factor

    def look(
        self,
        loss: Tensor,
        factor: float | Tensor,
        outputs: Mapping[Any, Tensor] | None = None,
        inputs: Tensor | None = None,
        batch: Any = None,
    ) -> None:
        """Inspect the loss of a batch before it is differentiated.

        Args:
            loss: The loss.
            factor: Undoes the division by accumulation and the scale of mixed precision.
            outputs: Outputs of layers, by the node that made them; for hand-written losses.
            inputs: The first layer's input, if known.
            batch: The batch, in which the targets may be found.
        """
        if not has_graph(loss):
            self._has_unread = True
            return
        # Signs, and the description of a loss that cannot be read, come from the first inspection
        # alone: they may have to wait for the device.
        is_first, self._has_looked = not self._has_looked, True
        calls = self._calls_in(loss, outputs or {}, batch, signs=is_first)
        if self._latest.kind is None:
            if calls and calls[0].target.numel():
                self._describe(loss, calls[0], len(calls), inputs)
            elif is_first and not calls:
                self._describe_unread(loss, batch, inputs)
        # There may be no target, as in images with objects, or one of another task, in turn.
        if not (calls and calls[0].target.numel() and calls[0].kind == self._latest.kind):
            self._has_unread = True
            return
        if is_first and calls[0].kind == "squared":
            self.validation.find(calls[0].target, batch)
        self._looks += 1
        total = loss.detach().float().reshape(()) * factor
        self._readings.append(read_batch(self._looks, calls, total, batch))

    @property
    def _latest(self) -> Objective:
        """The objective as far as this rank knows it."""
        return self.objective if self._described is None else self._described[0]

    def _calls_in(
        self, loss: Tensor, outputs: Mapping[Any, Tensor], batch: Any, *, signs: bool
    ) -> list[LossCall]:
        """Find the losses that can be read; none if a reading would use real parts alone."""
        calls = (
            find_loss_calls(loss, signs=signs)
            or find_errors(loss, outputs)
            or self._entropies(loss, batch, is_first=signs)
            or find_pairs(loss)
        )
        if any(call.prediction.is_complex() or call.target.is_complex() for call in calls):
            return []
        return [_of_plain_tensors(call) for call in calls]

    def _entropies(self, loss: Tensor, batch: Any, *, is_first: bool) -> list[LossCall]:
        """Find a hand-written cross-entropy, if the first inspection has seen one of labels."""
        calls = find_entropies(loss)
        if calls and is_first:
            self._reads_entropies = are_labels(calls[0], batch)
        return calls if self._reads_entropies else []

    def _describe_unread(self, loss: Tensor, batch: Any, inputs: Tensor | None) -> None:
        """Describe a loss whose batches cannot be read."""
        objective = describe_special(loss, batch, inputs)
        self._described = None if objective is None else (objective, None)

    def _describe(self, loss: Tensor, call: LossCall, calls: int, inputs: Tensor | None) -> None:
        prediction, shapes = call.prediction, (own_shape(call.prediction), own_shape(call.target))
        compares = _is_crossed if call.by_hand else _is_repeated
        differ = task_of(call) == "regression" and compares(*shapes)
        objective = Objective(
            task=task_of(call),
            kind=call.kind,
            output=call.output,
            ascends=call.ascends and calls == 1,
            shapes=shapes if differ else None,
            classes=_columns(prediction, task_of(call)),
            labels=float(call.target.numel()),
            target_shape=shapes[1],
            of_inputs=are_same(call.target, inputs),
            weighed=call.weighed,
            has_beside=not call.is_alone,
            own_units=call.kind != "squared" and call.measure is not None,
            overlaps_logits=is_overlap_of_logits(loss),
        )
        self._described = (objective, _weights_in(call))

    def news(self) -> LossNews:
        """Return what was collected since the last time, on the host."""
        losses = _numbers(self._pending, self.factor)
        readings, self._pending, self._readings = self._readings, [], []
        described, self._described = self._described, None
        if described is not None and described[1] is not None:
            described = (described[0], described[1].detach().cpu())
        return LossNews(
            losses, on_host(readings), described, self.validation.news(), self._has_unread
        )

    def take(self, ranks: Sequence[LossNews]) -> None:
        """Merge the news of all ranks."""
        described = next((rank.described for rank in ranks if rank.described), None)
        if described is not None and self.objective.kind is None:
            self.objective, weight = replace(described[0]), described[1]
            self._targets.weight = None if weight is None else weight.tolist()
        self.objective.has_unread |= any(rank.has_unread for rank in ranks)
        self.losses += _means([rank.losses for rank in ranks])
        self.validation.take([rank.validated for rank in ranks])
        by_look: dict[int, list[BatchReading[float]]] = {}
        for rank in ranks:
            for reading in rank.readings:
                by_look.setdefault(reading.look, []).append(reading)
        for look in sorted(by_look):
            self._take_batch(join_batch(by_look[look]))

    def _take_batch(self, reading: BatchReading[float]) -> None:
        row, total = reading.figures, reading.figures["total"]
        data_loss = total if reading.mixed else row["data_loss"]
        if row["foreign"] == 1:
            self.objective.of_batch = False
        if math.isfinite(data_loss):
            self.curves["data_losses"].append(data_loss)
            self.curves["other_terms"].append(total - data_loss if reading.single else math.nan)
        # A share of a total that is not finite is unknown.
        if reading.comparable and 0 < total < math.inf and row["data_loss"] >= 0:
            self.curves["penalty_shares"].append(max(0.0, 1 - row["data_loss"] / total))
        for group in _CURVES_OF_FIGURES:
            if all(math.isfinite(row[figure]) for figure in group.values()):
                for name, figure in group.items():
                    self.curves[name].append(row[figure])
        self._fresh.append(row)
        self._targets.add(reading)

    def judge(self) -> None:
        """Update the objective with what was merged since the last time."""
        rows, self._fresh = self._fresh, []
        if not rows:
            return
        objective = self.objective
        objective.target_range = _span(rows, "target", objective.target_range)
        objective.predicted_range = _span(rows, "predicted", objective.predicted_range)
        objective.sum_range = _span(rows, "sum")
        self._targets.describe(objective, len(self.curves["data_losses"]))
        if objective.weighed:
            objective.constant_loss = math.nan
        objective.of_positions |= objective.counts_are_of_positions()

    @property
    def target_means(self) -> list[float]:
        """Mean of each of the first thousand columns of a regression's targets."""
        return self._targets.means() if self.objective.task == "regression" else []

    @property
    def validation_spread(self) -> float:
        """Mean squared distance of validation's targets from training's means, over training's."""
        own = self.objective.target_variance
        return self.validation.spread_around(self.target_means) / own if own > 0 else math.nan

    def state_dict(self) -> dict[str, Any]:
        """Return the state, in types that ``torch.load(weights_only=True)`` accepts."""
        return {
            # They were computed in single precision.
            "losses": torch.tensor(self.losses, dtype=torch.float32),
            **{n: torch.tensor(c, dtype=torch.float64) for n, c in self.curves.items()},
            "objective": asdict(self.objective),
            "looks": self._looks,
            "fresh": list(self._fresh),
            "validated": self.validation.sums,
            **self._targets.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state."""
        self.losses = state_dict["losses"].tolist()
        self.curves = {name: state_dict[name].tolist() for name in _CURVES}
        self.objective = Objective(**state_dict["objective"])
        self._looks, self._fresh = state_dict["looks"], list(state_dict["fresh"])
        self._targets.load_state_dict(state_dict)
        self.validation.sums = state_dict["validated"]


def _of_plain_tensors(call: LossCall) -> LossCall:
    """Return a loss without the methods that a subclass of tensors may have of its own."""
    prediction, target = (x.as_subclass(Tensor) for x in (call.prediction, call.target))
    return replace(call, prediction=prediction, target=target)


def _numbers(losses: Sequence[Tensor | float], factor: float) -> list[float]:
    """Multiply scalars of any shape by a factor, in one transfer if they are on a device."""
    tensors = [loss.reshape(()).float() for loss in losses if isinstance(loss, Tensor)]
    if tensors and len(tensors) == len(losses):
        flat = torch.stack(tensors)
    else:
        flat = torch.tensor([float(loss) for loss in losses], dtype=torch.float32)
    numbers: list[float] = (flat if factor == 1 else flat * factor).tolist()
    return numbers


def _weights_in(call: LossCall) -> Tensor | None:
    """Return the weights of the classes, or of the positives in each column of the targets."""
    if call.weight is None or call.kind == "bce":
        return None
    by_class = task_of(call) == "classification"
    return call.weight if by_class else columns_of(call.weight.expand_as(call.target))[0]


def _columns(prediction: Tensor, task: Task) -> int:
    """Return the number of outputs per sample, also for one without a batch dimension."""
    if prediction.ndim > 1:
        return prediction.shape[1]
    return len(prediction) if task == "classification" else 1


def _is_repeated(prediction: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether a prediction is compared with several targets; the reverse may be an ensemble."""
    aligned = zip_longest(reversed(prediction), reversed(target), fillvalue=1)
    return any(p == 1 < t for p, t in aligned)


def _is_crossed(prediction: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether each is repeated along a dimension of the other: all are compared with all."""
    sizes = list(zip(prediction, target, strict=True))
    return any(p == 1 < t for p, t in sizes) and any(t == 1 < p for p, t in sizes)


def _means(ranks: Sequence[list[float]]) -> list[float]:
    """Average over the ranks, batch by batch, in single precision as the losses are."""
    if len(ranks) == 1:
        return ranks[0]
    batches = zip_longest(*ranks)
    known = [[v for v in batch if v is not None] for batch in batches]
    return [float(torch.tensor(losses, dtype=torch.float32).mean()) for losses in known]


def _span(
    rows: list[dict[str, float]], name: str, known: tuple[float, float] = (math.nan, math.nan)
) -> tuple[float, float]:
    """Return the range so far; rows of an earlier release may lack it, as may broken batches."""
    spans = [(row.get(f"{name}_min", math.nan), row.get(f"{name}_max", math.nan)) for row in rows]
    finite = [span for span in (*spans, known) if all(map(math.isfinite, span))]
    if not finite:
        return known
    return min(low for low, _ in finite), max(high for _, high in finite)
