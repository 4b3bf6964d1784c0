"""Dead ReLU units by call site."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..functional.arguments import optional_whole_number, whole_number
from .monitoring.activations.activity_rules import choose_rules
from .monitoring.activations.compilation import warn_of_hidden
from .monitoring.activations.dead_findings import DeadFindings
from .monitoring.activations.unit_masks import count_units, join_masks
from .monitoring.activations.unit_watch import UnitWatch
from .monitoring.guard import (
    attempt,
    switch_off,
    switch_off_on_error,
    switch_off_with_others,
    warn_on_rank_zero,
)
from .monitoring.monitor import Monitor
from .monitoring.recording.heat_map import draw_record
from .monitoring.recording.loggers import logger_step
from .monitoring.recording.scales import SCALES
from .monitoring.uncompiled import uncompiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALE = SCALES["dead_relu"]


class DeadReLUMonitor(Monitor):
    """Count, at each call site, the units that no training input in a window activated.

    A unit of ReLU or ReLU6 is active if its output is positive. Every call of a module or function
    in every training batch is observed, in compiled regions too, each under its own site; of
    several evaluations of a closure (LBFGS), those in the first. A unit is a channel of a
    convolution or a feature of a dense layer; with several ranks, it is dead only if it is dead on
    all of them. Not observed are calls without gradients, under `torch.func` (`vmap`), on
    parameters or on nested or sparse tensors, `torch.clamp`, `torch.maximum` and `torch.threshold`
    in place of a ReLU, calls inside `torch.nn.RNN`, TorchScript and exported networks, `F.relu_` in
    compiled regions, and compiled regions inside a reentrant checkpoint. A hinge that the training
    step itself, unless it is compiled, calls after a layer and passes to no further layer belongs
    to the loss, and one number per sample, or for all samples, is not a unit. A site whose width
    changes from call to call has no units; one whose layer is widened or pruned within a window is
    left out of it, and watched again from the next one on.

    A unit that was active need not be watched again in the same window. So the monitor watches only
    those that were not, and nothing once all were: from then on, a step costs nothing until the
    next window. (In the first window of a fit, where a site may appear late, it continues as long
    as an activation module has not run, and checks every 16th batch for functional calls. It also
    checks these batches while only modules, each with its own hook, have units left to watch.
    Compiled regions are always observed: the measurement is fused, and stopping would need another
    graph.)

    Attention and encoder layers of torch in evaluation mode run as one fused function, unless they
    are observed. Frozen ones, such as a teacher, are therefore not observed. Two kinds are, and
    their outputs differ by rounding in observed batches: those whose parameters require gradients,
    called without any, and encoder layers that the training step itself calls one by one.

    Logged are ``dead_relu/total`` and ``dead_relu/<site>`` (for up to 100 sites) as shares, and
    from the second report on ``dead_relu/births`` and ``dead_relu/revivals`` as numbers of units.
    Reported once per site: that more than half of its units were dead for an epoch, or for 100 or
    more steps of shorter windows together; for more than three sites at once, only the first and
    the number of others are logged (``findings`` has them all).

    Dead units could also be read off the gradients, without hooks: a unit that is dead for a whole
    batch has a zero row in its layer's weight gradient. This is not done, because it is not
    equivalent: the row is also zero if a later layer or the loss passes no gradient back, or if
    half precision underflows; a penalty in the loss makes it nonzero; and calls that share a layer
    cannot be distinguished. Nor is it cheaper in the long run: gradients would be read at every
    step, activations only until all units were active.

    Args:
        every_n_steps: Optimiser steps per window; None makes each epoch a window. Long or endless
            epochs give no report before their end: set the number of steps for these.
        activations: Activations to watch: names, or thresholds by name. A unit is active if its
            largest output (for GELU and SiLU, its largest magnitude) is above the threshold.
        observe_every_n_batches: Observe only every n-th batch. Above 1, only the inputs of these
            batches count, and a window without any of them changes nothing.

    Attributes:
        dead_fraction: Share of dead units by call site, 0 to 1, in the last finished window.
        dead_units: Mask of dead units by call site, shape ``(units,)``.
        total_dead_fraction: Share over all sites; NaN if none was seen.
        births: Number of units by call site that are dead and were not in the previous window.
        revivals: Number of units by call site that were dead in the previous window and are not.
        findings: Findings, one sentence each, by key: ``"dead:<site>"``.
        steps: Step of the end of each window on the loggers' axis.
        history: Shares of dead units by call site, one value for each of ``steps``.
        watches: Whether the forward pass of the current batch is observed.
        may_close: Whether a window of steps ends with the current step.
        failed: Whether the monitor switched itself off.

    Raises:
        ValueError: If an interval is below 1, if there is no activation or an unknown one, or if a
            threshold is invalid.
        TypeError: If an interval or a threshold is not a number, or ``activations`` are not names.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[DeadReLUMonitor()], logger=False)
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        *,
        activations: Sequence[str] | Mapping[str, float] = ("relu", "relu6"),
        observe_every_n_batches: int = 1,
    ) -> None:
        self.every_n_steps = optional_whole_number("every_n_steps", every_n_steps)
        self.observe_every_n_batches = whole_number(
            "observe_every_n_batches", observe_every_n_batches
        )
        rules = choose_rules(activations)
        thresholds = {kind: rule.threshold for kind, rule in rules.items()}
        super().__init__(
            {"dead_relu": _SCALE},
            activations=thresholds,
            every_n_steps=self.every_n_steps,
            observe_every_n_batches=self.observe_every_n_batches,
        )
        self._watch = UnitWatch(rules, partial(switch_off, self))
        self.may_close = self._keep_window = False
        self._steps_before = 0
        self._clear()

    def _clear(self) -> None:
        self.dead_units: dict[str, Tensor] = {}
        self.births: dict[str, int] = {}
        self.revivals: dict[str, int] = {}
        self._watch.clear()
        self._opened_at = 0
        self._findings = DeadFindings(self._reporter)
        self._warned = False

    @property
    def dead_fraction(self) -> dict[str, float]:
        """Share of dead units by call site, 0 to 1, in the last finished window."""
        dead = count_units(self.dead_units)
        return {site: dead[site] / len(mask) for site, mask in self.dead_units.items()}

    @property
    def total_dead_fraction(self) -> float:
        """Share of dead units over all sites; NaN if none was seen."""
        units = sum(map(len, self.dead_units.values()))
        return sum(count_units(self.dead_units).values()) / units if units else float("nan")

    @property
    def watches(self) -> bool:
        """Whether the forward pass of the current batch is observed."""
        return self._watch.watching

    @property
    def history(self) -> dict[str, list[float]]:
        """Shares of dead units by call site, one value for each of ``steps``."""
        return self._reporter.first.history

    def _start(self, pl_module: LightningModule) -> None:
        self._watch.start(pl_module)
        if self._reporter.speaks:
            warn_of_hidden(type(self).__name__, pl_module, self._watch.rules)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the first window, unless one continues."""
        if not self._continues:
            self._opened_at = logger_step(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the epoch's window, or continue the one restored from a checkpoint."""
        if self.every_n_steps is None and not self._keep_window:
            self._watch.open()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Observe this batch's forward pass, if there is anything left to see."""
        self._keep_window = self.may_close = False
        if self.every_n_steps is not None:
            self._close_if_due(trainer, pl_module)
            self.may_close = logger_step(trainer) + 1 - self._opened_at >= self.every_n_steps
            if self.may_close:
                self._steps_before = trainer.global_step
        if self.observes(batch_idx):
            batch_number = batch_idx // self.observe_every_n_batches
            attempt(self, self._watch.begin, pl_module, batch_number)

    def observes(self, batch_idx: int) -> bool:
        """Whether a batch is observed, even if only for the sake of a compiled region."""
        return self._counts(batch_idx) or self._watch.always

    def _counts(self, batch_idx: int) -> bool:
        return batch_idx % self.observe_every_n_batches == 0

    @uncompiled
    def on_before_zero_grad(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Pause: the forward pass is over, except under manual optimisation."""
        if pl_module.automatic_optimization:
            self._watch.pause()

    @uncompiled
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Ignore what activation checkpointing recomputes."""
        self._watch.pause()

    @uncompiled
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resume under manual optimisation only, which may run more after a backward pass."""
        if pl_module.automatic_optimization or self.failed:
            self._watch.stop()
        else:
            self._watch.resume()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Close the batch."""
        self._watch.stop()
        # The loggers' axis counts the step of this batch only later.
        stepped = trainer.global_step != self._steps_before
        closes = self.may_close and (stepped or not pl_module.automatic_optimization)
        if self._counts(batch_idx):
            attempt(self, self._watch.take, pl_module, closes=closes)
        else:
            attempt(self, self._watch.drop)
        if trainer.is_last_batch:
            self._watch.leave()
        if closes:
            self._close_steps(trainer, pl_module, logger_step(trainer) + 1)
        self._reporter.end_step(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove every hook outside training."""
        self._watch.release()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch, or a window that ends with it."""
        self._watch.drop()  # a callback may have skipped the rest of the epoch with this batch
        self._watch.leave()
        if self.every_n_steps is None:
            self._close(trainer, pl_module, logger_step(trainer) - 1)
        else:
            self._close_if_due(trainer, pl_module)
        self._reporter.flush(trainer)

    def _close_if_due(self, trainer: Trainer, pl_module: LightningModule) -> None:
        done = logger_step(trainer)
        if self.every_n_steps is not None and done - self._opened_at >= self.every_n_steps:
            self._close_steps(trainer, pl_module, done)

    def _close_steps(self, trainer: Trainer, pl_module: LightningModule, done: int) -> None:
        self._findings.steps += done - self._opened_at
        self._close(trainer, pl_module, done - 1)
        self._opened_at = done

    def _close(self, trainer: Trainer, pl_module: LightningModule, step: int) -> None:
        """Join the ranks' windows, report, and open the next window."""
        active = self._join_ranks(trainer)
        seen = self._watch.window.batches > 0 or any(map(len, (active or {}).values()))
        self._watch.open()
        self._keep_window = False
        if active is None:
            switch_off_with_others(self)
        elif seen:  # otherwise the window fell between two observed batches
            self._report(trainer, pl_module, step, active)

    def _join_ranks(self, trainer: Trainer) -> dict[str, Tensor] | None:
        return join_masks(trainer, None if self.failed else self._watch.window.active)

    @switch_off_on_error
    def _report(
        self, trainer: Trainer, pl_module: LightningModule, step: int, active: dict[str, Tensor]
    ) -> None:
        self._warn_of_unseen(self._watch.know(active))
        with_units = self._watch.sites_with_units(active, pl_module)
        self._findings.forget(active.keys() - with_units.keys())
        active = with_units
        before, self.dead_units = self.dead_units, {site: ~mask for site, mask in active.items()}
        both = [s for s in before if s in active and before[s].shape == active[s].shape]
        self.births = count_units({s: self.dead_units[s] & ~before[s] for s in both})
        self.revivals = count_units({s: before[s] & active[s] for s in both})
        if not self.dead_units:
            return
        summary = {"dead_relu/total": self.total_dead_fraction}
        if both:
            summary["dead_relu/births"] = float(sum(self.births.values()))
            summary["dead_relu/revivals"] = float(sum(self.revivals.values()))
        self._findings.look(trainer, active, of_epoch=self.every_n_steps is None)
        self._reporter.report(trainer, step, {"dead_relu": self.dead_fraction}, summary)

    def _warn_of_unseen(self, unseen: Sequence[str]) -> None:
        if unseen and self._reporter.speaks and not self._warned:
            self._warned = True
            one = f"the activation module {unseen[0]!r} in training: it is unused, or runs"
            more = f"{len(unseen)} activation modules in training, the first {unseen[0]!r}: "
            which = one if len(unseen) == 1 else f"{more}they are unused, or run"
            warn_on_rank_zero(
                f"{type(self).__name__} did not see {which} without gradients, under "
                "`torch.func` (`vmap`), on parameters, on nested or sparse tensors or on one "
                "number per sample."
            )

    def _release(self) -> None:
        self._watch.release()

    def plot(self, ax: "Axes | None" = None, *, colorbar: bool = True) -> "Axes":
        """Draw a heat map of the shares: call sites, the first to run on top, by window.

        Args:
            ax: Axes to draw on; None creates a figure.
            colorbar: Whether to draw a colour bar.

        Returns:
            The axes.

        Raises:
            ValueError: If nothing was recorded.
        """
        return draw_record(ax, self._reporter.first, _SCALE, colorbar=colorbar)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the open window, joined over all ranks."""
        checkpoint["callbacks"][self.state_key]["window"] = self._join_ranks(trainer) or {}

    def state_dict(self) -> dict[str, Any]:
        """Masks of the last finished window and the whole record."""
        return {
            "dead_units": self.dead_units,
            "births": self.births,
            "revivals": self.revivals,
            "watch": self._watch.state_dict(),
            "opened_at": self._opened_at,
            "judged": self._findings.state_dict(),
            "window": {},
            "report": self._reporter.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint's record and its open window."""
        self._clear()
        self.dead_units = dict(state_dict["dead_units"])
        self.births = dict(state_dict["births"])
        self.revivals = dict(state_dict["revivals"])
        self._watch.load_state_dict(state_dict["watch"], state_dict["window"])
        self._opened_at = state_dict["opened_at"]
        self._findings.load_state_dict(state_dict["judged"])
        self._keep_window = True
        self._reporter.load_state_dict(state_dict["report"])
