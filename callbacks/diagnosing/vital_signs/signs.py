"""The parts of the vital signs: inputs, layers and the objective."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NAN = float("nan")
_MIN_CLASSES_IF_OF_POSITIONS = 8


@dataclass
class InputScale:
    """Statistics of the first layer's input features, over the samples of the first batches.

    Attributes:
        layer: Name of that layer.
        largest_mean: Largest absolute mean of a feature.
        largest_std: Largest standard deviation of a feature.
        smallest_std: Smallest standard deviation of a feature that is not constant; at least a
            tenth of the feature's largest distance from its mean, for those that rarely vary.
        usual_std: Median of these standard deviations.
        rms: Root mean square of all entries.
        features: Number of features: channels of an image, columns of a table.
        sizes: First two sizes of the layer's input.
        batch_spread: Standard deviation of the batches' means, in standard deviations within a
            batch.
        feature_spread: The same of the feature for which it is largest; NaN unless each sample is
            one row of features.
        batches: Number of batches that `batch_spread` is of.
        drift: Distance of the mean of the last quarter of them from that of the first, in standard
            deviations of the first.
        growth: Standard deviation of the last quarter over that of the first.
        mean: Mean of all entries.
        std: Standard deviation of all entries.
        upper_rms: Upper quartile of the batches' root mean squares.
        first_gap: Number of the first inspected batch with NaN or infinity, from 0; -1 for none.
        is_data: Whether the layer's input depends on no weight of the network.
        is_table: Whether each sample is one row of features.
    """

    layer: str = ""
    largest_mean: float = NAN
    largest_std: float = NAN
    smallest_std: float = NAN
    rms: float = NAN
    features: int = 0
    sizes: tuple[int, ...] = ()
    batch_spread: float = NAN
    feature_spread: float = NAN
    batches: int = 0
    first_gap: int = -1
    usual_std: float = NAN
    is_data: bool = True
    is_table: bool = False
    drift: float = NAN
    growth: float = NAN
    mean: float = NAN
    std: float = NAN
    upper_rms: float = NAN

    @property
    def level(self) -> float:
        """Root mean square, unless a few batches raise it far above that of all others."""
        return min(self.rms, self.upper_rms) if math.isfinite(self.upper_rms) else self.rms


@dataclass(frozen=True)
class SideInput:
    """Statistics of a later layer's input, from its first call.

    Attributes:
        rms: Root mean square of all entries.
        largest: Largest root mean square of a column.
        usual: Median root mean square of the columns that are not all 0.
        is_data: Whether the input depends on no weight of the network.
    """

    rms: float
    largest: float
    usual: float
    is_data: bool

    @property
    def is_raw(self) -> bool:
        """Whether it is too large or too uneven to be an activation."""
        if not math.isfinite(self.largest):
            return False  # Non-finite values are a separate problem.
        # If half of the columns are huge, layers have made them so.
        uneven = self.largest > 1e3 * max(1.0, self.usual) and self.usual < 100
        return (self.is_data and self.rms > 100) or uneven


@dataclass
class Layer:
    """A module with a weight matrix or kernel.

    Attributes:
        name: Name of the module.
        entries: Number of entries of its weights, without biases.
        trained: Whether its weight requires a gradient.
        optimized: Whether an optimiser has its weight.
        ran: Whether it was called in training.
        has_gradient: Whether it ever had a gradient.
        stepped: Whether an optimiser that has it ever made a step; True if none has it.
        rated: Whether its learning rate was ever other than 0 at a step; True if no optimiser has
            it.
        follows: Whether its input was seen to depend on trained weights.
        is_last: Whether it is the last layer.
        identical_units: Whether all its units have the same weights and, after the first
            backward pass, the same gradients.
        weight_gain: Standard deviation of its weights before the first step times the square root
            of its larger dimension: 0.58 for torch's initialisation, 1.4 for that of He et al., 0
            if all weights are equal; NaN if unknown, if frozen, and for custom modules unless it is
            above 1.
        as_drawn: Whether it is frozen, looks freshly initialised, and has not moved.
        idle_share: Share of the units of a linear or convolutional layer for which none of five
            inspections or more has found a gradient.
        matrices: Number of weights that its entries are of: two or more for a recurrent layer.
    """

    name: str
    entries: int
    trained: bool = True
    optimized: bool = True
    ran: bool = True
    has_gradient: bool = False
    stepped: bool = True
    rated: bool = True
    follows: bool = False
    is_last: bool = False
    identical_units: bool = False
    weight_gain: float = NAN
    as_drawn: bool = False
    idle_share: float = 0.0
    matrices: int = 1


def share_of(some: Sequence[Layer], layers: Sequence[Layer]) -> float:
    """Share of all layers' weights that some of the layers have."""
    entries = sum(layer.entries for layer in layers)
    return sum(layer.entries for layer in some) / entries if entries else 0.0


