"""The vital signs of a training that are observed; what follows from them is in `vitals`."""

import math
from dataclasses import dataclass, field

from ...monitoring.recording.record import Record
from .signs import NAN, InputScale, Layer, Objective, SideInput


@dataclass
class ObservedSigns:
    """What was recorded of a training up to one moment, as numbers on the host.

    Attributes:
        step: Optimiser steps done.
        epoch: Epoch, from 0.
        planned_steps: Steps that this training is to have; infinite if unknown.
        batches_per_epoch: Infinite if unknown.
        batch_size: Of the loader; 0 if unknown.
        validation_batch_size: That of the first loader of validation; 0 if unknown.
        shuffled: Whether the loader draws its samples at random.
        one_loss: Whether each batch has one loss and one optimiser, so that its curve has a
            meaning.
        learning_rate: Of the first parameter group.
        learning_rate_peak: Highest so far.
        rate_rose: Step of the last report that found it higher than any before.
        learning_rate_given: What a schedule multiplies.
        schedule_share: Share of the steps of a one-cycle schedule that is made, one in each epoch.
        waits_for_plateau: Whether a schedule takes the rate down once a metric stands still.
        weight_decay: Highest of the parameter groups.
        dropouts: Probability of each dropout layer.
        recurrent: Whether there are recurrent layers.
        recurrent_gain: How much a state grows at a time at most, by its weights before the first
            step; NaN without recurrent layers.
        recurrent_layer: The first one that got sequences.
        time_profile: Size of the gradient of its last output by the input of each time.
        clip_norm: Norm that the Trainer clips all gradients together to; NaN without that.
        clips_itself: Whether the module has a `configure_gradient_clipping` of its own, which may
            do anything.
        steps_by_gradients: Whether a shorter gradient makes a shorter step, as it does for SGD.
        learns_by_heart: Whether the Trainer is to learn a few batches by heart.
        label_error: What torch said of a label that is no class.
        first_gap: Number of the first batch that held NaN or infinity; -1 for none.
        is_broken_off: Whether an error ended the training.
        losses: Loss of each training batch.
        data_losses: Mean loss of the samples of the batches that were looked at, without
            penalties and weights.
        other_terms: What the whole loss has beside that, likewise, where one term is known.
        penalty_shares: Share of the whole loss that is not of the data, at the same batches.
        accuracies: Share of right predictions, at the same batches.
        same_class_pairs: Share of the pairs of samples of a batch that are of one class, likewise.
        target_spreads: Variance of a batch's targets in a regression, likewise.
        prediction_ranges: How far apart the predictions of a batch are at most, likewise.
        predicted_min, predicted_max: Least and largest prediction of a batch, likewise, of a
            regression.
        missed_below, missed_above: By how much the targets of those at either end lie beyond them.
        objective: What is minimised.
        side_losses: Kind and output of other losses that want logits and get something else.
        inputs: What reaches the first layer.
        side_inputs: What reaches layers behind the first.
        time_axes: Times and sequences in what layers got that take them in this order.
        strangers: Entries of weights behind the loss that are no parameters of the module.
        layers: Weight layers from input to output.
        waiting: Weights that are all 0, as are their gradients, after the first steps.
        identical_tables: Embeddings whose columns are one column many times over, and get the same
            gradients.
        identical_matrices: Matrices of one's own whose units are likewise one unit.
        untouched: Batches, of a hundred steps or more, that moved no weight; 0 where one has moved.
        steps_are_made: Whether an optimiser was seen to make a step.
        has_gradients: Whether any weight was seen to have a gradient, if of 0.
        forgotten_tables: Embeddings that get a gradient and that no optimiser has.
        forgotten_parameters: The same of parameters that belong to no layer.
        idle_tables: Embeddings that get a gradient and whose optimiser has made no step.
        mute_outputs: Outputs behind a ReLU that are 0 for all inputs, though their targets are not.
        target_means: Mean of each column of a regression's targets.
        validation_spread: How far validation's targets are from those means, in squares, over how
            far training's are; NaN where it is not known, and for other losses than squared ones.
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
        total_gradients: Norm of all gradients, before clipping, at each report.
        first_gradient_profile: Norms of the weight layers before the first step, likewise.
        gradient_profile: Last norms of the weight layers, per parameter, from input to output.
        not_finite_layer: Where a gradient or an output was first not finite; empty where all
            were at once, so that none can be told from the others, and None where none was.
        updates: Update ratio of each layer.
        total_updates: Update ratio over all layers at each report.
        growth: Length of all weights now over that before the first report.
        unmoved: Parameters that an optimiser has and that do not move.
        pushed: Type of the numbers of each parameter beside the layers' that ever had another
            gradient than 0.
        entries: Number of entries of each parameter that needs a gradient.
        dead: Share of dead units of each ReLU.
        saturated, dormant, drift, variances: By activation, see `ActivationMonitor`.
        last_activation_is_output: Whether the last activation is the network's output.
        statistics_gap: Largest distance of BatchNorm's running means from those of batches, in
            standard deviations, by layer.
        sleeping_norms: BatchNorm layers in evaluation mode with moments as they were made.
        unfed_norms: BatchNorm layers that the last validation ran with moments as they were made.
        norm_momenta: Share of its running moments that a BatchNorm layer takes from each batch.
        validation_losses: Of each validation.
        validation_name: What they are logged as; empty where that is not known.
        validation_epochs: Epoch of each, from 0.
        validation_scores: Accuracy or another score, where larger is better.
        scores_are_accuracies: Whether that is an accuracy.
        training_score: What is logged of training under that name; NaN where nothing is.
        wants_order: Whether validation measures the order of samples, and not decisions.
        wants_decisions: Whether it measures decisions.
        training_epoch_losses: Mean training loss up to each validation, since the one before.
    """

    step: int = 0
    epoch: int = 0
    planned_steps: float = math.inf
    batches_per_epoch: float = math.inf
    batch_size: int = 0
    validation_batch_size: int = 0
    shuffled: bool = False
    one_loss: bool = True
    learning_rate: float = NAN
    learning_rate_peak: float = NAN
    rate_rose: int = 0
    learning_rate_given: float = NAN
    schedule_share: float = NAN
    waits_for_plateau: bool = False
    weight_decay: float = 0.0
    dropouts: list[float] = field(default_factory=list)
    recurrent: bool = False
    recurrent_gain: float = NAN
    recurrent_layer: str = ""
    time_profile: list[float] = field(default_factory=list)
    clip_norm: float = NAN
    clips_itself: bool = False
    steps_by_gradients: bool = False
    learns_by_heart: bool = False
    label_error: str = ""
    first_gap: int = -1
    is_broken_off: bool = False
    losses: list[float] = field(default_factory=list)
    data_losses: list[float] = field(default_factory=list)
    other_terms: list[float] = field(default_factory=list)
    penalty_shares: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    same_class_pairs: list[float] = field(default_factory=list)
    target_spreads: list[float] = field(default_factory=list)
    prediction_ranges: list[float] = field(default_factory=list)
    predicted_min: list[float] = field(default_factory=list)
    predicted_max: list[float] = field(default_factory=list)
    missed_below: list[float] = field(default_factory=list)
    missed_above: list[float] = field(default_factory=list)
    objective: Objective = field(default_factory=Objective)
    side_losses: list[tuple[str, str]] = field(default_factory=list)
    inputs: InputScale = field(default_factory=InputScale)
    side_inputs: dict[str, SideInput] = field(default_factory=dict)
    time_axes: dict[str, tuple[int, int]] = field(default_factory=dict)
    strangers: int = 0
    layers: list[Layer] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    identical_tables: list[str] = field(default_factory=list)
    identical_matrices: list[str] = field(default_factory=list)
    untouched: int = 0
    steps_are_made: bool = False
    has_gradients: bool = False
    forgotten_tables: list[str] = field(default_factory=list)
    forgotten_parameters: list[str] = field(default_factory=list)
    idle_tables: list[str] = field(default_factory=list)
    mute_outputs: int = 0
    target_means: list[float] = field(default_factory=list)
    validation_spread: float = NAN
    uncleared: int = 0
    decay_pulls: list[float] = field(default_factory=list)
    layers_in_graph: int = 0
    affine: bool = False
    saturating_outputs: int = 0
    fewest_norm_values: float = math.inf
    most_norm_values: float = math.inf
    gradients: Record = field(default_factory=Record)
    total_gradients: list[float] = field(default_factory=list)
    first_gradient_profile: list[float] = field(default_factory=list)
    gradient_profile: dict[str, float] = field(default_factory=dict)
    not_finite_layer: str | None = None
    updates: Record = field(default_factory=Record)
    total_updates: list[float] = field(default_factory=list)
    growth: float = NAN
    unmoved: list[str] = field(default_factory=list)
    pushed: dict[str, str] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    dead: Record = field(default_factory=Record)
    saturated: Record = field(default_factory=Record)
    dormant: Record = field(default_factory=Record)
    drift: Record = field(default_factory=Record)
    variances: Record = field(default_factory=Record)
    last_activation_is_output: bool = False
    statistics_gap: dict[str, float] = field(default_factory=dict)
    sleeping_norms: list[str] = field(default_factory=list)
    unfed_norms: list[str] = field(default_factory=list)
    norm_momenta: dict[str, float] = field(default_factory=dict)
    validation_losses: list[float] = field(default_factory=list)
    validation_name: str = ""
    validation_epochs: list[int] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    scores_are_accuracies: bool = False
    training_score: float = NAN
    wants_order: bool = False
    wants_decisions: bool = False
    training_epoch_losses: list[float] = field(default_factory=list)
