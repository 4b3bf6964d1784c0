"""Gradient norms by layer over time."""

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..functional.arguments import flag, number, optional_whole_number
from .monitoring.gradients.gradient_findings import GradientFindings
from .monitoring.gradients.gradient_reading import (
    gradients_by_layer,
    loss_scale,
    optimizer_position,
    parameters_beside,
    scales_loss,
)
from .monitoring.gradients.layer_order import LayerOrder
from .monitoring.gradients.measuring import join_norms, measure_norms
from .monitoring.gradients.noise import NoiseScale
from .monitoring.gradients.report_clock import ReportClock
from .monitoring.guard import SideWork, attempt, switch_off_on_error
from .monitoring.layers import layers_by_parameter, weight_layers
from .monitoring.recording.heat_map import draw_heat_map
from .monitoring.recording.loggers import logger_step, report_interval
from .monitoring.recording.scales import SCALES
from .monitoring.step_monitor import StepMonitor
from .monitoring.uncompiled import uncompiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALE = SCALES["grad_norm"]


class GradientNormMonitor(StepMonitor):
    """Record the norm of each layer's gradients, before clipping, at each reporting step.

    Gradients are read just before the optimiser step: accumulated, reduced over ranks and unscaled.
    Under manual optimisation, they are read after any change by the module itself, in each
    optimiser's first step at or after the one that is due: some batches may have no step, and of
    several in one batch only the first is recorded. A non-reporting step costs nothing; a reporting
    step costs one pass over the gradients and one transfer to the host. A layer is a module that
    owns parameters, or each matrix of a custom module that has several; shared parameters count
    once, sharded ones (FSDP2) as a whole. Each optimiser's report covers its own parameters only.
    The order of the layers is taken from the first batch, where the gradient of the last layer
    arrives first; in compiled or sharded networks, it is the order of registration.

    Logged are ``grad_norm/total``, ``grad_norm/<layer>`` (for up to 100 layers),
    ``grad_norm/first_to_last``, ``grad_norm/running_mean``, ``grad_norm/running_deviation`` and, if
    enabled, ``grad_norm/clipped_share`` (clipping) and ``grad_norm/noise_scale``; with several
    optimisers, every name but the layers' ends in ``_0``, ``_1``, ... Reported once: gradients that
    vanish (for at least 20 steps) or explode through the layers, with the layer where this begins,
    and a total norm above 100 times its running mean, after three consecutive reports; a gradient
    that is not finite, at once. Steps that 16-bit mixed precision skips are only counted, unless
    ten reporting steps in a row are skipped.

    Args:
        every_n_steps: Optimiser steps between reports, each logged as one row; None uses the
            Trainer's ``log_every_n_steps``, or 50 if that is 0. Under manual optimisation, every
            batch counts as a step, as in Lightning's loggers.
        norm_type: Order of the norm; ``float("inf")`` or ``"inf"`` gives the largest magnitude.
        noise_scale: Whether to estimate the gradient noise scale (McCandlish et al. 2018) of the
            first optimiser, from the gradients of two consecutive steps at each report. This keeps
            a copy of the gradients for one step. It is disabled, with a warning, if Lightning
            cannot determine the batch size, or for gradients that torch cannot average, as in CSR
            layout. Steps that accumulate fewer batches than they are divided by, such as the last
            of an epoch, are left out; so is manual optimisation, unless every batch makes a step.

    Attributes:
        norms: Last norm by layer.
        total_norm: Last norm over all layers, of all optimisers; NaN before the first report.
        steps: Step of each report on the loggers' axis: steps done before it.
        history: Norms by layer, one value for each of ``steps``, NaN where a layer had no
            gradient. Beyond 2,000 reports, every second one is dropped.
        running_mean, running_deviation: Mean and standard deviation of the first optimiser's total
            norm, exponentially weighted (0.97).
        clipped_share: Share of the reported steps whose gradients the Trainer clipped; NaN
            without clipping.
        skipped_steps: Reporting steps that mixed precision skipped.
        noise_scale_value: Gradient noise scale in samples; NaN if it is not known.
        findings: Findings, one sentence each, by key: ``"non_finite_0"``, ``"vanish_0"``,
            ``"explode_0"`` or ``"growth_0"`` with the optimiser's position, or ``"non_finite"`` for
            skipped steps.
        failed: Whether the monitor switched itself off.

    Raises:
        ValueError: If ``every_n_steps`` is below 1 or ``norm_type`` is not positive.
        TypeError: If one of them is not a number, if ``noise_scale`` is not a bool, or if a fit
            starts with a strategy that flattens parameters (FSDP1, DeepSpeed).

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[GradientNormMonitor()], logger=False)
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        *,
        norm_type: float | Literal["inf"] = 2.0,
        noise_scale: bool = False,
    ) -> None:
        interval = optional_whole_number("every_n_steps", every_n_steps)
        order = float(norm_type) if norm_type == "inf" else norm_type
        self.norm_type = number("norm_type", order, above=0)
        super().__init__(interval, {"grad_norm": _SCALE}, norm_type=self.norm_type)
        self._estimates_noise = flag("noise_scale", noise_scale)
        self._side_work = SideWork(type(self).__name__)
        self._layer_of: dict[Tensor, str] = {}
        self._strangers: set[Tensor] = set()
        self._order = LayerOrder()
        self._is_ordered = True
        self._clear()

    def _clear(self) -> None:
        self._totals: dict[int, float] = {}
        self.skipped_steps = 0
        self._clipped = self._unclipped = 0
        self._sizes: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._weight_layers: list[str] = []
        self._findings = GradientFindings(self._reporter)
        self._clock = ReportClock()
        self._noise = NoiseScale() if self._estimates_noise else None

    @property
    def norms(self) -> dict[str, float]:
        """Last norm by layer."""
        return dict(self._reporter.first.last)

    @property
    def total_norm(self) -> float:
        """Last norm over all layers, of all optimisers."""
        totals = list(self._totals.values())
        return join_norms(totals, self.norm_type) if totals else float("nan")

    @property
    def running_mean(self) -> float:
        """Running mean of the total norm of the first optimiser."""
        return self._findings.moments(0).mean

    @property
    def running_deviation(self) -> float:
        """Running standard deviation of the total norm of the first optimiser."""
        return self._findings.moments(0).deviation

    @property
    def clipped_share(self) -> float:
        """Share of the reported steps whose gradients were clipped."""
        steps = self._clipped + self._unclipped
        return self._clipped / steps if steps else float("nan")

    @property
    def noise_scale_value(self) -> float:
        """Gradient noise scale in samples."""
        return float("nan") if self._noise is None else self._noise.value

    @property
    def profile(self) -> dict[str, float]:
        """Last norm of each weight layer per parameter: divided by (number of entries)^(1/p).

        Weight layers are those with a matrix or a convolution kernel, from input to output, of all
        optimisers.
        """
        return self._profile(self.norms)

    @property
    def first_to_last_ratio(self) -> float:
        """Median over the reports of the first weight layer's gradient norm over the last one's.

        Per parameter, as in ``profile``, so that layer sizes do not matter, and for layers of the
        first optimiser only, because two networks have separate backward passes. NaN for fewer than
        two layers.
        """
        history = self.history
        layers = [layer for layer in self._weight_layers if self._positions.get(layer) == 0]
        if len(layers) < 2:
            return float("nan")
        table = torch.tensor([history[layers[0]], history[layers[-1]]], dtype=torch.float64)
        ratios = [ratio for ratio in (table[0] / table[1]).tolist() if ratio == ratio]
        # torch.median of an even number of values is the lower of the middle two.
        ratio: float = statistics.median(ratios or [float("nan")])
        return ratio * self._scale_of(layers[-1]) / self._scale_of(layers[0])

    def _profile(self, norms: dict[str, float]) -> dict[str, float]:
        layers = [layer for layer in self._weight_layers if layer in norms]
        return {layer: norms[layer] / self._scale_of(layer) for layer in layers}

    def _scale_of(self, layer: str) -> float:
        return float(self._sizes[layer] ** (1 / self.norm_type))

    def _start(self, pl_module: LightningModule) -> None:
        self._side_work.resume()
        self._order, self._is_ordered = LayerOrder(), False
        self._read_layers(pl_module)

    def _read_layers(self, pl_module: LightningModule) -> None:
        layer_of = layers_by_parameter(pl_module)
        order = self._order.sort(dict.fromkeys(layer_of.values()))
        place = {layer: i for i, layer in enumerate(order)}
        self._layer_of = dict(sorted(layer_of.items(), key=lambda item: place[item[1]]))
        self._weight_layers = sorted(weight_layers(pl_module), key=place.__getitem__)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Watch the layers' order in the first batch, and count samples for the noise scale."""
        if not self._is_ordered:
            self._side_work.attempt("order of layers", self._order.watch, pl_module, self._layer_of)
        if self._noise is not None:
            step, interval = logger_step(trainer), report_interval(trainer, self.every_n_steps)
            # The step before a report counts, too: its gradients are kept.
            if self._clock.is_due(0, step + 1, interval):
                count, ranks = self._noise.count, trainer.world_size
                self._side_work.attempt("noise scale", count, step, batch, ranks)

    @uncompiled
    @switch_off_on_error
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Record the gradients of this optimiser's own parameters, on reporting steps."""
        step, interval = logger_step(trainer), report_interval(trainer, self.every_n_steps)
        position = optimizer_position(trainer, optimizer)
        if not self._is_ordered:
            self._order.close_pass()
            self._read_layers(pl_module)
        if self._noise is not None:
            self._noise.close(trainer.accumulate_grad_batches)
        if self._clock.is_due(position, step, interval):
            self._report(trainer, pl_module, optimizer, step)
        if self._noise is None or position or not self._noise.batch_size:
            return
        if self._clock.is_due(0, step + 1, interval):
            gradients = gradients_by_layer(optimizer, self._layer_of)
            scale = loss_scale(trainer, optimizer)
            self._side_work.attempt("noise scale", self._noise.keep, gradients, scale)

    def _report(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer, step: int
    ) -> None:
        if not parameters_beside(optimizer, self._layer_of) <= self._strangers:
            # A layer was added to the module, or replaced another one.
            self._read_layers(pl_module)
            self._strangers |= parameters_beside(optimizer, self._layer_of)
        gradients = gradients_by_layer(optimizer, self._layer_of)
        if not gradients:
            return
        position = optimizer_position(trainer, optimizer)
        # An optimiser that evaluates its closure several times takes one step.
        self._clock.count(position, step)
        scale = loss_scale(trainer, optimizer)
        scaled = measure_norms(gradients, self.norm_type)
        norms = {layer: norm / scale for layer, norm in scaled.items()}
        total = join_norms(list(norms.values()), self.norm_type)
        if self._was_skipped(trainer, total):
            return
        self._sizes |= {layer: sum(g.numel() for g in grads) for layer, grads in gradients.items()}
        self._positions = dict.fromkeys(norms, position) | self._positions
        self._totals[position] = total
        self._findings.look(trainer, position, norms, total, self._profile(norms))
        self._count_clipped(trainer, pl_module, gradients, scale)
        if self._noise is not None and position == 0:
            self._side_work.attempt("noise scale", self._noise.report, gradients, scale)
        summary = self._summarize(trainer, position, norms)
        self._reporter.report(trainer, step, {"grad_norm": norms}, summary)

    def _was_skipped(self, trainer: Trainer, total: float) -> bool:
        """Whether mixed precision skips this step, as it does until it has found its loss scale."""
        skipped = scales_loss(trainer) and not math.isfinite(total)
        self.skipped_steps += skipped
        self._findings.count_skipped(trainer, skipped)
        return skipped

    def _count_clipped(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        gradients: dict[str, list[Tensor]],
        scale: float,
    ) -> None:
        limit = trainer.gradient_clip_val
        if not limit or not pl_module.automatic_optimization:
            return
        norm_type = float("inf") if trainer.gradient_clip_algorithm == "value" else 2.0
        total = self.total_norm
        if norm_type != self.norm_type:
            total = (
                join_norms(list(measure_norms(gradients, norm_type).values()), norm_type) / scale
            )
        self._clipped += total > limit
        self._unclipped += total <= limit

    def _summarize(
        self, trainer: Trainer, position: int, norms: dict[str, float]
    ) -> dict[str, float]:
        suffix = "" if len(trainer.optimizers) < 2 else f"_{position}"
        moments = self._findings.moments(position)
        summary = {
            "total": self._totals[position],
            "running_mean": moments.mean,
            "running_deviation": moments.deviation,
        }
        profile = list(self._profile(norms).values())
        if len(profile) > 1 and profile[-1] > 0:
            summary["first_to_last"] = profile[0] / profile[-1]
        if self._clipped + self._unclipped:
            summary["clipped_share"] = self.clipped_share
        if math.isfinite(self.noise_scale_value) and position == 0:
            summary["noise_scale"] = self.noise_scale_value
        return {f"grad_norm/{name}{suffix}": value for name, value in summary.items()}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the row of this step."""
        if not self._is_ordered:
            self._is_ordered = True
            self._order.end()
            attempt(self, self._read_layers, pl_module)
        self._reporter.end_step(trainer)

    def _release(self) -> None:
        self._order.end()
        self._layer_of, self._strangers = {}, set()
        if self._noise is not None:
            self._noise.forget()

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        low: float = 1e-8,
        high: float = 1e1,
        colorbar: bool = True,
    ) -> "Axes":
        """Draw a heat map of the norms: weight layers from input (top) to output, by step.

        Each row shows its median norm. Where no weight layer is trained, all layers are shown.

        Args:
            ax: Axes to draw on; None creates a figure.
            low: Norm at the dark end of the logarithmic colour scale.
            high: Norm at the bright end.
            colorbar: Whether to draw a colour bar.

        Returns:
            The axes.

        Raises:
            ValueError: If nothing was recorded, or ``low`` and ``high`` are not a finite range
                above 0.
            TypeError: If one of them is not a number.
        """
        low = number("low", low, above=0)
        high = number("high", high, above=low)
        if high == float("inf"):
            raise ValueError("Expected `high` to be finite, but got inf: set a largest norm.")
        history = self.history
        labels = [layer for layer in self._weight_layers if layer in history] or list(history)
        scale = replace(_SCALE, low=low, high=high)
        table = torch.tensor([history[layer] for layer in labels], dtype=torch.float64)
        return draw_heat_map(ax, self.steps, table, labels, scale, colorbar=colorbar)

    def state_dict(self) -> dict[str, Any]:
        """The whole record."""
        return {
            "reporter": self._reporter.state_dict(),
            "totals": dict(self._totals),
            "positions": dict(self._positions),
            "skipped_steps": self.skipped_steps,
            "clipped": (self._clipped, self._unclipped),
            "sizes": dict(self._sizes),
            "weight_layers": list(self._weight_layers),
            "clock": self._clock.state_dict(),
            "findings": self._findings.state_dict(),
            "noise": self._noise and self._noise.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint's record."""
        self._clear()
        self._reporter.load_state_dict(state_dict["reporter"])
        self._totals = dict(state_dict["totals"])
        self._positions = dict(state_dict["positions"])
        self.skipped_steps = state_dict["skipped_steps"]
        self._clipped, self._unclipped = state_dict["clipped"]
        self._sizes = dict(state_dict["sizes"])
        self._weight_layers = list(state_dict["weight_layers"])
        self._clock.load_state_dict(state_dict["clock"])
        self._findings.load_state_dict(state_dict["findings"])
        if self._noise is not None and state_dict["noise"]:
            self._noise.load_state_dict(state_dict["noise"])
