"""What the vital signs are of: inputs, layers and the objective."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NAN = float("nan")
_MIN_CLASSES_IF_OF_POSITIONS = 8


@dataclass
class InputScale:
    """Of the features that reach the first layer, over the samples of the first batches.

    Attributes:
        layer: That layer.
        largest_mean: Largest absolute mean of a feature.
        largest_std: Largest standard deviation of a feature.
        smallest_std: Smallest standard deviation of a feature that is not constant; a tenth of how
            far one goes that hardly ever is another number.
        usual_std: Their median, of those likewise.
        rms: Root mean square of all entries.
        features: Number of features: channels of an image, columns of a table.
        sizes: First two sizes of what reached the layer.
        batch_spread: How far apart the batches' means are, in deviations within a batch.
        batches: Number of batches that `batch_spread` is of.
        drift: How far the mean of the last quarter of them is from that of the first, likewise.
        growth: Their deviation over that of the first quarter.
        first_gap: Number of the first batch, of those looked at, that held NaN or infinity; -1 for
            none.
        is_data: Whether no weight of the network has a part in what reaches the layer.
    """

    layer: str = ""
    largest_mean: float = NAN
    largest_std: float = NAN
    smallest_std: float = NAN
    rms: float = NAN
    features: int = 0
    sizes: tuple[int, ...] = ()
    batch_spread: float = NAN
    batches: int = 0
    first_gap: int = -1
    usual_std: float = NAN
    is_data: bool = True
    drift: float = NAN
    growth: float = NAN


@dataclass(frozen=True)
class SideInput:
    """What reached a layer behind the first one, when it was first called.

    Attributes:
        rms: Root mean square of all entries.
        largest: That of the column with the largest one.
        usual: Their median over the columns that are not all 0.
        is_data: Whether it comes from no weight of the network.
    """

    rms: float
    largest: float
    usual: float
    is_data: bool

    @property
    def is_raw(self) -> bool:
        """Whether it is so large, or so uneven, as no activation is."""
        if not math.isfinite(self.largest):
            return False  # That is a problem of its own.
        # Where half of the columns are huge, it is what layers have made of them.
        uneven = self.largest > 1e3 * max(1.0, self.usual) and self.usual < 100
        return (self.is_data and self.rms > 100) or uneven


@dataclass
class Layer:
    """A module with a weight matrix or kernel.

    Attributes:
        name: Its name.
        entries: Entries of its weights, biases apart.
        trained: Whether its weight needs a gradient.
        optimized: Whether an optimiser has it.
        ran: Whether it was called in training.
        has_gradient: Whether it ever had a gradient.
        stepped: Whether an optimiser that has it ever made a step; True where none has it.
        rated: Whether its learning rate ever was another one than 0 at a step; True where no
            optimiser has it.
        is_last: Whether it is the last one.
        identical_units: Whether all its units have the same weights and, after the first
            backward pass, the same gradients.
        weight_gain: Deviation of its weights before the first step, times the root of its larger
            side: 0.58 as torch draws them, 1.4 as He et al. do, and 0 where all are one number;
            NaN if not known, for what is frozen, and for modules that are none of torch's own.
        as_drawn: Whether it is frozen, looks as torch draws it, and has not moved.
        idle_share: Share of the units of a linear or convolutional layer that none of five looks or
            more has seen a gradient of.
        matrices: How many weights its entries are of: two or more for a recurrent layer.
    """

    name: str
    entries: int
    trained: bool = True
    optimized: bool = True
    ran: bool = True
    has_gradient: bool = False
    stepped: bool = True
    rated: bool = True
    is_last: bool = False
    identical_units: bool = False
    weight_gain: float = NAN
    as_drawn: bool = False
    idle_share: float = 0.0
    matrices: int = 1


def share_of(some: Sequence[Layer], layers: Sequence[Layer]) -> float:
    """Share of the layers' weights that some of them have."""
    entries = sum(layer.entries for layer in layers)
    return sum(layer.entries for layer in some) / entries if entries else 0.0


@dataclass
class Objective:
    """What is minimised.

    Attributes:
        task: ``"classification"``, ``"binary"``, ``"regression"``; None where it is not known.
        kind: See `LossCall`, or ``"ctc"``, or ``"divergence"`` or ``"poisson"`` for one of what
            are no logarithms, or ``"hinge"`` of labels 0 and 1, or ``"multi_hot"`` for a
            cross-entropy of several labels of a sample, or ``"by_hand"`` for what is only known
            to hold every prediction against every target; None likewise.
        output: Function right before the loss.
        ascends: Whether it is maximised.
        shapes: Of predictions and targets, where they differ.
        classes: Number of outputs.
        target_range: Smallest and largest target.
        predicted_range: Of a regression's predictions, from the first batch on.
        sum_range: Of the sums of the probabilities over the classes, where a loss wants
            their logarithms.
        constant_loss: What the best constant predictor reaches; NaN where it is not known.
        target_variance: Of a regression's targets, mean over the columns.
        placed_loss: What a picture of the means reaches, where binary targets are pictures.
        flat_loss: Mean squared error of one number for all places (of 0, for targets from 0 to 1):
            what a convolution may begin with.
        target_counts: Samples of each class.
        predicted_counts: Recent predictions of each class.
        labels: Labels in a batch: as many as samples, or more where words or pixels have their own.
        target_shape: Of the targets of one batch.
        of_inputs: Whether the targets are what reached the first layer, as an autoencoder has it.
        of_batch: Whether they are a tensor of the batch or follow from one, in its order; looked at
            in a regression.
        positives: How many of several labels of a sample are 1, on average; NaN where there is one
            label, or more columns of them than are counted.
        predicted_positives: How many of them are lately predicted to be 1, likewise.
        has_beside: Whether the loss has another term that depends on the data.
        weighed: Whether the step weighs the entries, so that a constant's loss is not known.
        own_units: Whether the losses of the data are those of a regression that is none of squares.
        of_positions: Whether targets are places in the batch, as contrastive losses have them.
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
    weighed: bool = False
    own_units: bool = False
    of_positions: bool = False

    def counts_are_of_positions(self) -> bool:
        """Whether each of as many classes as a batch has samples is one's target once or twice."""
        present = [count for count in self.target_counts if count > 0]
        if self.task != "classification" or len(present) < _MIN_CLASSES_IF_OF_POSITIONS:
            return False
        follows = self.labels - 1 <= self.classes <= 2 * self.labels
        each = self.labels in (len(present), 2 * len(present))
        return follows and each and min(present) == max(present)

    @property
    def usual_loss(self) -> float:
        """Loss of a classifier that knows nothing yet, ln C; NaN for a regression."""
        if self.task == "binary":
            return math.log(2)
        return math.log(max(2, self.classes)) if self.task == "classification" else NAN
