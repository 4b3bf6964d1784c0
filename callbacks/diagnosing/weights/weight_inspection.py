"""Weights and their gradients before a step: which learn, which are identical, which stay zero."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from ...monitoring.gradients.gradient_reading import loss_scale
from ...stopping.resuming.accumulation import batches_per_step
from ..clipping import clip_norm
from ..transfer import to_host
from ..vital_signs.signs import NAN
from ..vital_signs.vitals import Vitals
from .anatomy import (
    are_waiting,
    bare_parameters,
    count_gates,
    embedding_tables,
    find_layers,
    gradient_of,
    have_identical_columns,
    have_identical_units,
    is_torchs,
    is_whole,
    matrices_of,
    own_matrices,
    parameters_of,
    weight_gain,
)
from .decay import decay_pull
from .idle_units import IdleUnits
from .untouched_weights import UntouchedWeights
from .untrained_weights import UntrainedWeights

_INSPECTIONS_TO_BE_SURE = 4
# Layers whose weights have a row for each unit.
_BY_UNIT = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
# What is known of a layer is kept when all are found again.
_LASTING = ("has_gradient", "identical_units", "weight_gain", "as_drawn")


@dataclass(frozen=True)
class WeightNews:
    """What one rank has observed, on the host.

    Attributes:
        has_gradient: Names of the layers that have ever had a gradient.
        identical: Whether the units of a layer or of a custom module's matrix, or the columns of an
            embedding, are identical, once inspected.
        gains: See `Layer.weight_gain`, once inspected.
        drawn: See `Layer.as_drawn`, likewise.
        idle: See `Layer.idle_share`, for layers with idle units.
        waiting: Names of weights that are and were 0, like their gradients; None if nothing is new.
        pushed: Data type of each parameter newly found to have a nonzero gradient, see
            `ObservedSigns.pushed`.
        stepped: Positions of the optimisers that have ever made a step.
        decay_pulls: New ones, see `decay_pull`.
    """

    has_gradient: list[str]
    identical: dict[str, bool]
    gains: dict[str, float]
    drawn: dict[str, bool]
    idle: dict[str, float]
    waiting: list[str] | None
    pushed: dict[str, str]
    stepped: set[int]
    decay_pulls: list[float]


class WeightInspection:
    """Inspect weights and gradients before some steps.

    Args:
        vitals: Vital signs in which the findings about the layers are stored.

    Attributes:
        multiplied: Parameters that are known to be the matrix of a product.
        normed: Matrices and kernels whose product is normalised.
        untouched: Whether the weights change at all.
    """

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self.multiplied: Set[Tensor] = frozenset()
        self.normed: Set[Tensor] = frozenset()
        self._known: Mapping[str, Mapping[str, Any]] = {}
        self._inspections = 0
        self._stepped: set[int] = set()
        self._rated: set[tuple[int, int]] = set()
        self._weights: dict[str, Tensor] = {}
        self._modules: dict[str, nn.Module] = {}
        self._largest: dict[str, Tensor] = {}
        self._gates: dict[str, int] = {}
        self._tables: dict[str, Tensor] = {}
        self._bare: dict[str, Tensor] = {}
        self._matrices: dict[str, Tensor] = {}
        self._with_gradient: set[str] = set()
        self._parameters: dict[str, nn.Parameter] = {}
        self._strangers: set[Tensor] = set()
        self.untouched = UntouchedWeights()
        self._are_lazy = False
        self._identical: dict[str, Tensor] = {}
        self._gains: dict[str, Tensor] = {}
        self._untrained = UntrainedWeights()
        self._drawn: dict[str, Tensor] = {}
        self._idle = IdleUnits()
        self._candidates: list[str] = []
        self._zeros: dict[str, Tensor] = {}
        self._pushes: dict[str, Tensor] = {}
        self._pulls: list[Tensor] = []

    def begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the layers, before the first batch."""
        layers = self._vitals.layers = find_layers(pl_module, trainer.optimizers)
        modules = dict(pl_module.named_modules())
        self._modules = {layer.name: modules[layer.name] for layer in layers}
        # A parametrisation that is registered later takes a layer's weights away from it.
        self._weights = {name: matrices_of(part)[0] for name, part in self._modules.items()}
        # Of a recurrent layer's several matrices, the largest is the most informative.
        self._largest = {
            name: max(matrices_of(part), key=Tensor.numel)
            for name, part in self._modules.items()
            if is_torchs(part)
        }
        self._gates = {name: count_gates(part) for name, part in self._modules.items()}
        self._tables, self._bare = embedding_tables(pl_module), bare_parameters(pl_module)
        self._matrices = own_matrices(pl_module)
        self._parameters = dict(pl_module.named_parameters())
        self._candidates = [n for n in self._vitals.waiting if n in self._parameters]
        for layer in layers:
            for name, value in self._known.get(layer.name, {}).items():
                setattr(layer, name, value)
        self._strangers = set[Tensor]()
        parameters = self._parameters.values()
        self._are_lazy = any(isinstance(p, nn.UninitializedParameter) for p in parameters)
        batches = batches_per_step(trainer, trainer.current_epoch)
        self.untouched = UntouchedWeights(parameters, batches)

    def find_anew(self, trainer: Trainer, optimizers: Iterable[Optimizer]) -> bool:
        """Find the layers again if one was added, replaced or lazily initialised.

        Args:
            trainer: The Trainer.
            optimizers: Optimisers whose parameters are compared with the known ones.

        Returns:
            Whether the layers were found again.
        """
        known = set(self._parameters.values())
        if not self._are_lazy and parameters_of(optimizers) - known <= self._strangers:
            return False
        before, weights = {layer.name: layer for layer in self._vitals.layers}, self._weights
        self.begin(trainer, trainer.lightning_module)
        self._idle, self._untrained = IdleUnits(), UntrainedWeights()
        self._strangers = parameters_of(trainer.optimizers) - set(self._parameters.values())
        for layer in self._vitals.layers:
            old = before.get(layer.name)
            if old is None or weights[layer.name] is not self._weights[layer.name]:
                layer.has_gradient = True  # Assumed, as it was not observed.
            else:
                for name in _LASTING:
                    setattr(layer, name, getattr(old, name))
        return True

    def step(self, position: int, optimizer: Optimizer) -> None:
        """Record that an optimiser is about to make a step, and which groups' rates are nonzero.

        Args:
            position: Its position among the Trainer's optimisers.
            optimizer: The optimiser.
        """
        self._stepped.add(position)
        for place, group in enumerate(optimizer.param_groups):
            # Reading a rate on a device would synchronise with it.
            if isinstance(group.get("lr"), Tensor) or group.get("lr") != 0:
                self._rated.add((position, place))

    def weigh_decay(self, trainer: Trainer, optimizer: Optimizer) -> None:
        """Measure how much of one of the first steps is weight decay."""
        pull = decay_pull(optimizer, loss_scale(trainer, optimizer), clip_norm(trainer))
        self._pulls += [] if pull is None else [pull]

    def inspect_gradients(self) -> None:
        """Record which layers have gradients, and at first what should differ but does not."""
        for layer in self._vitals.layers:
            layer.has_gradient |= gradient_of(self._weights[layer.name]) is not None
        for others in (self._tables, self._bare):
            self._with_gradient.update(n for n, p in others.items() if gradient_of(p) is not None)
        is_first, is_sure = self._inspections == 0, self._inspections == _INSPECTIONS_TO_BE_SURE
        if is_first or is_sure:
            self._compare_units(is_sure=is_sure)
        if is_first:
            self._measure_gains()
            self._untrained.look(self._largest)
        if is_sure:
            self._drawn = self._untrained.look_again(self._largest)
            self._candidates = [n for n, p in self._parameters.items() if p.ndim > 1]
        own = {name: part for name, part in self._modules.items() if is_torchs(part)}
        by_unit = (name for name, part in own.items() if isinstance(part, _BY_UNIT))
        self._idle.look({name: self._weights[name] for name in by_unit})
        self._zeros = {name: are_waiting(self._parameters[name]) for name in self._candidates}
        self._look_for_pushes()
        self._inspections += 1

    def _compare_units(self, *, is_sure: bool) -> None:
        """Find layers, embeddings and matrices whose units or columns are identical."""
        self._identical = {
            name: have_identical_units(w, sure=is_sure, gates=self._gates[name])
            for name, w in self._weights.items()
            if gradient_of(w) is not None
        }
        self._identical |= {n: have_identical_columns(p) for n, p in self._tables.items()}
        if not is_sure:
            self._identical |= {
                name: have_identical_units(p, sure=False) | have_identical_columns(p)
                for name, p in self._matrices.items()
                if p in self.multiplied
            }

    def _measure_gains(self) -> None:
        """Measure the initial weights of the trained layers."""
        for layer in self._vitals.layers:
            weight, of_torch = self._weights[layer.name], is_torchs(self._modules[layer.name])
            if not layer.trained or not (of_torch or weight in self.multiplied):
                continue
            gain = weight_gain(weight)
            if not of_torch:  # Small ones may be meant to grow.
                gain = gain.where(gain > 1, NAN)
            elif weight in self.normed:  # The norm undoes the rest.
                gain = gain.where(gain <= 1, NAN)
            self._gains[layer.name] = gain
        self.multiplied = self.normed = frozenset()

    def _look_for_pushes(self) -> None:
        """Find nonzero gradients of parameters outside the layers, unless already known."""
        for name, parameter in self._parameters.items():
            if name in self._vitals.pushed or name.rpartition(".")[0] in self._weights:
                continue
            gradient = gradient_of(parameter)
            if is_whole(gradient) and gradient.numel():
                push = gradient.any()
                known = self._pushes.get(name)
                self._pushes[name] = push if known is None else known | push

    def news(self) -> WeightNews:
        """Return what this rank has observed since the last call."""
        identical, self._identical = to_host(self._identical), {}
        zeros, self._zeros = self._zeros, {}
        pushes, self._pushes = to_host(self._pushes), {}
        pushed = [n for n, push in pushes.items() if push and n in self._parameters]
        gains, self._gains = to_host(self._gains), {}
        drawn, self._drawn = to_host(self._drawn), {}
        pulls, self._pulls = self._pulls, []
        idle = self._idle.settle(to_host(self._idle.shares()))
        return WeightNews(
            [layer.name for layer in self._vitals.layers if layer.has_gradient],
            identical,
            gains,
            drawn,
            idle,
            [name for name, zero in to_host(zeros).items() if zero] if zeros else None,
            {n: str(self._parameters[n].dtype).removeprefix("torch.") for n in pushed},
            self._stepped,
            [float(pull) for pull in pulls],
        )

    def take(self, ranks: Sequence[WeightNews]) -> None:
        """Merge the news of all ranks."""
        with_gradient = {name for rank in ranks for name in rank.has_gradient}
        for layer in self._vitals.layers:
            layer.has_gradient = layer.name in with_gradient
            seen = [rank.identical[layer.name] for rank in ranks if layer.name in rank.identical]
            layer.identical_units |= bool(seen) and all(seen)
            layer.weight_gain = ranks[0].gains.get(layer.name, layer.weight_gain)
            layer.as_drawn = ranks[0].drawn.get(layer.name, layer.as_drawn)
            layer.idle_share = ranks[0].idle.get(layer.name, 0.0)
        if any(name in ranks[0].identical for name in self._tables):
            same = {name for name, alike in ranks[0].identical.items() if alike}
            self._vitals.identical_tables = [name for name in self._tables if name in same]
        for name in self._matrices:
            if all(rank.identical.get(name, False) for rank in ranks):
                self._vitals.identical_matrices.append(name)
        # The weights and their gradients are the same on every rank.
        if ranks[0].waiting is not None:
            self._candidates = self._vitals.waiting = ranks[0].waiting
        for rank in ranks:
            self._vitals.pushed = self._vitals.pushed | rank.pushed
        self._vitals.decay_pulls = [*self._vitals.decay_pulls, *ranks[0].decay_pulls]
        self._stepped = set[int]().union(*(rank.stepped for rank in ranks))

    def settle(
        self, optimizers: Sequence[Optimizer], ran: Iterable[str], follow: Iterable[str]
    ) -> None:
        """Bring the layers up to date.

        Args:
            optimizers: The Trainer's optimisers.
            ran: Names of the layers that were called.
            follow: Names of those whose input was seen to depend on trained weights.
        """
        optimized = parameters_of(optimizers)
        rated = {
            parameter
            for place, optimizer in enumerate(optimizers)
            for i, group in enumerate(optimizer.param_groups)
            if (place, i) in self._rated
            for parameter in group["params"]
        }
        stepped = [o for place, o in enumerate(optimizers) if place in self._stepped]
        moved = optimized if len(stepped) == len(optimizers) else parameters_of(stepped)
        for layer in self._vitals.layers:
            layer.ran, layer.follows = layer.name in ran, layer.name in follow
            # A layer that was frozen at first may have been unfrozen.
            weight = self._weights[layer.name]
            layer.trained = weight.requires_grad
            layer.optimized = weight in optimized
            layer.stepped = weight in moved or not layer.optimized
            layer.rated = weight in rated or not layer.optimized
        reached = self._with_gradient or any(layer.has_gradient for layer in self._vitals.layers)
        self._vitals.untouched = self.untouched.batches()
        self._vitals.steps_are_made = bool(self._stepped)
        self._vitals.has_gradients = bool(reached)
        called = [layer for layer in self._vitals.layers if layer.ran]
        for layer in self._vitals.layers:
            layer.is_last = bool(called) and layer is called[-1]
        tables, bare = self._reached(self._tables), self._reached(self._bare)
        self._vitals.forgotten_tables = [n for n, p in tables.items() if p not in optimized]
        self._vitals.forgotten_parameters = [n for n, p in bare.items() if p not in optimized]
        self._vitals.idle_tables = [n for n, p in tables.items() if p in optimized - moved]

    def _reached(self, some: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the trained ones that have had a gradient."""
        reached = ((n, p) for n, p in some.items() if n in self._with_gradient)
        return {name: parameter for name, parameter in reached if parameter.requires_grad}

    def state_dict(self) -> dict[str, Any]:
        """Return what was observed so far."""
        layers = {
            layer.name: {name: getattr(layer, name) for name in _LASTING}
            for layer in self._vitals.layers
        }
        return {
            "layers": layers or self._known,  # if no fit has begun since loading
            "inspections": self._inspections,
            "stepped": sorted(self._stepped),
            "rated": sorted(self._rated),
            "idle": self._idle.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state with the next `begin`."""
        self._known = state_dict["layers"]
        self._inspections = state_dict["inspections"]
        self._idle = IdleUnits(state_dict["idle"])
        self._stepped = set(state_dict["stepped"])
        self._rated = {(position, place) for position, place in state_dict["rated"]}
