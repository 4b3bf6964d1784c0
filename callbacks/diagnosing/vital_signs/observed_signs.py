"""The observed vital signs of a training; its subclasses derive quantities from them."""

import math
from dataclasses import dataclass, field

from ...monitoring.recording.record import Record
from .signs import NAN, InputScale, Layer, Objective, SideInput


@dataclass
class ObservedSigns:
    """Observations of a training up to one moment, as numbers on the host.

    Attributes:
        step: Optimiser steps done.
        missed: Those done before the first observed batch, as where a checkpoint has no record.
        epoch: Epoch, from 0.
        planned_steps: Optimiser steps planned for this training; infinite if unknown.
        batches_per_epoch: Infinite if unknown.
        batch_size: That of the training loader; 0 if unknown.
        ranks: Number of processes, each of which has batches of its own.
        validation_batch_size: That of the first validation loader; 0 if unknown.
        shuffled: Whether the training loader draws its samples at random.
        one_loss: Whether each batch has one loss, which all optimisers follow, so that the loss
            curve is meaningful.
        learning_rate: Learning rate of the first parameter group.
        learning_rate_peak: Highest learning rate so far.
        rate_rose: Step of the last report at which the learning rate reached a new peak.
        learning_rate_given: Initial learning rate, which a schedule multiplies.
        schedule_share: Share of a one-cycle schedule's steps that the training makes, where the
            schedule is stepped once per epoch; NaN otherwise.
        waits_for_plateau: Whether a schedule lowers the rate once a metric plateaus.
        weight_decay: Highest weight decay of the parameter groups.
        dropouts: Probability of each dropout layer.
        recurrent: Whether there are recurrent layers.
        recurrent_gain: Largest factor by which a hidden state grows per time step, estimated from
            the initial weights; NaN without recurrent layers.
        recurrent_layer: Name of the recurrent layer that `time_profile` is of.
        time_profile: Gradient norm of its last output with respect to the input of each time step.
        clip_norm: Norm to which the Trainer clips all gradients together; NaN if it does not.
        clips_itself: Whether the module overrides `configure_gradient_clipping`, which may do
            anything.
        steps_by_gradients: Whether a shorter gradient makes a shorter step, as it does for SGD.
        overfits_on_purpose: Whether the Trainer is to memorise a few batches (`overfit_batches`).
        label_error: Error message of torch about a label that is not a valid class.
        first_gap: Number of the first batch with NaN or infinity, from 0; -1 for none.
        is_broken_off: Whether an error ended the training.
        losses: Loss of each training batch.
        data_losses: Mean loss over the samples of each inspected batch, without penalties and
            scale factors.
        other_terms: Total loss minus the data loss, for the same batches; NaN if several loss
            terms are known.
        penalty_shares: Share of the total loss that is not data loss, for inspected batches where
            the two are comparable.
        accuracies: Share of correct predictions in each inspected batch.
        same_class_pairs: Share of the pairs of samples in a batch that are of one class, likewise.
        target_spreads: Variance of a batch's targets in a regression, likewise.
        prediction_ranges: Largest distance between two samples of a batch in one output, likewise.
        absolute_errors, squared_errors: Mean absolute and squared error of a batch in a
            regression, likewise.
        predicted_min, predicted_max: Smallest and largest prediction of a batch in a regression,
            likewise.
        missed_below, missed_above: How far the targets of the predictions at either end lie beyond
            them, on average.
        objective: The training objective.
        side_losses: Kind and output function of other losses that expect logits and get the output
            of a function.
        inputs: Statistics of the first layer's input.
        side_inputs: Statistics of the inputs of later layers.
        custom_units: Root mean square of what custom modules of units, such as radial basis
            functions, pass on to a layer.
        time_axes: Time steps and sequences in the first input of layers that take them in this
            order.
        strangers: Entries of weights behind the loss that neither the module nor an optimiser has.
        layers: Weight layers, in order of registration.
        waiting: Weights that are still all 0 after the first steps, as are their gradients.
        identical_tables: Embeddings whose columns are all identical and get identical gradients.
        identical_matrices: Custom matrices whose units are identical, likewise.
        untouched: Batches, of a hundred steps or more, in which no weight moved; 0 once one has.
        steps_are_made: Whether an optimiser was seen to make a step.
        has_gradients: Whether any weight was seen to have a gradient, even if it was 0.
        forgotten_tables: Embeddings that get a gradient and belong to no optimiser.
        forgotten_parameters: The same for parameters that belong to no layer.
        idle_tables: Embeddings that get a gradient and whose optimiser has made no step.
        mute_outputs: Outputs of a ReLU that are 0 for all inputs, although their targets are not.
        target_means: Mean of each column of a regression's targets.
        validation_spread: Mean squared distance of validation's targets from those means over that
            of training's; NaN if unknown, and for losses other than the squared error.
        uncleared: Most consecutive steps that an optimiser made with gradients that were never set
            to zero, among the first steps.
        decay_pulls: Norm of what weight decay adds to the gradient over that of the gradient, in
            each of the first steps.
        layers_in_graph: Products with a weight behind the loss; 0 if unknown.
        affine: Whether everything between them is affine.
        saturating_outputs: Number of sigmoids and tanhs with no layer after them.
        fewest_norm_values: Values per channel in the smallest batch from which a BatchNorm layer
            took its statistics; infinite without one.
        most_norm_values: The same for the largest batch of the layer that gets the fewest values.
        gradients: Gradient norm of each layer.
        total_gradients: Norm of all gradients together, before clipping, at each report.
        first_gradient_profile: Gradient norms of the weight layers before the first step, per
            parameter, from input to output.
        gradient_profile: The same at the last report, by layer.
        not_finite_layer: Layer where an output or a gradient was first not finite; empty if all
            were at once, so that none can be singled out; None if all are finite.
        updates: Update ratio of each layer.
        total_updates: Update ratio over all layers at each report.
        growth: Norm of all weights relative to that before the first report.
        unmoved: Parameters that an optimiser has and that do not move.
        pushed: Data type of each parameter outside of layers that ever had a gradient other than 0.
        entries: Number of entries of each parameter that requires a gradient.
        dead: Share of dead units of each ReLU.
        saturated, dormant, drift, variances: By activation, see `ActivationMonitor`.
        last_activation_is_output: Whether the last activation is the network's output.
        statistics_gap: Distance of each BatchNorm layer's running statistics from those of the last
            batch, see `NormProbe.gaps`.
        norms_in_evaluation_mode: BatchNorm layers in evaluation mode whose running statistics still
            have their initial values.
        unfed_norms: BatchNorm layers that the last validation ran with the initial values of their
            running statistics.
        validated_inputs: Mean and standard deviation of all entries of the first layer's input in
            the last validation; empty if it was not observed.
        norm_momenta: Weight of each new batch in a BatchNorm layer's running statistics.
        validation_losses: Loss of each validation.
        validation_name: Name under which they are logged; empty if unknown.
        validation_estimate: Name of the error that they are estimated from; empty if they are
            logged.
        validation_epochs: Epoch of each, from 0.
        validation_scores: Accuracy or another score of each validation, larger being better.
        scores_are_accuracies: Whether they are accuracies.
        training_score: Training metric logged under the corresponding name; NaN if there is none.
        wants_order: Whether validation measures the ranking of samples, and not decisions.
        wants_decisions: Whether it measures decisions, as accuracy does.
        training_epoch_losses: Mean training loss between each validation and the one before.
    """

    step: int = 0
    missed: int = 0
    epoch: int = 0
    planned_steps: float = math.inf
    batches_per_epoch: float = math.inf
    batch_size: int = 0
    ranks: int = 1
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
    overfits_on_purpose: bool = False
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
    absolute_errors: list[float] = field(default_factory=list)
    squared_errors: list[float] = field(default_factory=list)
    predicted_min: list[float] = field(default_factory=list)
    predicted_max: list[float] = field(default_factory=list)
    missed_below: list[float] = field(default_factory=list)
    missed_above: list[float] = field(default_factory=list)
    objective: Objective = field(default_factory=Objective)
    side_losses: list[tuple[str, str]] = field(default_factory=list)
    inputs: InputScale = field(default_factory=InputScale)
    side_inputs: dict[str, SideInput] = field(default_factory=dict)
    custom_units: dict[str, float] = field(default_factory=dict)
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
    norms_in_evaluation_mode: list[str] = field(default_factory=list)
    unfed_norms: list[str] = field(default_factory=list)
    validated_inputs: list[float] = field(default_factory=list)
    norm_momenta: dict[str, float] = field(default_factory=dict)
    validation_losses: list[float] = field(default_factory=list)
    validation_name: str = ""
    validation_estimate: str = ""
    validation_epochs: list[int] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    scores_are_accuracies: bool = False
    training_score: float = NAN
    wants_order: bool = False
    wants_decisions: bool = False
    training_epoch_losses: list[float] = field(default_factory=list)
