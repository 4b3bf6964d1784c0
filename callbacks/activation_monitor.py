"""Saturation, dormant units and internal covariate shift by activation."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..functional.activations import (
    UnitStatistics,
    dormant_units,
    layer_index,
    layer_mean_and_variance,
    layer_means,
    mean_drift,
    unit_moments,
)
from ..functional.arguments import number, optional_whole_number
from .monitoring.activations.activation_kinds import ACTIVATION_MODULES
from .monitoring.activations.activation_observer import ActivationObserver
from .monitoring.activations.compilation import warn_of_hidden
from .monitoring.activations.joined_moments import join_layers, join_ranks, sums_by_site
from .monitoring.activations.step_observation import StepObservation
from .monitoring.guard import attempt, switch_off, switch_off_on_error, switch_off_with_others
from .monitoring.monitor import Monitor
from .monitoring.recording.heat_map import draw_record
from .monitoring.recording.loggers import logger_step, report_interval
from .monitoring.recording.scales import SCALES
from .monitoring.streaks import Streaks
from .monitoring.uncompiled import uncompiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAN = float("nan")
_QUANTITIES = ("drift", "saturated", "dormant", "activation_mean", "activation_variance")
_SCALES = {quantity: SCALES[quantity] for quantity in _QUANTITIES}


class ActivationMonitor(Monitor):
    """Record for each activation its saturation, its dormant units and the shift of its outputs.

    Only the forward passes of reporting steps are observed, including all accumulated
    micro-batches, except those that training skips by returning None as the loss; of several
    evaluations of a closure (LBFGS), only the first. Every call of an activation, module or
    function, is one site, unless the training step itself, not compiled, calls it after a layer and
    passes its outputs to no further layer: then it belongs to the loss. Not observed are calls
    without gradients, under `torch.func`, on parameters or on nested or sparse tensors, and calls
    inside torch's recurrent layers, TorchScript and exported networks. The outputs of an activation
    are the inputs of the next layer, so the drift of their means is the internal covariate shift
    that batch normalisation is meant to reduce. If parts of the network are compiled, every step is
    observed, so that one graph serves all steps, and all but the reporting ones are discarded. An
    activation with most of its units saturated for most inputs, in two consecutive reports, is a
    finding.

    Attention and encoder layers of torch in evaluation mode run as one fused function, unless they
    are observed. Frozen ones, such as a teacher, are therefore not observed. Two kinds are, and
    their outputs differ by rounding in observed steps: those whose parameters require gradients,
    called without any, and encoder layers that the training step itself calls one by one.

    Logged are ``saturated/<site>``, ``dormant/<site>``, ``activation_mean/<site>``,
    ``activation_variance/<site>``, ``drift/<site>``, ``saturated/total``, ``dormant/total`` and
    ``drift/mean``.

    Args:
        every_n_steps: Optimiser steps between reports, each logged as one row; None uses the
            Trainer's ``log_every_n_steps``, or 50 if that is 0. Under manual optimisation, every
            batch counts as a step, as in Lightning's loggers.
        dormant_threshold: A unit is dormant if its mean absolute output is at most this share
            of the mean over its site.

    Attributes:
        saturated_fraction: Share of saturated outputs by site in the last report, 0 to 1; NaN
            for an activation that cannot saturate. See
            :func:`torchvitals.functional.saturated_entries`; ``hardtanh`` is assumed to have its
            default limits.
        saturated_units: Mask by site of the units saturated for more than half of the inputs,
            shape ``(units,)``; only for sites that can saturate.
        dormant_fraction: Share of dormant units by site.
        dormant_units: Mask of dormant units by site, shape ``(units,)``.
        mean: Mean output by site, over batch, positions and units.
        variance: Variance of the outputs by site, likewise.
        drift: Shift of the units' means since the previous report, in standard deviations, by
            site; 0 for a network that does not change, see
            :func:`torchvitals.functional.mean_drift`. NaN in the first report and if one of the
            two steps has a single sample.
        findings: Findings, one sentence each, by key: ``"saturated/<site>"``.
        steps: Step of each report on the loggers' axis: steps done before it.
        history: By quantity (``saturated``, ``dormant``, ``activation_mean``,
            ``activation_variance``, ``drift``) the values by site, one for each of ``steps``.
        reports: Whether the current step is a reporting step.
        watches: Whether the forward pass of the current batch is observed.
        failed: Whether the monitor switched itself off.

    Raises:
        ValueError: If ``every_n_steps`` is below 1 or ``dormant_threshold`` is negative.
        TypeError: If one of them is not a number.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[ActivationMonitor()], logger=False)

    Reference:
        Wardat et al. 2022, "DeepDiagnosis", arXiv:2112.04036; Sokar et al. 2023, "The dormant
        neuron phenomenon in deep reinforcement learning", arXiv:2302.12902; Ioffe & Szegedy
        2015, "Batch normalization", arXiv:1502.03167.
    """

    def __init__(
        self, every_n_steps: int | None = None, *, dormant_threshold: float = 0.025
    ) -> None:
        self.every_n_steps = optional_whole_number("every_n_steps", every_n_steps)
        self.dormant_threshold = number("dormant_threshold", dormant_threshold, least=0)
        super().__init__(_SCALES, dormant_threshold=self.dormant_threshold)
        self._observer = ActivationObserver(ACTIVATION_MODULES, _measure, partial(switch_off, self))
        self._observation = StepObservation(self._observer)
        self.reports = self._learns = False
        self._steps_before = 0
        self._step = self._interval = -1
        self._measured: list[tuple[str, Tensor]] = []
        self._clear()

    def _clear(self) -> None:
        self.drift: dict[str, float] = {}
        self._take({})
        self._streaks = Streaks(needed=2)

    @property
    def saturated_fraction(self) -> dict[str, float]:
        """Share of saturated outputs by site; NaN for an activation that cannot saturate."""
        return self._by_site(layer_means(self._units.saturated, self._layers))

    @property
    def saturated_units(self) -> dict[str, Tensor]:
        """Mask by site of the units that are saturated for more than half of the inputs."""
        shares = {site: units.saturated for site, units in self._statistics.items()}
        return {site: share > 0.5 for site, share in shares.items() if not share.isnan().any()}

    @property
    def dormant_fraction(self) -> dict[str, float]:
        """Share of dormant units by site."""
        return self._by_site(layer_means(self._dormant.double(), self._layers))

    @property
    def dormant_units(self) -> dict[str, Tensor]:
        """Mask of dormant units by site."""
        masks = torch.split(self._dormant, self._layers.widths.tolist())
        return dict(zip(self._statistics, masks, strict=True))

    @property
    def mean(self) -> dict[str, float]:
        """Mean output by site."""
        return self._by_site(layer_mean_and_variance(self._units, self._layers)[0])

    @property
    def variance(self) -> dict[str, float]:
        """Variance of the outputs by site."""
        return self._by_site(layer_mean_and_variance(self._units, self._layers)[1])

    @property
    def _dormant(self) -> Tensor:
        return dormant_units(self._units.magnitude, self.dormant_threshold, self._layers)

    def _by_site(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self._statistics, values.tolist(), strict=True))

    def _take(self, statistics: dict[str, UnitStatistics]) -> None:
        """Set the statistics by site, and join those of all units: one operation serves all."""
        self._statistics = statistics
        self._units = join_layers(statistics.values())
        self._layers = layer_index([units.mean.numel() for units in statistics.values()])

    @property
    def watches(self) -> bool:
        """Whether the forward pass of the current batch is observed."""
        return self._observation.running

    @property
    def history(self) -> dict[str, dict[str, list[float]]]:
        """Values of each quantity by site, one for each of ``steps``."""
        return {quantity: record.history for quantity, record in self._reporter.records.items()}

    def _start(self, pl_module: LightningModule) -> None:
        self.reports, self._step, self._measured = False, -1, []
        self._observation.start(pl_module)
        if self._reporter.speaks:
            warn_of_hidden(type(self).__name__, pl_module, ACTIVATION_MODULES)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check again whether the network is compiled and must be observed at every step."""
        attempt(self, self._observation.start, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Observe this forward pass if its step reports."""
        step = logger_step(trainer)
        if step != self._step:
            self._step, self._measured = step, []
            self._interval = report_interval(trainer, self.every_n_steps)
            self.reports = (step + 1) % self._interval == 0
            if self.reports:
                self._steps_before = trainer.global_step
        self._learns = False
        attempt(self, self._observation.begin, pl_module, wanted=self.reports)

    @uncompiled
    def on_before_zero_grad(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Pause: the forward pass is over, except under manual optimisation."""
        if pl_module.automatic_optimization:
            self._observer.pause()

    @uncompiled
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Ignore what activation checkpointing recomputes."""
        self._learns = True
        self._observer.pause()

    @uncompiled
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resume under manual optimisation only, which may run more after a backward pass."""
        if pl_module.automatic_optimization:
            self._observer.stop()
        elif self._observer.entered:
            self._observer.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the measurements, and report at the end of a reporting step."""
        manual = not pl_module.automatic_optimization
        measured = attempt(self, self._observation.end, stay=self._interval == 1)
        if self.reports and (manual or self._learns):
            self._measured += measured or []
        if trainer.is_last_batch:
            self._observation.leave()
        if self.reports and (manual or trainer.global_step != self._steps_before):
            self.reports = False
            self._report(trainer, pl_module)
        if self.failed:
            self._observation.release()
        self._reporter.end_step(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove every hook outside training."""
        self._leave()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop observing, even if a callback skipped the rest of the epoch."""
        self._leave()

    def _leave(self) -> None:
        self._observation.end()
        self._observation.leave()

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Join the ranks and report; a rank whose monitor has failed joins to tell the others."""
        measured, self._measured = self._measured, []
        sums = attempt(self, sums_by_site, measured, on_host=trainer.world_size == 1)
        try:
            statistics = join_ranks(trainer, pl_module, sums)
        except Exception as error:
            switch_off(self, error)
            return
        if statistics is None:
            switch_off_with_others(self)
        elif statistics:
            self._evaluate(trainer, statistics)

    @switch_off_on_error
    def _evaluate(self, trainer: Trainer, statistics: dict[str, UnitStatistics]) -> None:
        before = self._statistics
        self._take(statistics)
        earlier = join_layers(_like(before.get(site), units) for site, units in statistics.items())
        drift = mean_drift(earlier, self._units, self._layers)
        self.drift = self._by_site(drift)
        dormant = self._dormant.double()
        mean, variance = layer_mean_and_variance(self._units, self._layers)
        values = {
            "drift": self.drift if before else {},
            "saturated": {
                s: share for s, share in self.saturated_fraction.items() if share == share
            },
            "dormant": self._by_site(layer_means(dormant, self._layers)),
            "activation_mean": self._by_site(mean),
            "activation_variance": self._by_site(variance),
        }
        totals = {
            "saturated/total": self._units.saturated.nanmean(),
            "dormant/total": dormant.mean(),
            "drift/mean": drift.nanmean(),
        }
        summary = {name: float(total) for name, total in totals.items() if not total.isnan()}
        self._reporter.report(trainer, self._step, values, summary)
        self._find_saturation(trainer)

    def _find_saturation(self, trainer: Trainer) -> None:
        half = (self._units.saturated > 0.5).double()
        shares = self._by_site(layer_means(half, self._layers))
        if not self._observer.ends_in_layer:
            # The network's output may rightly saturate.
            shares[next(reversed(shares))] = 0.0
        found = {}
        for (site, share), units in zip(shares.items(), self._layers.widths.tolist(), strict=True):
            if self._streaks.established(site, share > 0.5):
                found[f"saturated/{site}"] = (
                    f"{share:.0%} of the {units} units of {site} are saturated for most inputs in "
                    f"two consecutive reports, the last at step {self._step}: almost no gradient "
                    "passes through them. Normalise before the activation, initialise with smaller "
                    "weights, lower the learning rate, or use ReLU."
                )
        self._reporter.find_all(trainer, found)

    def _release(self) -> None:
        self._observation.release()
        self._measured = []

    def plot(
        self, quantity: str = "drift", ax: "Axes | None" = None, *, colorbar: bool = True
    ) -> "Axes":
        """Draw a heat map of one quantity: sites from input (top) to output, by step.

        Args:
            quantity: ``"drift"``, ``"saturated"``, ``"dormant"``, ``"activation_mean"`` or
                ``"activation_variance"``.
            ax: Axes to draw on; None creates a figure.
            colorbar: Whether to draw a colour bar.

        Returns:
            The axes.

        Raises:
            ValueError: If the quantity is unknown, or nothing was recorded for it.
        """
        if quantity not in _SCALES:
            raise ValueError(
                f"Expected `quantity` to be one of {list(_SCALES)}, but got {quantity!r}."
            )
        record = self._reporter.records[quantity]
        return draw_record(ax, record, _SCALES[quantity], colorbar=colorbar)

    def state_dict(self) -> dict[str, Any]:
        """The record, and the statistics that the next report is compared with."""
        return {
            "reporter": self._reporter.state_dict(),
            "statistics": {site: torch.stack(units) for site, units in self._statistics.items()},
            "drift": dict(self.drift),
            "streaks": self._streaks.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint's record."""
        self._reporter.load_state_dict(state_dict["reporter"])
        saved = state_dict["statistics"]
        self._take({site: UnitStatistics(*rows.unbind()) for site, rows in saved.items()})
        self.drift = dict(state_dict["drift"])
        self._streaks.load_state_dict(state_dict["streaks"])


def _measure(site: str, kind: str, outputs: Tensor, unit_dim: int) -> Tensor:
    return unit_moments(outputs, unit_dim, kind)


def _like(before: UnitStatistics | None, after: UnitStatistics) -> UnitStatistics:
    """Earlier statistics if they are of the same units, otherwise unknown ones (NaN)."""
    if before is not None and before.mean.shape == after.mean.shape:
        return before
    return UnitStatistics(*(torch.full_like(field, _NAN) for field in after))