@dataclass
class Objective:
    """The training objective.

    Attributes:
        task: ``"classification"``, ``"binary"``, ``"regression"``; None if unknown.
        kind: See `LossCall`; or ``"ctc"``; ``"divergence"`` or ``"poisson"`` for one that is not
            given logarithms; ``"hinge"`` for one with labels 0 and 1; ``"multi_hot"`` for a
            cross-entropy of several labels per sample; ``"by_hand"`` for a hand-written loss that
            compares every prediction with every target; ``"overlap"`` for nothing but
            `overlaps_logits`; None if unknown.
        output: Function right before the loss.
        ascends: Whether the loss is maximised.
        shapes: Shapes of predictions and targets, if they differ.
        classes: Number of outputs.
        target_range: Smallest and largest target.
        predicted_range: Smallest and largest prediction of a regression, from the first batch on.
        sum_range: Smallest and largest sum of the probabilities over the classes, for a loss that
            expects their logarithms.
        constant_loss: Loss of the best constant prediction; NaN if unknown.
        target_variance: Variance of a regression's targets, averaged over the columns.
        placed_loss: Loss of predicting the mean at each place, if binary targets are images.
        flat_loss: Mean squared error of one number for all places (of 0, for targets from 0 to 1),
            with which a convolution may start.
        target_counts: Number of samples of each class.
        predicted_counts: Number of recent predictions of each class.
        labels: Labels in a batch: as many as samples, or more if words or pixels have their own.
        target_shape: Shape of the targets of one batch.
        of_inputs: Whether the targets are the first layer's input, as in an autoencoder.
        of_batch: Whether the targets are a tensor of the batch or a monotone function of one;
            checked in a regression.
        positives: Mean number of positive labels per sample; NaN if each sample has one class, or
            if there are more columns of labels than are counted.
        predicted_positives: Mean number of labels recently predicted to be positive, likewise.
        has_beside: Whether the loss has another term that depends on the data.
        has_unread: Whether some batches have another loss, as of tasks that alternate, or one that
            cannot be read.
        weighed: Whether the step weights the entries, so that `constant_loss` is unknown.
        own_units: Whether the data loss is a regression loss other than the squared error.
        of_positions: Whether targets are positions in the batch, as in contrastive losses.
        overlaps_logits: Whether the overlap of a mask with logits is part of the loss.
    """

    task: str | None = None
    kind: str | None = None
    output: str | None = None
    ascends: bool = False
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    classes: int = 0
    target_range: tuple[float, float] = (NAN, NAN)
    predicted_range: tuple[float, float] = (NAN, NAN)
    sum_range: tuple[float, float] = (NAN, NAN)
    constant_loss: float = NAN
    placed_loss: float = NAN
    target_variance: float = NAN
    flat_loss: float = NAN
    target_counts: Sequence[float] = ()
    predicted_counts: Sequence[float] = ()
    labels: float = NAN
    target_shape: tuple[int, ...] = ()
    of_inputs: bool = False
    of_batch: bool = True
    positives: float = NAN
    predicted_positives: float = NAN
    has_beside: bool = False
    has_unread: bool = False
    weighed: bool = False
    own_units: bool = False
    of_positions: bool = False
    overlaps_logits: bool = False

    def counts_are_of_positions(self) -> bool:
        """Whether there is about one class per label of a batch, all of them equally frequent."""
        present = [count for count in self.target_counts if count > 0]
        if self.task != "classification" or len(present) < _MIN_CLASSES_IF_OF_POSITIONS:
            return False
        follows = self.labels - 1 <= self.classes <= 2 * self.labels
        each = self.labels in (len(present), 2 * len(present))
        return follows and each and min(present) == max(present)

    @property
    def usual_loss(self) -> float:
        """Loss of a classifier with uniform predictions, ln C; NaN for a regression."""
        if self.task == "binary":
            return math.log(2)
        return math.log(max(2, self.classes)) if self.task == "classification" else NAN
