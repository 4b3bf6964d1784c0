"""Gradient norms by layer over time."""

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..functional.gradients import layer_gradient_norms, total_norm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_RECORDS = 2_000


class GradientNormMonitor(Callback):
    """Record the norm of each layer's gradients, before clipping, at each reporting step.

    Gradients are read just before the optimiser's step: accumulated, reduced over ranks and
    unscaled. A step that does not report costs nothing. A layer is a module that owns
    parameters; shared parameters count once.

    Args:
        every_n_steps: Optimiser steps between reports; None takes the Trainer's
            ``log_every_n_steps``.
        norm_type: Order of the norm; ``float("inf")`` gives the largest magnitude.

    Attributes:
        norms: Last norm by layer.
        total_norm: Last norm over all layers.
        steps: Optimiser steps of the records.
        history: Norms by layer, one value for each of ``steps``, NaN where a layer had no
            gradient. Beyond 2,000 records every second one is dropped.

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
        self._layer_of: dict[Tensor, str] = {}
        self._matrix_layers: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self.norms: dict[str, float] = {}
        self.total_norm = float("nan")
        self.steps: list[int] = []
        self.history: dict[str, list[float]] = {}
        self._resumed = False

    @property
    def first_to_last_ratio(self) -> float:
        """Norm of the first weight layer over that of the last, the median over the records."""
        if len(self.history) < 2:
            return float("nan")
        first, *_, last = self._weight_layers()
        first_norms, last_norms = (
            torch.tensor(self.history[layer], dtype=torch.float64) for layer in (first, last)
        )
        ratios = first_norms / last_norms
        return float(ratios.nanmedian())

    def _weight_layers(self) -> list[str]:
        weighted = [name for name in self.history if name in self._matrix_layers]
        return weighted if len(weighted) > 1 else list(self.history)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded, and read the layers' names."""
        if not self._resumed:
            self._clear()
        self._resumed = False
        self._layer_of, self._matrix_layers = {}, set()
        for name, parameter in pl_module.named_parameters():
            layer = name.rpartition(".")[0] or "root"
            self._layer_of[parameter] = layer
            if parameter.ndim > 1:
                self._matrix_layers.add(layer)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Record the gradients of this optimiser's own parameters, on reporting steps."""
        optimizers = len(trainer.optimizers)
        step = trainer.global_step // max(1, optimizers)
        interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        every = self.every_n_steps or max(1, interval)
        if (step + 1) % every == 0:
            norms = self._measure(trainer, optimizer)
            if norms:
                self._record(step, norms)
                suffix = "" if optimizers < 2 else f"_{_position(trainer, optimizer)}"
                self._log(trainer, pl_module, norms, suffix)

    def _measure(self, trainer: Trainer, optimizer: Optimizer) -> dict[str, float]:
        gradients: dict[str, list[Tensor]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    layer = self._layer_of.get(parameter, "other")
                    gradients.setdefault(layer, []).append(parameter.grad)
        order = {layer: i for i, layer in enumerate(dict.fromkeys(self._layer_of.values()))}
        gradients = dict(sorted(gradients.items(), key=lambda item: order.get(item[0], len(order))))
        norms = layer_gradient_norms(gradients, self.norm_type)
        values = torch.cat([norms, total_norm(norms, self.norm_type)[None]])
        scale = _loss_scale(trainer, optimizer)
        *by_layer, self.total_norm = (values / scale).tolist()
        return dict(zip(gradients, by_layer, strict=True))

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

    def _log(
        self, trainer: Trainer, pl_module: LightningModule, norms: dict[str, float], suffix: str
    ) -> None:
        if trainer.barebones:
            return
        metrics = {f"grad_norm/{layer}": norm for layer, norm in norms.items()}
        metrics[f"grad_norm/total{suffix}"] = self.total_norm
        pl_module.log_dict(metrics, on_step=True, on_epoch=False)

    def plot(self, ax: "Axes | None" = None, *, low: float = 1e-8, high: float = 1e1) -> "Axes":
        """Heat map of the norms, layers from input (top) to output (bottom) by step.

        Args:
            ax: Axes to draw on; None makes a figure.
            low: Norm at the dark end of the colours.
            high: Norm at the bright end.

        Returns:
            The axes.

        Raises:
            ValueError: If nothing was recorded.
        """
        import matplotlib.pyplot as plt
        from matplotlib.colors import LogNorm

        if not self.steps:
            raise ValueError("Expected recorded gradient norms, but there are none: run fit first.")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        layers = self._weight_layers()
        values = torch.tensor([self.history[layer] for layer in layers]).clamp(min=low)
        image = ax.pcolormesh(
            self.steps,
            range(len(layers)),
            values.numpy(),
            norm=LogNorm(low, high),
            cmap="magma",
            shading="nearest",
        )
        ax.set(xlabel="training step", yticks=range(len(layers)))
        ax.set_yticklabels(_layer_labels(len(layers)))
        ax.invert_yaxis()
        bar = ax.figure.colorbar(image, ax=ax, ticks=[1e-8, 1e-6, 1e-4, 1e-2, 1])
        bar.ax.set_yticklabels(["no signal", "a millionth", "1/10,000", "1/100", "1"])
        bar.set_label("gradient norm")
        return ax

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


def _layer_labels(count: int) -> list[str]:
    labels = [str(i + 1) for i in range(count)]
    labels[0], labels[-1] = "1 (input)", f"{count} (output)"
    return labels


def _position(trainer: Trainer, optimizer: Optimizer) -> int:
    return next(i for i, known in enumerate(trainer.optimizers) if known is optimizer)


def _loss_scale(trainer: Trainer, optimizer: Optimizer) -> float:
    """Scale still on the gradients: a fused optimiser unscales inside its own step."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return 1.0
    return float(scaler.get_scale())
