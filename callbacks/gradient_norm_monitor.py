"""Gradient norms by layer over time."""

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..functional.gradients import layer_gradient_norms, single_precision_range, total_norm
from .monitoring.guard import switch_off_on_error
from .monitoring.heat_map import draw_norms_by_layer
from .monitoring.loggers import log_on_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_RECORDS = 2_000


class GradientNormMonitor(Callback):
    """Record the norm of each layer's gradients, before clipping, at each reporting step.

    Gradients are read just before the optimiser's step: accumulated, reduced over ranks and
    unscaled. A step that does not report costs nothing; one that does costs one pass over the
    gradients and one transfer to the host. A layer is a module that owns parameters; shared
    parameters count once. Logged as ``grad_norm/total`` and ``grad_norm/<layer>``.

    Args:
        every_n_steps: Optimiser steps between reports; None takes the Trainer's
            ``log_every_n_steps``.
        norm_type: Order of the norm; ``float("inf")`` gives the largest magnitude.

    Attributes:
        norms: Last norm by layer.
        total_norm: Last norm over all layers; NaN before the first record.
        steps: Optimiser steps done before each record.
        history: Norms by layer, one value for each of ``steps``, NaN where a layer had no
            gradient. Beyond 2,000 records every second one is dropped.
        failed: Whether the monitor switched itself off.

    Raises:
        ValueError: If ``every_n_steps`` is below 1 or ``norm_type`` is not positive.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[GradientNormMonitor()], logger=False)
    """

    def __init__(self, every_n_steps: int | None = None, *, norm_type: float = 2.0) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"Expected `every_n_steps` to be at least 1, but got {every_n_steps}.")
        if not norm_type > 0:
            raise ValueError(f"Expected `norm_type` to be positive, but got {norm_type}.")
        self.every_n_steps = every_n_steps
        self.norm_type = norm_type
        self.failed = False
        self._layer_of: dict[Tensor, str] = {}
        self._clear()

    def _clear(self) -> None:
        self.norms: dict[str, float] = {}
        self.total_norm = float("nan")
        self.steps: list[int] = []
        self.history: dict[str, list[float]] = {}
        self._weight_layers: list[str] = []
        self._resumed = False

    @property
    def first_to_last_ratio(self) -> float:
        """Norm of the first weight layer over that of the last, the median over the records.

        Weight layers are those with a matrix or a convolution kernel. NaN for fewer than two.
        """
        norms = self._norms_by_weight_layer()
        if len(norms) < 2:
            return float("nan")
        return float((norms[0] / norms[-1]).nanmedian())

    def _norms_by_weight_layer(self) -> Tensor:
        rows = [self.history[layer] for layer in self._weight_layers if layer in self.history]
        return torch.tensor(rows, dtype=torch.float64)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded, and read the layers' names."""
        if not self._resumed:
            self._clear()
        self._resumed = self.failed = False
        self._layer_of = {}
        weighted: dict[str, None] = {}
        for name, parameter in pl_module.named_parameters():
            layer = name.rpartition(".")[0] or "root"
            self._layer_of[parameter] = layer
            if parameter.ndim > 1:
                weighted[layer] = None
        self._weight_layers = list(weighted)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Record the gradients of this optimiser's own parameters, on reporting steps."""
        step = trainer.global_step // max(1, len(trainer.optimizers))
        interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if (step + 1) % (self.every_n_steps or max(1, interval)) == 0:
            self._report(trainer, pl_module, optimizer, step)

    @switch_off_on_error
    def _report(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer, step: int
    ) -> None:
        gradients = self._gradients_by_layer(optimizer)
        if not gradients:
            return
        *by_layer, self.total_norm = self._measure(gradients, _loss_scale(trainer, optimizer))
        norms = dict(zip(gradients, by_layer, strict=True))
        self._record(step, norms)
        suffix = "" if len(trainer.optimizers) < 2 else f"_{_position(trainer, optimizer)}"
        metrics = {f"grad_norm/{layer}": norm for layer, norm in norms.items()}
        log_on_step(
            trainer, pl_module, {**metrics, f"grad_norm/total{suffix}": self.total_norm}, step
        )

    def _gradients_by_layer(self, optimizer: Optimizer) -> dict[str, list[Tensor]]:
        gradients: dict[str, list[Tensor]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    layer = self._layer_of.get(parameter, "other")
                    gradients.setdefault(layer, []).append(parameter.grad)
        order = {layer: i for i, layer in enumerate(dict.fromkeys(self._layer_of.values()))}
        return dict(sorted(gradients.items(), key=lambda item: order.get(item[0], len(order))))

    def _measure(self, gradients: dict[str, list[Tensor]], scale: float) -> list[float]:
        """Norm by layer and of all, on the host."""
        values = self._norms_and_total(gradients, torch.float32)
        low, high = single_precision_range(self.norm_type)
        if not all(low <= value <= high for value in values):
            # Vanished or overflowed in single precision, or really 0, infinite or NaN.
            values = self._norms_and_total(gradients, torch.float64)
        return [value / scale for value in values]

    def _norms_and_total(
        self, gradients: dict[str, list[Tensor]], dtype: torch.dtype
    ) -> list[float]:
        norms = layer_gradient_norms(gradients, self.norm_type, dtype=dtype)
        total = total_norm(norms, self.norm_type)
        values: list[float] = torch.cat([norms, total[None]]).tolist()
        return values

    def _record(self, step: int, norms: dict[str, float]) -> None:
        self.norms = {**self.norms, **norms}
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)
            for values in self.history.values():
                values.append(float("nan"))
        for layer, norm in norms.items():
            values = self.history.setdefault(layer, [float("nan")] * len(self.steps))
            values[-1] = norm
        if len(self.steps) > _MAX_RECORDS:
            self.steps = self.steps[::2]
            self.history = {layer: values[::2] for layer, values in self.history.items()}

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let go of the parameters."""
        self._layer_of = {}

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        low: float = 1e-8,
        high: float = 1e1,
        colorbar: bool = True,
    ) -> "Axes":
        """Heat map of the norms: weight layers from input (top) to output by step.

        Each row carries its median norm.

        Args:
            ax: Axes to draw on; None makes a figure.
            low: Norm at the dark end of the logarithmic colours.
            high: Norm at the bright end.
            colorbar: Whether to draw the colours' scale.

        Returns:
            The axes.

        Raises:
            ValueError: If nothing was recorded.
        """
        norms = self._norms_by_weight_layer()
        if not norms.numel():
            raise ValueError("Expected recorded gradient norms, but there are none: run fit first.")
        return draw_norms_by_layer(ax, self.steps, norms, low=low, high=high, colorbar=colorbar)

    def state_dict(self) -> dict[str, Any]:
        """The whole record."""
        return {
            "norms": self.norms,
            "total_norm": self.total_norm,
            "steps": self.steps,
            "history": self.history,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's record."""
        self.norms = dict(state_dict["norms"])
        self.total_norm = state_dict["total_norm"]
        self.steps = list(state_dict["steps"])
        self.history = {layer: list(values) for layer, values in state_dict["history"].items()}
        self._resumed = True


def _position(trainer: Trainer, optimizer: Optimizer) -> int:
    return next(i for i, known in enumerate(trainer.optimizers) if known is optimizer)


def _loss_scale(trainer: Trainer, optimizer: Optimizer) -> float:
    """Scale still on the gradients: a fused optimiser unscales inside its own step."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return 1.0
    return float(scaler.get_scale())
