"""What the doctor itself observes of a training run: losses, inputs and layers."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from ..monitoring.gradients.gradient_reading import optimizer_position, scale_of
from .inputs.data_gaps import DataGaps
from .inputs.first_batches import FirstBatches
from .inputs.unfed_norms import UnfedNorms
from .inputs.validated_inputs import ValidatedInputs
from .losses.autograd_graph import has_graph
from .losses.layers_in_graph import (
    count_layers,
    count_saturating_outputs,
    parameters_multiplied,
    parameters_normed,
    weights_behind,
)
from .losses.loss_record import LossRecord
from .losses.losses_by_hand import LossesByHand
from .losses.side_losses import SideLosses
from .rank_news import News
from .schedule import Schedule
from .training_plan import read_plan, read_rates
from .vital_signs.vitals import Vitals
from .weights.anatomy import dropout_rates, largest_recurrent_gain, parameters_of
from .weights.clearing import Clearing
from .weights.weight_inspection import WeightInspection

_GOOD_GAIN = 0.5
# Vital signs that are not recomputed at each report.
_LASTING = (
    "missed", "learning_rate_peak", "rate_rose", "first_gradient_profile", "strangers",
    "recurrent_gain", "recurrent_layer", "time_profile", "waiting", "identical_tables",
    "identical_matrices", "decay_pulls", "pushed",
)  # fmt: skip


class Observation:
    """Collect the data that vital signs are computed from.

    Each rank collects its own `news`; those of all ranks are merged, so that every rank has the
    vital signs of the whole training run.

    Args:
        schedule: Which steps are sampled.

    Attributes:
        vitals: The vital signs as of the last `settle`.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.vitals = Vitals()
        self._schedule = schedule
        self._is_read = self._is_attached = False
        self._record = LossRecord()
        self._batches, self._gaps, self._sides = FirstBatches(), DataGaps(), SideLosses()
        self._unfed, self._validated, self._factor = UnfedNorms(), ValidatedInputs(), 1.0
        self._by_hand: LossesByHand | None = None
        self._learns_plan = False
        self._weights = WeightInspection(self.vitals)
        self._clearing, self._uncleared = Clearing(), 0
        self._in_graph = (0, False, 0)
        self._optimizers = 1
        self._parameters: set[Tensor] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Return what was merged: a copy has neither the network's weights nor hooks on it."""
        return {"schedule": self._schedule, **self.state_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start afresh from that state."""
        self.__init__(state["schedule"])  # type: ignore[misc]
        self.load_state_dict(state)

    def begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record what is known before the first batch."""
        vitals, self._factor = self.vitals, 1.0
        self._optimizers = len(trainer.optimizers)
        if not self._record.seen:
            vitals.missed = trainer.global_step
        read_plan(trainer, pl_module, vitals)
        vitals.one_loss = pl_module.automatic_optimization and self._optimizers == 1
        by_hand = not pl_module.automatic_optimization
        self._by_hand = LossesByHand(self._optimizers) if by_hand else None
        self._weights.begin(trainer, pl_module)
        self._clearing = Clearing()
        self._parameters = parameters_of(trainer.optimizers) | set(pl_module.parameters())
        self._count_entries(pl_module)
        vitals.dropouts = dropout_rates(pl_module)
        recurrent = (nn.RNNBase, nn.RNNCellBase)
        vitals.recurrent |= any(isinstance(m, recurrent) for m in pl_module.modules())
        if trainer.global_step == 0:
            vitals.recurrent_gain = largest_recurrent_gain(pl_module)

    def learn_plan(self, trainer: Trainer, epochs: int) -> None:
        """Estimate the length of a run from its finished epochs.

        If its loader has no length, or several optimisers step as often as the module has them.

        Args:
            trainer: The Trainer.
            epochs: Number of finished epochs.
        """
        self._learns_plan |= math.isinf(self.vitals.planned_steps) or self._optimizers > 1
        if self._learns_plan and epochs and trainer.max_epochs not in (None, -1):
            step, most = float(trainer.global_step), trainer.max_steps
            planned = max(step, step / epochs * trainer.max_epochs)
            self.vitals.planned_steps = planned if most == -1 else min(planned, float(most))

    def _count_entries(self, pl_module: LightningModule) -> None:
        named = pl_module.named_parameters()
        sized = ((n, p) for n, p in named if not isinstance(p, nn.UninitializedParameter))
        self.vitals.entries = {name: p.numel() for name, p in sized if p.requires_grad}

    def _find_layers_anew(self, trainer: Trainer, optimizers: Sequence[Optimizer]) -> None:
        """Find the layers again if one was added, replaced or lazily initialised."""
        if self._weights.find_anew(trainer, optimizers):
            self._count_entries(trainer.lightning_module)

    def open(self, step: int, pl_module: LightningModule, batch: Any) -> None:
        """Begin a batch, and observe the inputs of layers if it is to be sampled."""
        self._gaps.open(batch, self._record.seen)
        self._is_read = self._schedule.is_read(step)
        if self._schedule.is_watched(step):
            self._batches.number, self._is_attached = self._record.seen, True
            self._batches.attach(pl_module)

    def detach(self) -> None:
        """Remove all hooks."""
        if self._is_attached:
            self._is_attached = False
            self._batches.detach()
            self._unfed.detach()
            self._validated.detach()

    def evaluate(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the hooks of training, and observe a validation within it."""
        self.detach()
        within = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if within and trainer.global_step > 0:
            self._is_attached = True
            self._unfed.attach(pl_module)
            batches = [*trainer.num_val_batches, 0]
            self._validated.attach(pl_module, self._batches.first, batches[0])
            self._record.validation.begin(len(trainer.num_val_batches))

    def add_validated(self, batch: Any) -> None:
        """Record a validation batch."""
        self._validated.end_batch()
        self._record.validation.add(batch)

    def end(self) -> None:
        """Release the network and the last batch."""
        self.detach()
        self._gaps.close()

    @property
    def _follows_one_loss(self) -> bool:
        """Whether there is one optimiser or, as far as is known, all step together on one loss."""
        together = self._by_hand is not None and self._by_hand.most == 1
        return self._optimizers == 1 or together

    def look(self, trainer: Trainer, loss: Tensor) -> None:
        """Inspect a loss that is about to be differentiated, and stop observing the batch."""
        self.detach()
        self._clearing.look()
        self._gaps.look(loss)
        if self._by_hand is not None:
            self._by_hand.look(loss, scale_of(trainer, loss))
        else:  # A callback may change it from epoch to epoch.
            self._factor = float(trainer.accumulate_grad_batches)
        is_first = self._schedule.is_first(trainer.global_step)
        if not (self._is_read or is_first):
            return
        if is_first:
            self._sides.look(loss, first_is_read=self._optimizers == 1)
        if self._follows_one_loss:
            seen, factor = self._batches, self._factor / scale_of(trainer, loss)
            self._record.look(loss, factor, seen.outputs, seen.inputs, self._gaps.batch)
        if not self._in_graph[0] and has_graph(loss):
            self._in_graph = (*count_layers(loss), count_saturating_outputs(loss))
        if self._parameters and has_graph(loss):
            self._weights.multiplied = parameters_multiplied(loss)
            self._weights.normed = parameters_normed(loss)
            # Sharded parameters (FSDP2) appear in the graph as other tensors.
            if not any(isinstance(parameter, DTensor) for parameter in self._parameters):
                behind = weights_behind(loss)
                strangers = behind - self._parameters
                self.vitals.strangers = sum(stranger.numel() for stranger in strangers)
                sets = (parameters_of([optimizer]) for optimizer in trainer.optimizers)
                if self._by_hand and self._optimizers > 1 and any(map(behind.isdisjoint, sets)):
                    self._by_hand.set_apart()
            self._parameters = set()
        self._batches.forget()

    def inspect(self, trainer: Trainer, optimizer: Optimizer, step: int) -> None:
        """Record that an optimiser is about to make a step, and inspect the gradients.

        Args:
            trainer: The Trainer.
            optimizer: The optimiser.
            step: Steps done.
        """
        position = optimizer_position(trainer, optimizer)
        self._clearing.step(position, optimizer)
        if self._by_hand is not None:
            self._by_hand.step(position)
            if self._follows_one_loss:
                self._factor = self._record.factor = self._by_hand.factor
        is_watched = self._schedule.is_watched(step)
        if is_watched:
            self._find_layers_anew(trainer, [optimizer])
        is_first = self._schedule.is_first(step)
        self._weights.step(position, optimizer)
        if is_watched:
            self._weights.inspect_gradients()
        if is_first:
            self._weights.weigh_decay(trainer, optimizer)

    def add(self, outputs: Any) -> None:
        """Record the loss of a batch."""
        self.detach()  # A step that calls `loss.backward()` itself was not looked at.
        self._batches.forget()
        self._gaps.close()
        self._weights.untouched.count()
        if self._by_hand is not None:
            own = self._by_hand.close()
            outputs = own if own is not None and self._follows_one_loss else outputs
        self._record.add(outputs, self._factor)

    def news(self, *, look_back: bool = True) -> News:
        """Return what this rank has observed since the last call.

        Args:
            look_back: Whether to measure gradients through sequences.
        """
        self._unfed.detach()
        self._validated.detach()
        return News(
            self._record.news(),
            self._batches.news(),
            self._in_graph,
            self._weights.news(),
            self._look_back_in_time() if look_back else ("", []),
            0 if self._by_hand is None else self._by_hand.most,
            self._clearing.uncleared,
            self._gaps.news(),
            self._sides.news(),
            self._unfed.news(),
            self._validated.news(),
        )

    def _look_back_in_time(self) -> tuple[str, list[float]]:
        """Measure gradients through sequences, if there is reason to."""
        for source in (self._batches.probe, self._batches.repeated):
            if source.layer and not replace(self.vitals).gain > _GOOD_GAIN:
                return source.layer, source.profile()
        return "", []

    def take(self, ranks: Sequence[News]) -> None:
        """Merge the news of all ranks, which are the same on every rank."""
        self._record.take([rank.losses for rank in ranks])
        self._batches.take([rank.batches for rank in ranks])
        self._in_graph = next((rank.in_graph for rank in ranks if rank.in_graph[0]), (0, False, 0))
        self._weights.take([rank.weights for rank in ranks])
        self._gaps.take([rank.first_gap for rank in ranks])
        self._sides.take([rank.side_losses for rank in ranks])
        self._unfed.take([rank.unfed for rank in ranks], self._batches.norms.evaluated_in_training)
        self._validated.take([rank.validated for rank in ranks])
        profiles = [rank.through_time for rank in ranks if rank.through_time[0]]
        if profiles:
            self.vitals.recurrent, self.vitals.recurrent_layer = True, profiles[0][0]
            self.vitals.time_profile = _means([sizes for _, sizes in profiles])
        self._uncleared = min(rank.uncleared for rank in ranks)
        if self._by_hand is not None:
            self.vitals.one_loss = max(rank.passes_by_hand for rank in ranks) == 1
        self.vitals.losses = self._record.losses

    def settle(self, trainer: Trainer) -> Vitals:
        """Update the vital signs with what was merged, and return a copy of them."""
        vitals, record = self.vitals, self._record
        record.judge()
        vitals.step, vitals.epoch = trainer.global_step, trainer.current_epoch
        for name, curve in record.curves.items():
            setattr(vitals, name, curve)
        vitals.target_means = record.target_means
        vitals.validation_spread = record.validation_spread
        vitals.objective = record.objective
        vitals.layers_in_graph, vitals.affine, vitals.saturating_outputs = self._in_graph
        if self._batches.has_news:
            vitals.inputs = self._batches.input_scale()
        vitals.side_inputs = self._batches.side_inputs.found
        vitals.custom_units = self._batches.custom_units.found
        vitals.time_axes = self._batches.time_axes.found
        norms = self._batches.norms
        vitals.fewest_norm_values, vitals.most_norm_values = norms.fewest, norms.most
        vitals.statistics_gap, vitals.norms_in_evaluation_mode = norms.gaps, norms.asleep
        vitals.norm_momenta, vitals.unfed_norms = norms.momenta, self._unfed.found
        vitals.validated_inputs = self._validated.scale
        vitals.uncleared, vitals.first_gap = self._uncleared, self._gaps.first
        vitals.side_losses = self._sides.found
        read_rates(trainer, vitals)
        self._find_layers_anew(trainer, trainer.optimizers)
        self._weights.settle(trainer.optimizers, self._batches.ran, self._batches.follow)
        # The Trainer counts the steps of each optimiser; what follows one loss is one step.
        times = max(1, self._optimizers) if vitals.one_loss else 1
        return replace(
            vitals, step=vitals.step // times, missed=vitals.missed // times,
            rate_rose=vitals.rate_rose // times, planned_steps=vitals.planned_steps / times,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Return what was merged, in types that ``torch.load(weights_only=True)`` accepts."""
        return {
            "record": self._record.state_dict(),
            "batches": self._batches.state_dict(),
            "in_graph": self._in_graph,
            "weights": self._weights.state_dict(),
            "first_gap": self._gaps.first,
            "side_losses": self._sides.found,
            "unfed": self._unfed.found,
            "validated": self._validated.scale,
            "vitals": {name: copy(getattr(self.vitals, name)) for name in _LASTING},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state with the next `begin`."""
        self._record.load_state_dict(state_dict["record"])
        self._batches.load_state_dict(state_dict["batches"])
        self._in_graph = tuple(state_dict["in_graph"])
        self._weights.load_state_dict(state_dict["weights"])
        self._gaps.first = state_dict.get("first_gap", -1)
        self._sides.take([map(tuple, state_dict.get("side_losses", []))])
        self._unfed.resume(state_dict.get("unfed", []))
        self._validated.scale = list(state_dict.get("validated", []))
        self.vitals.losses = self._record.losses
        for name, value in state_dict["vitals"].items():
            setattr(self.vitals, name, value)
        self.vitals.recurrent = bool(self.vitals.recurrent_layer)


def _means(profiles: Sequence[list[float]]) -> list[float]:
    """Return the mean of the ranks' profiles, over those as long as the first."""
    same = [profile for profile in profiles if len(profile) == len(profiles[0])]
    return [sum(sizes) / len(sizes) for sizes in zip(*same, strict=True)]
