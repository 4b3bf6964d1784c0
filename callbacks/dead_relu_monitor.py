"""Dead ReLU units by call site."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from ..functional.dead_units import active_units
from .monitoring.activation_observer import ACTIVATION_MODULES, ActivationObserver
from .monitoring.guard import switch_off


class DeadReLUMonitor(Callback):
    """Count the ReLU units that gave no positive output for any training input of the epoch.

    Every ReLU and ReLU6 of every training batch is seen, modules and functional calls alike,
    one record for each call site. A unit is a channel of a convolution or a feature of a dense
    layer; under several ranks it is dead only if it is dead on all. A ReLU inside a compiled
    region is not seen, which is said once; it is never reported as alive.

    Attributes:
        dead_fraction: Share of dead units by call site, 0 to 1, in the last finished epoch.
        dead_units: Mask of dead units by call site, shape ``(units,)``.
        failed: Whether the monitor switched itself off.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[DeadReLUMonitor()], logger=False)
    """

    def __init__(self) -> None:
        self.dead_units: dict[str, Tensor] = {}
        self._active: dict[str, Tensor] = {}
        self._observer = ActivationObserver(
            ("relu", "relu6"), self._measure, partial(switch_off, self)
        )
        self.failed = False
        self._warned = False

    @property
    def dead_fraction(self) -> dict[str, float]:
        """Share of dead units by call site, 0 to 1, in the last finished epoch."""
        return {site: float(dead.float().mean()) for site, dead in self.dead_units.items()}

    @property
    def total_dead_fraction(self) -> float:
        """Share of dead units over all sites; NaN where no ReLU was seen."""
        units = sum(dead.numel() for dead in self.dead_units.values())
        dead = sum(int(dead.sum()) for dead in self.dead_units.values())
        return dead / units if units else float("nan")

    def _measure(self, site: str, kind: str, outputs: Tensor, unit_dim: int) -> Tensor:
        return active_units(outputs, unit_dim)

    def _take(self) -> None:
        for site, _, active in self._observer.drain():
            known = self._active.get(site)
            self._active[site] = active if known is None else known | active

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh."""
        self._active = {}
        self.failed = self._warned = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open a new window."""
        self._active = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Follow the running modules while training."""
        self._observer.attach(pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave no hook on the model outside training."""
        self._observer.detach()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on following the running modules."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._observer.attach(pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Observe this step's forward pass."""
        if not self.failed:
            self._observer.start()

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Do not count what activation checkpointing computes again."""
        self._observer.pause()

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on only in manual optimisation, which may run more after its first backward pass."""
        if pl_module.automatic_optimization or self.failed:
            self._observer.stop()
        else:
            self._observer.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Close the step."""
        self._observer.stop()
        self._take()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Join the ranks' windows and report."""
        windows = _gather(trainer, None if self.failed else self._active)
        if any(window is None for window in windows):
            self.failed = True
            return
        active: dict[str, Tensor] = {}
        for window in windows:
            for site, mask in (window or {}).items():
                active[site] = active[site] | mask if site in active else mask
        self.dead_units = {site: ~mask for site, mask in active.items()}
        self._warn_of_unseen(pl_module)
        if self.dead_units and not trainer.barebones:
            metrics = {f"dead_relu/{site}": share for site, share in self.dead_fraction.items()}
            metrics["dead_relu/total"] = self.total_dead_fraction
            pl_module.log_dict(metrics)

    def _warn_of_unseen(self, pl_module: LightningModule) -> None:
        names = {
            name
            for name, m in pl_module.named_modules()
            if isinstance(m, (ACTIVATION_MODULES["relu"], ACTIVATION_MODULES["relu6"]))
        }
        unseen = sorted(names - {site.partition("#")[0] for site in self.dead_units})
        if unseen and not self._warned:
            self._warned = True
            rank_zero_warn(
                f"DeadReLUMonitor did not see {len(unseen)} ReLU modules in training, the first "
                f"{unseen[0]!r}: they are unused, or inside a compiled region."
            )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave nothing behind."""
        self._release()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave nothing behind."""
        self._release()

    def _release(self) -> None:
        self._observer.stop()
        self._observer.detach()

    def state_dict(self) -> dict[str, Any]:
        """Masks of the last finished epoch."""
        return {"dead_units": self.dead_units}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the masks of a checkpoint."""
        self.dead_units = dict(state_dict["dead_units"])


def _gather(trainer: Trainer, window: dict[str, Tensor] | None) -> list[dict[str, Tensor] | None]:
    """Every rank's window, on the host; None from a rank whose monitor is off."""
    own = None if window is None else {site: mask.cpu() for site, mask in window.items()}
    if trainer.world_size == 1:
        return [own]
    windows: list[dict[str, Tensor] | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(windows, own)
    return windows
