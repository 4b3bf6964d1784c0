"""How far each step moves the weights of each layer."""

import math
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from ..functional.arguments import optional_whole_number
from .monitoring.gradients.gradient_reading import (
    has_gradients,
    optimizer_position,
    parameters_beside,
    scales_loss,
)
from .monitoring.gradients.report_clock import ReportClock
from .monitoring.gradients.weight_copies import WeightCopies
from .monitoring.guard import switch_off_on_error
from .monitoring.layers import layer_names
from .monitoring.recording.heat_map import draw_record
from .monitoring.recording.loggers import logger_step, report_interval
from .monitoring.recording.scales import SCALES
from .monitoring.step_monitor import StepMonitor
from .monitoring.streaks import Streaks
from .monitoring.uncompiled import uncompiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALE = SCALES["update_ratio"]
_MAX_NAMED = 5
_MIN_STEPS = 20
_MIN_SHARE_OF_PEAK_RATE = 0.01


class UpdateRatioMonitor(StepMonitor):
    r"""Record how far a step moves each layer, :math:`\|\Delta w\| / \|w\|`, for any optimiser.

    The weights before and after a reporting step are compared, so the ratio includes momentum,
    weight decay, clipping and whatever else the step does. Weights that require no gradient are
    left out. Only a reporting step copies the weights, for its own duration. If every step reports,
    copies on the host are kept after the first ten steps and updated after each: a write to a
    weight in between is not mistaken for its step, unless it bypasses autograd (``weight.data``).
    About 1e-3 is the usual advice (Stanford's course cs231n). Steps that 16-bit mixed precision
    skips and training steps that return None are not reported. Sharded parameters (FSDP2) count as
    a whole. Under manual optimisation, the update is that of all steps of the batch, and each
    optimiser reports in its first step at or after the one that is due, because some batches may
    have none.

    Logged are ``update_ratio/total`` and ``update_ratio/<layer>`` (for up to 100 layers). Reported
    once, after three consecutive reports and 20 steps: parameters in an optimiser that do not move,
    although their learning rate is above 1% of its peak; a bias only if its whole layer does not
    move.

    Args:
        every_n_steps: Optimiser steps between reports, each logged as one row; None uses the
            Trainer's ``log_every_n_steps``, or 50 if that is 0. Under manual optimisation, every
            batch counts as a step, as in Lightning's loggers.

    Attributes:
        ratios: Last ratio by layer; NaN if the weights were all 0 before the step.
        total_ratio: Last ratio over all layers in the report; NaN before the first report.
        growth: Norm of all weights, each before its last reported step, over their norm before the
            first one; NaN before the first report.
        steps: Step of each report on the loggers' axis: steps done before it.
        history: Ratios by layer, one value for each of ``steps``.
        frozen: Names of the parameters that require no gradient or are in no optimiser.
        unmoved: Names of the parameters in an optimiser that did not move in three or more
            consecutive reports over 20 or more steps, unless a schedule has reduced their rate.
        findings: Findings, one sentence each, by key: ``"unmoved"``.
        failed: Whether the monitor switched itself off.

    Raises:
        ValueError: If ``every_n_steps`` is below 1.
        TypeError: If it is not an integer, or if a fit starts with a strategy that flattens
            parameters (FSDP1, DeepSpeed).

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[UpdateRatioMonitor()], logger=False)
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        interval = optional_whole_number("every_n_steps", every_n_steps)
        super().__init__(interval, {"update_ratio": _SCALE})
        self._names: dict[Tensor, str] = {}
        self._layers: dict[str, str] = {}
        self._strangers: set[Tensor] = set()
        self._before = WeightCopies()
        self._moving: dict[Tensor, bool] = {}
        self._copied: set[int] = set()
        self._has_gradients = False
        self._clear()

    def _clear(self) -> None:
        self.total_ratio = float("nan")
        self.frozen: list[str] = []
        self.unmoved: list[str] = []
        self._streaks = Streaks(span=_MIN_STEPS)
        self._first_lengths: dict[str, float] = {}
        self._lengths: dict[str, float] = {}
        self._peaks: dict[str, float] = {}
        self._clock = ReportClock()

    @property
    def ratios(self) -> dict[str, float]:
        """Last ratio by layer."""
        return dict(self._reporter.first.last)

    @property
    def growth(self) -> float:
        """Norm of all weights before the last reported step over that before the first."""
        first = math.hypot(*self._first_lengths.values())
        return math.hypot(*self._lengths.values()) / first if first else float("nan")

    def _start(self, pl_module: LightningModule) -> None:
        # They are read before the first copy: the module may still replace layers.
        self._names, self._layers = {}, {}
        self._before.forget()

    def _read_names(self, pl_module: LightningModule) -> None:
        self._names = {parameter: name for name, parameter in pl_module.named_parameters()}
        self._layers = layer_names(pl_module)

    @uncompiled
    @switch_off_on_error
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Copy this optimiser's parameters before a reporting step."""
        interval = report_interval(trainer, self.every_n_steps)
        position = optimizer_position(trainer, optimizer)
        if self._clock.is_due(position, logger_step(trainer), interval):
            self._before.keep = interval == 1
            self._copied.add(position)
            self._has_gradients |= has_gradients(optimizer)
            self._copy(pl_module, optimizer)

    def _copy(self, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not parameters_beside(optimizer, self._names) <= self._strangers:
            # A layer was added to the module, or replaced another one.
            self._read_names(pl_module)
            self._strangers |= parameters_beside(optimizer, self._names)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                moves = parameter.requires_grad and parameter in self._names
                # A lazy layer that has not run yet has no weights, and torch has no norms of
                # updates of sparse weights.
                moves = moves and not isinstance(parameter, nn.UninitializedParameter)
                moves = moves and parameter.layout == torch.strided
                if moves and parameter.numel() and parameter not in self._before:
                    self._before.take(parameter)
                    self._moving[parameter] = self._is_to_move(parameter, group.get("lr"))

    def _is_to_move(self, parameter: Tensor, lr: float | Tensor | None) -> bool:
        """Whether steps are large enough to show: no schedule has reduced the rate to almost 0."""
        if lr is None:  # Adafactor computes its own, and others have none.
            return True
        name, lr = self._names[parameter], float(lr)
        self._peaks[name] = max(lr, self._peaks.get(name, lr))
        return lr > _MIN_SHARE_OF_PEAK_RATE * self._peaks[name]

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Compare the parameters with their copies."""
        if self._before:
            # The training step returned nothing: Lightning still calls the hooks of a step.
            void = pl_module.automatic_optimization and not outputs and not self._has_gradients
            self._has_gradients = False
            if void:
                self._drop()
            else:
                self._report(trainer)
        self._reporter.end_step(trainer)

    def _drop(self) -> None:
        self._before.drop()
        self._moving, self._copied = {}, set()

    @switch_off_on_error
    def _report(self, trainer: Trainer) -> None:
        step = logger_step(trainer)
        for position in self._copied:
            self._clock.count(position, step)
        moving, self._moving, self._copied = self._moving, {}, set()
        norms = self._before.norms(self._names)
        if scales_loss(trainer) and not any(move for _, move in norms.values()):
            return
        known = {self._names[p]: moves for p, moves in moving.items() if p in self._names}
        self._take_stock(trainer, norms, known)
        self._record(trainer, norms)

    def _record(self, trainer: Trainer, norms: dict[str, tuple[float, float]]) -> None:
        parts: dict[str, list[tuple[float, float]]] = {}
        for name, pair in norms.items():
            parts.setdefault(self._layers[name], []).append(pair)
        ratios = {layer: _ratio(found) for layer, found in parts.items()}
        self.total_ratio = _ratio(list(norms.values()))
        summary = {"update_ratio/total": self.total_ratio}
        step = logger_step(trainer)
        self._reporter.report(trainer, step, {"update_ratio": ratios}, summary)

    def _take_stock(
        self,
        trainer: Trainer,
        norms: dict[str, tuple[float, float]],
        moving: dict[str, bool],
    ) -> None:
        """Find the parameters that are frozen, and those that should move but do not."""
        optimized = {p for o in trainer.optimizers for g in o.param_groups for p in g["params"]}
        self.frozen = [
            name
            for parameter, name in self._names.items()
            if not parameter.requires_grad or parameter not in optimized
        ]
        step = logger_step(trainer)
        # An in-place running average, say, changes a parameter between optimiser steps.
        still = {
            name: moving[name] and move == 0.0 and length == self._lengths.get(name, length)
            for name, (length, move) in norms.items()
        }
        self._lengths |= {name: length for name, (length, _) in norms.items()}
        self._first_lengths = self._lengths | self._first_lengths
        # Nothing new is known about another optimiser's parameters.
        unknown = [name for name in self.unmoved if name not in still]
        self.unmoved = unknown + [
            name for name, stands in still.items() if self._streaks.established(name, stands, step)
        ]
        # A softmax or a normalisation after a bias may cancel its effect.
        layers = self._layers
        moved = {layers[name] for name, (_, move) in norms.items() if move > 0.0}
        names = [
            n for n in self.unmoved if n in norms and ("bias" not in n or layers[n] not in moved)
        ]
        if names:
            named = ", ".join(names[:_MAX_NAMED])
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            count = "1 parameter does" if len(names) == 1 else f"{len(names)} parameters do"
            text = f"{count} not move despite being in an optimiser: {named}{more}."
            self._reporter.find(trainer, "unmoved", text)

    def _release(self) -> None:
        self._names, self._strangers = {}, set()
        self._drop()
        self._before.forget()

    def plot(self, ax: "Axes | None" = None, *, colorbar: bool = True) -> "Axes":
        """Draw a heat map of the ratios: layers in registration order, the first on top, by step.

        Args:
            ax: Axes to draw on; None creates a figure.
            colorbar: Whether to draw a colour bar.

        Returns:
            The axes.

        Raises:
            ValueError: If nothing was recorded.
        """
        return draw_record(ax, self._reporter.first, _SCALE, colorbar=colorbar)

    def state_dict(self) -> dict[str, Any]:
        """The whole record."""
        return {
            "reporter": self._reporter.state_dict(),
            "total_ratio": self.total_ratio,
            "frozen": list(self.frozen),
            "unmoved": list(self.unmoved),
            "streaks": self._streaks.state_dict(),
            "peaks": dict(self._peaks),
            "first_lengths": dict(self._first_lengths),
            "lengths": dict(self._lengths),
            "clock": self._clock.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint's record."""
        self._clear()
        self._reporter.load_state_dict(state_dict["reporter"])
        self.total_ratio = state_dict["total_ratio"]
        self.frozen = list(state_dict["frozen"])
        self.unmoved = list(state_dict["unmoved"])
        self._streaks.load_state_dict(state_dict["streaks"])
        self._peaks = dict(state_dict["peaks"])
        self._first_lengths = dict(state_dict["first_lengths"])
        self._lengths = dict(state_dict["lengths"])
        self._clock.load_state_dict(state_dict["clock"])


def _ratio(parts: list[tuple[float, float]]) -> float:
    """Norm of the update over that of the weights, from the norms of the parameters."""
    length, move = (math.hypot(*norms) for norms in zip(*parts, strict=True))
    return move / length if length else float("nan")
