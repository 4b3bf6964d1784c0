"""What the doctor sees of a training by itself: losses, inputs and layers."""

import math
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from .anatomy import FirstBatches, find_layers, have_identical_units, highest_dropout, matrix_of
from .autograd_graph import count_layers, has_graph
from .loss_record import LossRecord
from .vitals import Vitals

_GOOD, _SURE = 0.5, 4


class Observation:
    """Collect what the vital signs are made of.

    Attributes:
        vitals: The vital signs as of the last `settle`.
    """

    def __init__(self) -> None:
        self.vitals = Vitals()
        self._record = LossRecord()
        self._batches = FirstBatches()
        self._factor = 1.0
        self._identical: dict[str, Tensor] = {}
        self._inspections = 0
        self._optimizers = 1
        self._stepped: set[Optimizer] = set()
        self._weights: dict[str, Tensor | None] = {}

    def begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take down what is known before the first batch."""
        vitals, self._factor = self.vitals, float(trainer.accumulate_grad_batches)
        self._optimizers = len(trainer.optimizers)
        vitals.batches_per_epoch = float(trainer.num_training_batches)
        vitals.planned_steps = _planned_steps(trainer)
        vitals.clips = bool(trainer.gradient_clip_val)
        vitals.one_loss = pl_module.automatic_optimization and self._optimizers == 1
        vitals.layers = find_layers(pl_module, trainer.optimizers)
        modules = dict(pl_module.named_modules())
        self._weights = {layer.name: matrix_of(modules[layer.name]) for layer in vitals.layers}
        vitals.dropout = highest_dropout(pl_module)
        recurrent = (nn.RNNBase, nn.RNNCellBase)
        vitals.recurrent = any(isinstance(m, recurrent) for m in pl_module.modules())
        groups = [group for o in trainer.optimizers for group in o.param_groups]
        vitals.weight_decay = max((float(g.get("weight_decay", 0.0)) for g in groups), default=0.0)

    def attach(self, pl_module: LightningModule) -> None:
        """Watch what reaches the layers in this batch."""
        self._batches.attach(pl_module)

    def detach(self) -> None:
        """Leave no hook behind."""
        self._batches.detach()

    def look(self, loss: Tensor) -> None:
        """Read a loss that is about to be differentiated."""
        if self._optimizers == 1:
            self._record.look(loss, self._factor, self._batches.outputs)
        if not self.vitals.layers_in_graph and has_graph(loss):
            self.vitals.layers_in_graph, self.vitals.affine = count_layers(loss)
        self._batches.outputs.clear()

    def inspect(self, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """See which layers have gradients, and at first whether their units differ."""
        weights = self._weights
        for layer in self.vitals.layers:
            weight = weights[layer.name]
            layer.has_gradient |= weight is not None and weight.grad is not None
        if self._inspections in (0, _SURE):
            self._identical = {
                name: have_identical_units(weight, sure=self._inspections == _SURE)
                for name, weight in weights.items()
                if weight is not None and weight.grad is not None
            }
        self._inspections += 1

    def step(self, optimizer: Optimizer) -> None:
        """Take down that an optimiser is about to make a step."""
        self._stepped.add(optimizer)

    def add(self, outputs: Any) -> None:
        """Take up a batch's loss."""
        self._record.add(outputs, self._factor)

    def settle(self, trainer: Trainer) -> Vitals:
        """Bring the vital signs up to date, and give a copy of them."""
        vitals, record = self.vitals, self._record
        record.settle()
        vitals.step, vitals.epoch = trainer.global_step, trainer.current_epoch
        vitals.losses, vitals.data_losses = record.losses, record.data_losses
        vitals.accuracies, vitals.penalty_shares = record.accuracies, record.penalty_shares
        vitals.same_class_pairs = record.same_class_pairs
        vitals.objective = record.objective
        if self._batches.has_news:
            vitals.inputs = self._batches.input_scale()
        vitals.smallest_batch = self._batches.smallest_batch
        vitals.statistics_gap = self._batches.statistics_gap()
        rates = [g["lr"] for o in trainer.optimizers for g in o.param_groups][:1]
        vitals.learning_rate = float(rates[0]) if rates else math.nan
        vitals.learning_rate_peak = max(
            vitals.learning_rate, *(v for v in [vitals.learning_rate_peak] if v == v), 0.0
        )
        self._settle_layers()
        self._settle_steps(trainer)
        self._look_back_in_time()
        return replace(vitals)

    def _look_back_in_time(self) -> None:
        """See how gradients fare through sequences, where there is reason to."""
        vitals = self.vitals
        for source in (self._batches.probe, self._batches.repeated):
            if source.layer and not replace(vitals).gain > _GOOD:
                vitals.recurrent, vitals.recurrent_layer = True, source.layer
                vitals.time_profile = source.profile()
                return

    def _settle_steps(self, trainer: Trainer) -> None:
        if len(self._stepped) == len(trainer.optimizers):
            moved = None
        else:
            moved = {p for o in self._stepped for group in o.param_groups for p in group["params"]}
        for layer in self.vitals.layers:
            layer.stepped = moved is None or self._weights[layer.name] in moved

    def _settle_layers(self) -> None:
        if self._identical:
            flags = torch.stack(list(self._identical.values())).tolist()
            same = dict(zip(self._identical, flags, strict=True))
            self._identical = {}
            for layer in self.vitals.layers:
                layer.identical_units |= bool(same.get(layer.name, False))
        for layer in self.vitals.layers:
            layer.ran = layer.name in self._batches.ran
        ran = [layer for layer in self.vitals.layers if layer.ran]
        for layer in self.vitals.layers:
            layer.is_last = bool(ran) and layer is ran[-1]


def _planned_steps(trainer: Trainer) -> float:
    """Optimiser steps that are planned; infinite where that is not known."""
    limits = []
    if trainer.max_steps != -1:
        limits.append(float(trainer.max_steps))
    if trainer.max_epochs not in (None, -1) and math.isfinite(trainer.num_training_batches):
        batches = trainer.num_training_batches / trainer.accumulate_grad_batches
        limits.append(math.ceil(batches) * float(trainer.max_epochs or 0))
    return min(limits, default=math.inf)
