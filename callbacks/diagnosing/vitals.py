"""The vital signs of a training: all that the rules read."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from ...functional.gradient_flow import vanishing_from
from ...functional.loss_curve import excess_swing, slope_score, window_means
from ..monitoring.record import Record
from .signs import NAN, InputScale, Layer, Objective, SideInput

_WINDOWS = 20
# What noise and a constant predictor's own error in few samples leave open.
_CLEARLY = 0.02
_FAR, _HALF = 5.0, 0.5
# Rows of one product may differ in their last digits.
_LOOKS, _SAME = 3, 1e-5
_CHECKS, _HAIR = 5, 3e-3
_FEW = 3
_OF_OTHER_UNITS = 1.5
_MOST = 0.9


@dataclass
class Vitals:
    """Recorded vital signs of one moment, as numbers on the host.

    What follows from them is computed once: a report takes a copy.

    Attributes:
        step: Optimiser steps done.
        epoch: Epoch, from 0.
        planned_steps: Steps that this training is to have; infinite if unknown.
        batches_per_epoch: Infinite if unknown.
        batch_size: Of the loader; 0 if unknown.
        one_loss: Whether each batch has one loss and one optimiser, so that its curve has a
            meaning.
        learning_rate: Of the first parameter group.
        learning_rate_peak: Highest so far.
        schedule_share: Share of the steps of a one-cycle schedule that is made, one in each epoch.
        weight_decay: Highest of the parameter groups.
        dropouts: Probability of each dropout layer.
        recurrent: Whether there are recurrent layers.
        recurrent_gain: How much a state grows at a time at most, by its weights before the first
            step; NaN without recurrent layers.
        recurrent_layer: The first one that got sequences.
        time_profile: Size of the gradient of its last output by the input of each time.
        clips: Whether the Trainer clips gradients.
        label_error: What torch said of a label that is no class.
        first_gap: Number of the first batch that held NaN or infinity; -1 for none.
        is_broken_off: Whether an error ended the training.
        losses: Loss of each training batch.
        data_losses: Mean loss of the samples of the batches that were looked at, without
            penalties and weights.
        penalty_shares: Share of the whole loss that is not of the data, at the same batches.
        accuracies: Share of right predictions, at the same batches.
        same_class_pairs: Share of the pairs of samples of a batch that are of one class, likewise.
        target_spreads: Variance of a batch's targets in a regression, likewise.
        prediction_ranges: How far apart the predictions of a batch are at most, likewise.
        objective: What is minimised.
        inputs: What reaches the first layer.
        side_inputs: What reaches layers behind the first.
        time_axes: Times and sequences in what layers got that take them in this order.
        strangers: Entries of weights behind the loss that are no parameters of the module.
        layers: Weight layers from input to output.
        waiting: Weights that are all 0, as are their gradients, after the first steps.
        identical_tables: Embeddings whose columns are one column many times over, and get the same
            gradients.
        forgotten_tables: Embeddings that get a gradient and that no optimiser has.
        forgotten_parameters: The same of parameters that belong to no layer.
        mute_outputs: Outputs behind a ReLU that are 0 for all inputs, though their targets are not.
        target_means: Mean of each column of a regression's targets.
        uncleared: The most steps in a row that an optimiser made with gradients that were never
            set to zero; it is looked for in the first ones.
        decay_pulls: How hard a decay pulls at the weights, in the length of their gradient, in
            each of the first steps.
        layers_in_graph: Products with a weight behind the loss; 0 where that is not known.
        affine: Whether nothing between them bends.
        saturating_outputs: Sigmoids and tanhs that no layer comes after.
        fewest_norm_values: Values of a channel in the smallest batch that a BatchNorm layer took
            moments of; infinite without one.
        most_norm_values: In the largest batch to the layer that gets the fewest, likewise.
        gradients: Norm of each layer's gradients.
        first_gradient_profile: Norms of the weight layers before the first step, likewise.
        gradient_profile: Last norms of the weight layers, per parameter, from input to output.
        not_finite_layer: Where a gradient or an output was first not finite; empty where all
            were at once, so that none can be told from the others, and None where none was.
        updates: Update ratio of each layer.
        total_updates: Update ratio over all layers at each report.
        unmoved: Parameters that an optimiser has and that do not move.
        entries: Number of entries of each parameter that needs a gradient.
        dead: Share of dead units of each ReLU.
        saturated, dormant, drift, variances: By activation, see `ActivationMonitor`.
        last_activation_is_output: Whether the last activation is the network's output.
        statistics_gap: Largest distance of BatchNorm's running means from those of batches, in
            standard deviations, by layer.
        sleeping_norms: BatchNorm layers in evaluation mode with moments as they were made.
        norm_momenta: Share of its running moments that a BatchNorm layer takes from each batch.
        validation_losses: Of each validation.
        validation_epochs: Epoch of each, from 0.
        validation_scores: Accuracy or another score, where larger is better.
        wants_order: Whether validation measures the order of samples, and not decisions.
        wants_decisions: Whether it measures decisions.
        training_epoch_losses: Mean training loss up to each validation, since the one before.
    """

    step: int = 0
    epoch: int = 0
    planned_steps: float = math.inf
    batches_per_epoch: float = math.inf
    batch_size: int = 0
    one_loss: bool = True
    learning_rate: float = NAN
    learning_rate_peak: float = NAN
    schedule_share: float = NAN
    weight_decay: float = 0.0
    dropouts: list[float] = field(default_factory=list)
    recurrent: bool = False
    recurrent_gain: float = NAN
    recurrent_layer: str = ""
    time_profile: list[float] = field(default_factory=list)
    clips: bool = False
    label_error: str = ""
    first_gap: int = -1
    is_broken_off: bool = False
    losses: list[float] = field(default_factory=list)
    data_losses: list[float] = field(default_factory=list)
    penalty_shares: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    same_class_pairs: list[float] = field(default_factory=list)
    target_spreads: list[float] = field(default_factory=list)
    prediction_ranges: list[float] = field(default_factory=list)
    objective: Objective = field(default_factory=Objective)
    inputs: InputScale = field(default_factory=InputScale)
    side_inputs: dict[str, SideInput] = field(default_factory=dict)
    time_axes: dict[str, tuple[int, int]] = field(default_factory=dict)
    strangers: int = 0
    layers: list[Layer] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    identical_tables: list[str] = field(default_factory=list)
    forgotten_tables: list[str] = field(default_factory=list)
    forgotten_parameters: list[str] = field(default_factory=list)
    mute_outputs: int = 0
    target_means: list[float] = field(default_factory=list)
    uncleared: int = 0
    decay_pulls: list[float] = field(default_factory=list)
    layers_in_graph: int = 0
    affine: bool = False
    saturating_outputs: int = 0
    fewest_norm_values: float = math.inf
    most_norm_values: float = math.inf
    gradients: Record = field(default_factory=Record)
    first_gradient_profile: list[float] = field(default_factory=list)
    gradient_profile: dict[str, float] = field(default_factory=dict)
    not_finite_layer: str | None = None
    updates: Record = field(default_factory=Record)
    total_updates: list[float] = field(default_factory=list)
    unmoved: list[str] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)
    dead: Record = field(default_factory=Record)
    saturated: Record = field(default_factory=Record)
    dormant: Record = field(default_factory=Record)
    drift: Record = field(default_factory=Record)
    variances: Record = field(default_factory=Record)
    last_activation_is_output: bool = False
    statistics_gap: dict[str, float] = field(default_factory=dict)
    sleeping_norms: list[str] = field(default_factory=list)
    norm_momenta: dict[str, float] = field(default_factory=dict)
    validation_losses: list[float] = field(default_factory=list)
    validation_epochs: list[int] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    wants_order: bool = False
    wants_decisions: bool = False
    training_epoch_losses: list[float] = field(default_factory=list)

    @property
    def dropout(self) -> float:
        """Highest probability of a dropout layer."""
        return max(self.dropouts, default=0.0)

    @property
    def had_a_chance(self) -> bool:
        """Whether enough steps were done to expect any progress."""
        return self.step >= max(30, min(200, self.planned_steps / 10))

    @property
    def had_a_long_chance(self) -> bool:
        """Whether so many were done that even what begins with a plateau should have left it."""
        least = min(100, 0.75 * self.planned_steps)
        return self.step >= max(least, min(500, self.planned_steps / 4))

    @property
    def starts_far(self) -> bool:
        """Whether the first loss is far over that of a network that knows nothing yet, ln C.

        Inputs that are not normalised are a reason of their own.
        """
        if not self.objective.usual_loss > 0 or not self.data_losses:
            return False
        # Weights of classes make a constant's loss larger.
        usual = max(self.objective.usual_loss, self.objective.constant_loss)
        return self.first_data_loss > _FAR * usual and not self.has_raw_inputs

    @property
    def has_raw_inputs(self) -> bool:
        """Whether inputs are so large that what they lead to is no matter of the weights."""
        return self.inputs.rms > 10 or any(side.is_raw for side in self.side_inputs.values())

    @property
    def first_data_loss(self) -> float:
        """Data loss at first; of binary labels, which may be weighted, the median of three."""
        if self.objective.task == "binary":
            return statistics.median(self.data_losses[:3])
        return self.data_losses[0]

    @cached_property
    def decay_outweighs(self) -> bool:
        """Whether a decay that is added to the gradients was more than they are, at first."""
        pulls = [pull for pull in self.decay_pulls if math.isfinite(pull)]
        return len(pulls) >= _FEW and statistics.median(pulls) > 1

    @cached_property
    def vanished_from_the_start(self) -> bool:
        """Whether gradients were lost on their way before the first step, with units alive."""
        dead = (shares[0] for shares in self.dead.history.values() if shares)
        return (
            vanishing_from(self.first_gradient_profile) is not None
            and max(dead, default=0.0) <= _HALF
        )

    @cached_property
    def curve(self) -> list[float]:
        """The loss in at most 20 windows."""
        return window_means(self.losses, _WINDOWS)

    @cached_property
    def recent_loss(self) -> float:
        """Mean loss of the last tenth of the batches, or ten."""
        return _tail_mean(self.losses)

    @cached_property
    def initial_loss(self) -> float:
        """Mean loss of the first batches."""
        first = self.losses[:5]
        return sum(first) / len(first) if first else NAN

    @cached_property
    def recent_data_loss(self) -> float:
        """Mean data loss of the batches lately looked at."""
        return _tail_mean(self.data_losses)

    @cached_property
    def gain(self) -> float:
        """Share of the loss of the best constant predictor that was taken off it.

        Where that predictor is not known, of the initial loss. 0 is nothing learned, 1 no loss
        left, below 0 is worse than a constant.
        """
        constant = self.objective.constant_loss
        if constant > 0 and self.data_losses:
            return 1 - self.recent_data_loss / constant
        gains = []
        if self.initial_loss > 0 and math.isfinite(self.initial_loss):
            gains.append(1 - self.recent_loss / self.initial_loss)
        squares = self.objective.target_variance > 0 and not self.objective.own_units
        if squares and self.data_losses:
            # Of squares, though they are not what is minimised: outliers may be most of them.
            gains.append(1 - self.recent_data_loss / self.objective.target_variance)
        return max(gains, default=NAN)

    @property
    def ignores_inputs(self) -> bool:
        """Whether all samples of the batches lately looked at got one and the same prediction."""
        recent, variance = self.prediction_ranges[-_LOOKS:], self.objective.target_variance
        size = math.sqrt(variance) if variance > 0 else 1.0
        return len(recent) == _LOOKS and max(recent) < _SAME * size

    @property
    def evaluates_late(self) -> bool:
        """Whether evaluation says little yet: BatchNorm's moments follow a network that moves."""
        has_norm = math.isfinite(self.fewest_norm_values)
        return has_norm and math.isfinite(self.planned_steps) and self.step < self.planned_steps / 2

    @property
    def labels_samples(self) -> bool:
        """Whether each sample has one label, rather than each of its words or pixels."""
        return not self.inputs.sizes or self.objective.labels in self.inputs.sizes

    @property
    def has_other_terms(self) -> bool:
        """Whether the loss has more to it than the data loss that constants are compared with."""
        whole, part = self.recent_loss, self.recent_data_loss
        return abs(whole - part) > 0.25 * max(abs(whole), abs(part))

    @property
    def is_imbalanced(self) -> bool:
        """Whether there are ten times as many samples of one class as of another, or more."""
        present = [count for count in self.objective.target_counts if count > 0]
        return len(present) > 1 and max(present) >= 10 * min(present)

    @property
    def scale(self) -> float:
        """What there is to know: the loss of the best constant, or else the first one."""
        constant = self.objective.constant_loss
        return constant if constant > 0 else abs(self.initial_loss)

    @property
    def sum_of(self) -> float:
        """How many times the mean over a batch's samples the loss is: 1, or more for a sum."""
        whole, part = (known[0] if known else NAN for known in (self.losses, self.data_losses))
        return max(1.0, whole / part) if part > 0 else 1.0

    @property
    def whole_scale(self) -> float:
        """The same in units of the whole loss: sums over a batch are many times the mean."""
        return self.scale * self.sum_of

    @cached_property
    def is_falling(self) -> bool:
        """Whether the loss of the last half of the steps falls beyond its noise."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) < -3

    @property
    def falls_in_time(self) -> bool:
        """Whether it falls, and there is time left for it to get below a constant's or it is."""
        return self.is_falling and (self.has_learned or self.step < _MOST * self.planned_steps)

    @cached_property
    def validation_falls(self) -> bool:
        """Whether each of the last checks was better than the one before, beyond a hair.

        What knew its task from the start, as in fine-tuning, gets better slowly.
        """
        checks, constant = self.validation_losses[-_CHECKS:], self.objective.constant_loss
        knew = constant > 0 and any(loss < 0.7 * constant for loss in self.data_losses[:1])
        if len(checks) < _CHECKS or knew:
            return False
        fell = checks[0] - checks[-1] > _HAIR * self.whole_scale
        return fell and all(b < a for a, b in pairwise(checks))

    @property
    def validates_the_same_loss(self) -> bool:
        """Whether validation's loss may be the training's own, and not one of other units."""
        checks, training = self.validation_losses, self.training_epoch_losses[:1]
        known = [*training, *([self.whole_scale] if self.objective.constant_loss > 0 else [])]
        return bool(checks and known) and min(checks) < _OF_OTHER_UNITS * max(known)

    @cached_property
    def is_rising(self) -> bool:
        """Whether it rises beyond its noise."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) > 3

    @cached_property
    def swing(self) -> float:
        """How much more the loss moves between windows of its last half than batch noise does."""
        return excess_swing(self.losses[len(self.losses) // 2 :], _WINDOWS // 2)

    @cached_property
    def has_learned(self) -> bool:
        """Whether the loss is clearly below that of a constant."""
        return self.gain > _CLEARLY

    @cached_property
    def is_well(self) -> bool:
        """Whether training does what it should, whatever a single sign looks like."""
        knows = self.one_loss or self.objective.constant_loss > 0
        if not knows or math.isnan(self.gain):
            return math.isfinite(self.recent_loss) and not self.is_rising
        return self.gain > 0.1 and (self.gain > 0.5 or not self.is_rising)


def _tail_mean(values: Sequence[float]) -> float:
    tail = values[-max(10, len(values) // 10) :]
    finite = [value for value in tail if math.isfinite(value)]
    # A step that mixed precision skips says nothing of the others.
    tail = finite if 2 * len(finite) > len(tail) else tail
    return sum(tail) / len(tail) if tail else NAN
